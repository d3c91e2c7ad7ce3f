"""Push an image: a manifest and its tags. Source: ECR PutImage; OCI distribution-spec 1.1, pushing manifests.

Both planes call this; where they differ (an unchanged push), the outcome says what happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from moorage.auth.authorize import Question, authorize, key_to_check
from moorage.metadata.images import blobs, manifests, pulls, tags
from moorage.metadata.records import Repository
from moorage.metadata.registry import repositories
from moorage.metadata.transaction import Overtaken, ReadTransaction, Transaction
from moorage.model.digest import Digest, algorithm_of, digest_of, is_digest
from moorage.model.errors import (
    KeyUnusable,
    LayerMismatch,
    LayersNotFound,
    LimitExceeded,
    ManifestInvalid,
    ReferencedImagesNotFound,
    RepositoryNotFound,
)
from moorage.model.manifest import Manifest, parse_manifest
from moorage.model.names import RepositoryName, Tag, parse_tag
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations import quotas
from moorage.operations.authorized import locked_repository_for
from moorage.operations.images.changes import Change, image_changed
from moorage.operations.images.storage_class import restore_children_now, restore_now
from moorage.operations.images.tag_moves import point
from moorage.operations.seals import SealOvertaken

_SIDE_BY_SIDE = 100
"""More pushes than ever run at the same time: connections to the database of all nodes together."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """A manifest as it arrived, parsed outside the transaction. A fault is kept, to be raised after authorisation."""

    data: bytes
    digest: Digest
    manifest: Manifest | None
    fault: ManifestInvalid | None


@dataclass(frozen=True, slots=True)
class SealedPayload:
    """The bytes of a manifest as they are stored: for one repository, under what seals it."""

    repository_id: int
    seal_id: int
    sealed: bytes
    wrapped_key: bytes


@dataclass(frozen=True, slots=True)
class PutOutcome:
    """What a push did. `changed` is False if the image and all its tags were there already, and not in the archive."""

    repository: Repository
    digest: Digest
    manifest: Manifest
    changed: bool


def read_push(data: bytes, declared_type: str | None, claimed: str | None, *, by_shape: bool = True) -> Pushed:
    """Parse and hash the bytes of a manifest; the digest is of the algorithm that was claimed, else sha256.

    `by_shape`: see `parse_manifest`.
    """
    algorithm = algorithm_of(Digest(claimed)) if claimed is not None and is_digest(claimed) else "sha256"
    try:
        manifest, fault = parse_manifest(data, declared_type, by_shape=by_shape), None
    except ManifestInvalid as error:
        manifest, fault = None, error
    return Pushed(data, digest_of(data, algorithm), manifest, fault)


def may_put_image(
    tx: ReadTransaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    pushed: Pushed,
    claimed: str | None,
    new_tags: Sequence[str],
) -> Repository | None:
    """The repository that the bytes are to be sealed for; None: it has the image.

    What `put_image` finds first, in one statement: nobody's key is asked for on behalf of somebody who may not push, or for what
    no repository takes. Raises what `put_image` raises before it looks for layers.
    """
    account = caller.account_id or scope.registry_id
    found = pulls.find(tx, account, key_to_check(caller), scope, name, pushed.digest, None)
    question = Question("ecr:PutImage", scope, scope.repository_arn(name), repository=found.repository)
    authorize(tx, caller, question, found.credential_status)
    if found.repository is None:
        raise RepositoryNotFound(scope.registry_id, name)
    _well_formed(scope, name, pushed, claimed, new_tags)
    return found.repository if found.image is None else None


def put_image(
    tx: Transaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    pushed: Pushed,
    sealed: SealedPayload | KeyUnusable | None,
    claimed: str | None,
    new_tags: Sequence[str],
) -> PutOutcome:
    """Store a manifest and point tags at it: all of it or nothing.

    Args:
        sealed: the manifest's bytes for the repository of `may_put_image`; why they could not be sealed; None if that was None.
        claimed: the digest the client expects, if it says one.
        new_tags: none for a push by digest.

    Raises:
        RepositoryNotFound, ManifestInvalid, LayerMismatch, TagInvalid, LayersNotFound, ReferencedImagesNotFound, KeyUnusable,
        TagImmutable, LimitExceeded: checked in this order, which is PutImage's.
        SealOvertaken
    """
    repository = locked_repository_for(tx, caller, "ecr:PutImage", scope, name, share=True)
    manifest, checked_tags = _well_formed(scope, name, pushed, claimed, new_tags)
    image = manifests.keep(tx, repository.id, pushed.digest)
    inserted = restored = False
    if image is None:
        sizes = _require_references(tx, repository, manifest)
        manifest_id = _insert(tx, repository, pushed, manifest, _for(repository, sealed), caller, sizes)
        inserted = manifest_id is not None
        if manifest_id is None:
            image = manifests.keep(tx, repository.id, pushed.digest)
            if image is None:
                raise Overtaken  # another push was first, and its image is gone already
            manifest_id = image.id
    else:
        manifest_id = image.id
        restored = restore_now(tx, repository, image)
    if inserted and manifest.is_index:
        restore_children_now(tx, repository, manifest_id)
    most = quotas.limit(tx, "tags_per_image")
    if checked_tags and not inserted and tags.count_of(tx, manifest_id) + len(checked_tags) > most - _SIDE_BY_SIDE:
        # So near to the quota tags are set one push after the other, or each would count without those of the others.
        manifests.hold_tags(tx, manifest_id)
    moved = [point(tx, repository, tag, manifest_id, pushed.digest, caller.arn, "push") for tag in sorted(checked_tags)]
    if any(moved) and tags.count_of(tx, manifest_id) > most:
        raise LimitExceeded(f"The maximum number of tags per image ({most}) has been reached")
    changed = inserted or restored or any(moved)
    if changed:
        image_changed(tx, repository, manifest_id, Change.PUSHED if inserted else Change.RESTORED if restored else Change.TAGGED)
    if inserted and repositories.add_images(tx, repository.id, 1) > (most := quotas.limit(tx, "images_per_repository")):
        raise LimitExceeded(
            f"The maximum number of images per repository ({most}) in the repository with name "
            f"'{name}' in the registry with id '{scope.registry_id}' has been reached"
        )
    return PutOutcome(repository, pushed.digest, manifest, changed)


def _well_formed(
    scope: Scope, name: RepositoryName, pushed: Pushed, claimed: str | None, new_tags: Sequence[str]
) -> tuple[Manifest, list[Tag]]:
    """The manifest and its new tags. Raises ManifestInvalid, LayerMismatch, TagInvalid, in this order."""
    if pushed.fault is not None or pushed.manifest is None:
        raise pushed.fault or ManifestInvalid("Invalid JSON syntax")
    if claimed is not None and claimed != pushed.digest:
        raise LayerMismatch(scope.registry_id, name, "", claimed, pushed.digest)
    return pushed.manifest, [parse_tag(tag) for tag in dict.fromkeys(new_tags)]


def _for(repository: Repository, sealed: SealedPayload | KeyUnusable | None) -> SealedPayload:
    """What was sealed, if it was for this very repository. Raises KeyUnusable, SealOvertaken."""
    if isinstance(sealed, KeyUnusable):
        raise sealed
    if sealed is None or (sealed.repository_id, sealed.seal_id) != (repository.id, repository.seal.id):
        raise SealOvertaken
    return sealed


def _require_references(tx: Transaction, repository: Repository, manifest: Manifest) -> dict[str, int]:
    """Make sure that all a manifest names is here and stays; return the sizes of an index's children."""
    needed: list[str] = sorted({blob.digest for blob in manifest.blobs if blob.must_exist})
    links = blobs.links(tx, repository.id, needed)
    missing = {digest for digest in needed if digest not in links}
    unsure = [digest for digest in needed if digest in links and links[digest][0] is not None]
    # A link that awaits collection has to be locked before it counts: the collector may be at it.
    missing |= set(unsure) - blobs.keep_links(tx, repository.id, unsure)
    if missing:
        raise LayersNotFound(repository.scope.registry_id, repository.name, sorted(missing))
    children = sorted({child.digest for child in manifest.children})
    present = manifests.present(tx, repository.id, [str(child) for child in children])
    absent = [child for child in children if child not in present]
    if absent:
        raise ReferencedImagesNotFound(repository.scope.registry_id, repository.name, absent)
    for child in children:
        # Keep the child: deleting it looks for parents when nobody keeps it any more.
        if manifests.keep(tx, repository.id, child) is None:
            raise ReferencedImagesNotFound(repository.scope.registry_id, repository.name, [child])
    return present


def _insert(
    tx: Transaction,
    repository: Repository,
    pushed: Pushed,
    manifest: Manifest,
    payload: SealedPayload,
    caller: Caller,
    child_sizes: dict[str, int],
) -> int | None:
    return manifests.insert(
        tx,
        repository.id,
        pushed.digest,
        manifest,
        annotations=msgspec.json.encode(manifest.annotations).decode(),
        size_bytes=len(pushed.data),
        image_size_bytes=max(child_sizes.values(), default=0) if manifest.is_index else manifest.content_size,
        pushed_by=caller.arn,
        sealed=payload.sealed,
        wrapped_key=payload.wrapped_key,
    )
