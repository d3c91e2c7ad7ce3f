"""Previews: what a lifecycle policy would do now. Source: ECR StartLifecyclePolicyPreview, GetLifecyclePolicyPreview.

A preview is evaluated while its start is answered, in three steps: images are read at one instant (`snapshot`), rules are applied
without the database (`evaluated`), and what was found takes the place of the preview before (`keep`). So none is ever
in progress.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from msgspec import Struct

from moorage.lifecycle.parse import parse_lifecycle_policy
from moorage.lifecycle.select import LifecycleImage, select
from moorage.metadata.images import archive, manifests, tags
from moorage.metadata.records import Image, Repository
from moorage.metadata.registry import lifecycle_policies
from moorage.metadata.registry.records import Preview, PreviewResult
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import media_types
from moorage.model.errors import TokenInvalid
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.registry_errors import PreviewNotFound
from moorage.model.scope import Scope
from moorage.operations.authorized import locked_repository_for, repository_for
from moorage.operations.repository.lifecycle import policy_of
from moorage.operations.wanted_images import WantedImage

START, GET = "ecr:StartLifecyclePolicyPreview", "ecr:GetLifecyclePolicyPreview"
_LIFE_SECONDS = 24 * 3600
_PAGE = 1000


class Snapshot(Struct, frozen=True):
    """A policy's text, and all images of a repository at one instant (microseconds)."""

    document: str
    images: list[LifecycleImage]
    now: int


class PreviewPage(Struct, frozen=True):
    """A part of a preview's results, and the position of the last one if there are more. `status`: COMPLETE or EXPIRED."""

    preview: Preview
    status: str
    results: list[PreviewResult]
    last: int | None


def snapshot(tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, text: str | None) -> Snapshot:
    """What a preview is made of.

    Args:
        text: the policy to preview; None: the repository's own.

    Raises:
        RepositoryNotFound, LifecyclePolicyNotFound, ParameterInvalid (what is wrong with the text)
    """
    repository = repository_for(tx, caller, START, scope, name)
    document = text if text is not None else policy_of(tx, repository).document
    parse_lifecycle_policy(document)
    images: list[LifecycleImage] = []
    before = (2**63 - 1, "\x7f")
    while page := manifests.list_page(tx, repository.id, "ANY", "ANY", before, _PAGE):
        images.extend(_seen_by_rules(tx, page))
        before = (page[-1].pushed_at, str(page[-1].digest))
    return Snapshot(document, images, tx.now)


def _seen_by_rules(tx: ReadTransaction, page: Sequence[Image]) -> list[LifecycleImage]:
    ids = [image.id for image in page]
    held, pulled = tags.of_manifests(tx, ids), manifests.last_pulls(tx, ids)
    indexes = [image.id for image in page if image.media_type in media_types.INDEXES]
    children = archive.child_digests(tx, indexes)
    return [
        LifecycleImage(
            digest=image.digest,
            tags=tuple(tag for tag, _ in held.get(image.id, ())),
            pushed_at=image.pushed_at,
            pulled_at=pulled.get(image.id),
            archived_at=image.last_archived_at,
            activated_at=image.last_activated_at,
            status=image.status_at(tx.now),
            children=children.get(image.id, ()),
            subject=image.subject_digest,
        )
        for image in page
    ]


def evaluated(taken: Snapshot) -> tuple[Preview, list[PreviewResult]]:
    """What the policy does to the images: the work of a few seconds for 100,000 of them."""
    selected = select(parse_lifecycle_policy(taken.document), taken.images, taken.now)
    results = [
        PreviewResult(
            position,
            each.image.digest,
            each.image.tags,
            each.image.pushed_at,
            each.rule.action.upper(),
            each.rule.priority,
            "ARCHIVE" if each.image.status == "ARCHIVED" else "STANDARD",
        )
        for position, each in enumerate(selected, 1)
    ]
    expiring = sum(result.action == "EXPIRE" for result in results)
    preview = Preview(str(uuid.uuid4()), taken.document, taken.now, expiring, len(results) - expiring)
    return preview, results


def keep(
    tx: Transaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    preview: Preview,
    results: Sequence[PreviewResult],
) -> None:
    """Make this the repository's preview. Raises RepositoryNotFound."""
    repository = locked_repository_for(tx, caller, START, scope, name, share=False)
    lifecycle_policies.replace_preview(tx, repository.id, preview, results)


def find_preview(tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName) -> tuple[Repository, Preview, str]:
    """The repository's newest preview, and its status. Raises RepositoryNotFound, PreviewNotFound."""
    repository = repository_for(tx, caller, GET, scope, name)
    preview = lifecycle_policies.find_preview(tx, repository.id)
    if preview is None:
        raise PreviewNotFound(scope.registry_id, name)
    is_old = tx.now - preview.completed_at > _LIFE_SECONDS * 1_000_000
    return repository, preview, "EXPIRED" if is_old else "COMPLETE"


def get_preview_page(
    tx: ReadTransaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    tag_status: str,
    after: tuple[str, int] | None,
    count: int,
) -> PreviewPage:
    """At most `count` results in the order in which rules act.

    Args:
        tag_status: TAGGED, UNTAGGED or ANY.
        after: the preview's id and the position of the last result of the page before.

    Raises:
        RepositoryNotFound, PreviewNotFound
        TokenInvalid: another preview has taken the place of the one whose pages these are.
    """
    repository, preview, status = find_preview(tx, caller, scope, name)
    if after is not None and after[0] != preview.id:
        raise TokenInvalid("")
    if status == "EXPIRED":
        return PreviewPage(preview, status, [], None)
    position = after[1] if after is not None else 0
    found: list[PreviewResult] = []
    while len(found) <= count:
        page = lifecycle_policies.results_page(tx, repository.id, position, _PAGE)
        if not page:
            break
        position = page[-1].position
        found.extend(result for result in page if tag_status == "ANY" or bool(result.tags) == (tag_status == "TAGGED"))
    last = found[count - 1].position if len(found) > count else None
    return PreviewPage(preview, status, found[:count], last)


def get_preview_of(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, wanted: Sequence[WantedImage]
) -> PreviewPage:
    """The results for these images; those that the policy leaves alone have none."""
    repository, preview, status = find_preview(tx, caller, scope, name)
    if status == "EXPIRED":
        return PreviewPage(preview, status, [], None)
    found: list[PreviewResult] = []
    position = 0
    while page := lifecycle_policies.results_page(tx, repository.id, position, _PAGE):
        position = page[-1].position
        found.extend(result for result in page if any(_is_named(result, entry) for entry in wanted))
    return PreviewPage(preview, status, found, None)


def _is_named(result: PreviewResult, entry: WantedImage) -> bool:
    if entry.digest is None and entry.tag is None:
        return False
    return entry.digest in {None, result.digest} and (entry.tag is None or entry.tag in result.tags)
