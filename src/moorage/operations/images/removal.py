"""Deleting images and tags. Source: ECR BatchDeleteImage; OCI distribution-spec 1.1 "Deleting tags", "Deleting manifests".

A delete holds all that goes with an image before it takes any of it, in the order in which pushes hold the same rows: links of
blobs by digest, manifests by digest, tags by name. What it has read before may have changed until then: it is looked at again.
"""

from __future__ import annotations

from collections.abc import Sequence

from moorage.metadata.images import blobs, manifests, tags
from moorage.metadata.records import Image, Repository
from moorage.metadata.registry import repositories
from moorage.metadata.transaction import Overtaken, Transaction
from moorage.model import limits, media_types
from moorage.model.errors import ImageNotFound, ImageReferenced
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.authorized import locked_repository_for
from moorage.operations.wanted_images import NOT_FOUND, BatchFailure, WantedImage, fault_of, find

DELETE = "ecr:BatchDeleteImage"


def batch_delete_image(
    tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, wanted: Sequence[WantedImage]
) -> tuple[list[tuple[str, str | None]], list[BatchFailure]]:
    """Delete by tag (the last tag takes its image along) and by digest (with all tags); return the (digest, tag) pairs that went.

    Entries that name an index are worked first, so that one call can remove an index and its children.
    """
    repository = locked_repository_for(tx, caller, DELETE, scope, name, share=True)
    gone: list[tuple[str, str | None]] = []
    failures: list[BatchFailure] = []
    resolved: list[tuple[WantedImage, Image]] = []
    for entry in dict.fromkeys(wanted):
        fault = fault_of(entry)
        image = None if fault else find(tx, repository, entry)
        if fault is not None:
            failures.append(BatchFailure(entry, *fault))
        elif image is None:
            failures.append(BatchFailure(entry, *NOT_FOUND))
        elif entry.digest is not None and image.digest != entry.digest:
            failures.append(
                BatchFailure(entry, "ImageTagDoesNotMatchDigest", "Requested image tag does not match the image digest")
            )
        else:
            resolved.append((entry, image))
    held = hold(tx, repository, {image.id: image for _, image in resolved})
    for entry, image in resolved:
        _require_same(tx, repository, entry, image, held)
    for entry, image in sorted(resolved, key=lambda pair: not _is_index(pair[1])):
        own = held.get(image.id)
        if own is None or (entry.tag is not None and entry.tag not in own):
            if (image.digest, entry.tag) not in gone and not any(digest == image.digest for digest, _ in gone):
                failures.append(BatchFailure(entry, *NOT_FOUND))
            continue
        if entry.tag is not None and own != [entry.tag]:
            tags.remove(tx, repository.id, entry.tag, caller.arn)
            own.remove(entry.tag)
            gone.append((image.digest, entry.tag))
            continue
        try:
            remove_image(tx, repository, image, own, caller.arn)
        except ImageReferenced as error:
            listed = ", ".join(error.parents)
            failures.append(
                BatchFailure(entry, "ImageReferencedByManifestList", f"Requested image referenced by manifest list: [{listed}]")
            )
            continue
        del held[image.id]
        removed: list[str | None] = [*own] or [None]
        gone.extend((image.digest, tag) for tag in removed)
    return gone, failures


def _is_index(image: Image) -> bool:
    return image.media_type in media_types.INDEXES


def delete_manifest(
    tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, digest: str | None, tag: str | None
) -> None:
    """Delete as OCI means it: by tag only the tag goes, by digest the image and all its tags.

    Raises:
        ImageNotFound
        ImageReferenced: an index of the repository names it.
    """
    repository = locked_repository_for(tx, caller, DELETE, scope, name, share=True)
    if tag is not None:
        if not tags.remove(tx, repository.id, tag, caller.arn):
            raise ImageNotFound(scope.registry_id, name, None, tag)
        return
    image = manifests.find_by_digest(tx, repository.id, digest or "")
    held = hold(tx, repository, {image.id: image} if image is not None else {})
    if image is None or image.id not in held:
        raise ImageNotFound(scope.registry_id, name, digest, None)
    remove_image(tx, repository, image, held[image.id], caller.arn)


def hold(tx: Transaction, repository: Repository, found: dict[int, Image]) -> dict[int, list[str]]:
    """Hold images by id with their links and tags; return the tags of those that are still there, in the order of tagging.

    Raises:
        Overtaken: one was deleted and pushed again meanwhile.
    """
    named = {digest for image_id in found for digest in manifests.blobs_of(tx, image_id)}
    blobs.lock_links(tx, repository.id, sorted(named))
    present: list[int] = []
    for image in sorted(found.values(), key=lambda each: each.digest):
        now = manifests.lock(tx, repository.id, image.digest)
        if now is not None and now.id != image.id:
            raise Overtaken
        if now is not None:
            present.append(now.id)
    return tags.lock_of_manifests(tx, present)


def _require_same(tx: Transaction, repository: Repository, entry: WantedImage, image: Image, held: dict[int, list[str]]) -> None:
    """Raise Overtaken if an entry's tag was moved to another image before it was held: it is that one that the entry names."""
    if entry.tag is not None and entry.tag not in held.get(image.id, ()):
        now = find(tx, repository, entry)
        if now is not None and now.id != image.id:
            raise Overtaken


def remove_image(tx: Transaction, repository: Repository, image: Image, held: Sequence[str], by: str) -> None:
    """Remove an image that is held, with its tags; its blobs are checked after the grace.

    The one way by which an image leaves a repository that stays: whatever is to be kept of it is kept here.

    Args:
        held: its tags, as `hold` found them.
        by: the ARN of whoever does it.

    Raises:
        ImageReferenced: an index of the repository names it.
    """
    parents = manifests.parents_of(tx, repository.id, image.digest)
    if parents:
        raise ImageReferenced(repository.scope.registry_id, repository.name, image.digest, parents)
    named = manifests.blobs_of(tx, image.id)
    for tag in held:
        tags.remove(tx, repository.id, tag, by)
    manifests.remove(tx, image.id)
    orphans = [digest for digest in named if not blobs.is_named(tx, repository.id, digest)]
    blobs.let_check(tx, repository.id, orphans, tx.now + limits.BLOB_GRACE_SECONDS * 1_000_000)
    repositories.add_images(tx, repository.id, -1)
