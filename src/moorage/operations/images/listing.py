"""Lists of images and tags, page by page. Source: ECR ListImages, DescribeImages; OCI tags/list, _catalog, referrers.

All pages are keyset pages: a page starts after the last key of the one before, so that its cost does not grow with what lies
before it and items that come or go meanwhile are neither lost nor repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moorage.metadata.images import manifests, tags
from moorage.metadata.records import Image, Repository
from moorage.metadata.transaction import ReadTransaction
from moorage.model.digest import parse_digest
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.authorized import repository_for
from moorage.operations.wanted_images import WantedImage, one_image

FIRST = (2**63 - 1, "\x7f")
"""Before the newest image: greater than any (pushed_at, digest)."""


ImageFilter = tuple[str, str]
"""Status by tags (TAGGED, UNTAGGED, ANY), and of the image (ACTIVE, ARCHIVED, ACTIVATING, ANY)."""


@dataclass(frozen=True, slots=True)
class ImageDetail:
    """An image as DescribeImages shows it. Times are microseconds."""

    image: Image
    tags: tuple[str, ...]
    last_pulled_at: int | None
    status: str
    """ACTIVE, ARCHIVED or ACTIVATING."""


@dataclass(frozen=True, slots=True)
class ListedImage:
    """One entry of ListImages: a tag of an image, or an image without one."""

    digest: str
    tag: str | None


def describe_images(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, wanted: Sequence[WantedImage]
) -> list[ImageDetail]:
    """The images named, each once, in the order of the request. Raises ImageNotFound for the first that is missing."""
    repository = repository_for(tx, caller, "ecr:DescribeImages", scope, name)
    found: dict[int, Image] = {}
    for entry in wanted:
        image = one_image(tx, repository, entry)
        found[image.id] = image
    return _details(tx, list(found.values()))


def describe_images_page(
    tx: ReadTransaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    statuses: ImageFilter,
    before: tuple[int, str],
    count: int,
) -> tuple[list[ImageDetail], tuple[int, str] | None]:
    """At most `count` images, newest first, after `before`; and the key of the last one if there are more."""
    repository = repository_for(tx, caller, "ecr:DescribeImages", scope, name)
    page = manifests.list_page(tx, repository.id, *statuses, before, count + 1)
    more = (page[count - 1].pushed_at, str(page[count - 1].digest)) if len(page) > count else None
    return _details(tx, page[:count]), more


def _details(tx: ReadTransaction, images: list[Image]) -> list[ImageDetail]:
    ids = [image.id for image in images]
    held, pulled = tags.of_manifests(tx, ids), manifests.last_pulls(tx, ids)
    return [
        ImageDetail(image, tuple(tag for tag, _ in held.get(image.id, ())), pulled.get(image.id), image.status_at(tx.now))
        for image in images
    ]


@dataclass(frozen=True, slots=True)
class ListPosition:
    """Where a page of ListImages ended: at an image, and at one of its tags if more of them follow."""

    pushed_at: int
    digest: str
    tagged_at: int = -1
    tag: str = ""


def list_images_page(
    tx: ReadTransaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    statuses: ImageFilter,
    after: ListPosition | None,
    count: int,
) -> tuple[list[ListedImage], ListPosition | None]:
    """At most `count` entries after `after`, one for each tag, newest image first; and where the page ended if there are more."""
    repository = repository_for(tx, caller, "ecr:ListImages", scope, name)
    entries: list[tuple[ListedImage, ListPosition]] = []
    before = FIRST
    if after is not None:
        before = (after.pushed_at, after.digest)
        entries.extend(_rest_of_image(tx, repository, after))
    while len(entries) <= count:
        # One more tells whether there are more.
        images = manifests.list_page(tx, repository.id, *statuses, before, min(count + 1, 200))
        if not images:
            break
        held = tags.of_manifests(tx, [image.id for image in images])
        for image in images:
            entries.extend(_entries(image, held.get(image.id, [])))
        before = (images[-1].pushed_at, images[-1].digest)
    more = entries[count - 1][1] if len(entries) > count else None
    return [entry for entry, _ in entries[:count]], more


def _entries(image: Image, held: Sequence[tuple[str, int]]) -> list[tuple[ListedImage, ListPosition]]:
    if not held:
        return [(ListedImage(image.digest, None), ListPosition(image.pushed_at, image.digest, 2**63 - 1))]
    return [(ListedImage(image.digest, tag), ListPosition(image.pushed_at, image.digest, at, tag)) for tag, at in held]


def _rest_of_image(tx: ReadTransaction, repository: Repository, after: ListPosition) -> list[tuple[ListedImage, ListPosition]]:
    """What follows `after` among the tags of the image at which the last page ended."""
    image = manifests.find_by_digest(tx, repository.id, after.digest)
    if image is None or image.pushed_at != after.pushed_at:
        return []
    held = [
        pair for pair in tags.of_manifests(tx, [image.id]).get(image.id, []) if (pair[1], pair[0]) > (after.tagged_at, after.tag)
    ]
    return _entries(image, held) if held else []


def list_tags(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, after: str, count: int
) -> tuple[list[str], bool]:
    """At most `count` tags after `after` in byte order, and whether there are more. Those of archived images cannot be pulled
    and are left out."""
    repository = repository_for(tx, caller, "ecr:ListImages", scope, name)
    if count == 0:
        return [], False
    found = tags.list_page(tx, repository.id, after, count + 1)
    return found[:count], len(found) > count


def list_referrers(
    tx: ReadTransaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    subject: str,
    artifact_types: Sequence[str],
    artifact_status: str,
    after: int,
    count: int,
) -> tuple[list[Image], int | None]:
    """At most `count` manifests that name `subject`, in order of arrival; and the id of the last one if there are more.

    Args:
        artifact_types: of one of these; none: of any.
        artifact_status: ACTIVE, ARCHIVED, ACTIVATING or ANY.

    Raises:
        RepositoryNotFound, DigestInvalid
    """
    repository = repository_for(tx, caller, "ecr:BatchGetImage", scope, name)
    parse_digest(subject)
    found = manifests.referrers(tx, repository.id, subject, artifact_types, artifact_status, after, count + 1)
    return found[:count], found[count - 1].id if len(found) > count else None
