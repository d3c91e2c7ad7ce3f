"""Queries over the archive: which images are in it, what hangs together with them, and which blobs only they name."""

from __future__ import annotations

from sqlalchemy import and_, bindparam, select, update

from moorage.metadata.images.manifests import COLUMNS, NOT_ARCHIVED, image
from moorage.metadata.records import Image
from moorage.metadata.statements import Statement
from moorage.metadata.tables.images import manifest_blobs, manifest_children, manifests
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among

_m = manifests.c

_SET_ARCHIVED = Statement(
    lambda _: update(manifests).where(_m.id == bindparam("manifest")).values(archived=1, last_archived_at=bindparam("at"))
)
_SET_ACTIVATED = Statement(
    lambda _: update(manifests).where(_m.id == bindparam("manifest")).values(archived=0, last_activated_at=bindparam("at"))
)
_CHILDREN = Statement(
    lambda _: (
        select(*COLUMNS)
        .join(
            manifest_children,
            and_(manifest_children.c.digest == _m.digest, manifest_children.c.repository_id == _m.repository_id),
        )
        .where(manifest_children.c.parent_id == bindparam("manifest"))
    )
)
_CHILD_DIGESTS = Statement(
    lambda _: select(manifest_children.c.parent_id, manifest_children.c.digest).where(
        among(manifest_children.c.parent_id, "ids", "bigint")
    )
)
_STANDARD_PARENT = Statement(
    lambda _: (
        select(_m.digest)
        .join(manifest_children, manifest_children.c.parent_id == _m.id)
        .where(
            manifest_children.c.repository_id == bindparam("repository"),
            manifest_children.c.digest == bindparam("digest"),
            _m.id != bindparam("parent"),
            NOT_ARCHIVED,
        )
        .limit(1)
    )
)
_STANDARD_BLOBS = Statement(
    lambda _: (
        select(manifest_blobs.c.digest)
        .distinct()
        .join(manifests, _m.id == manifest_blobs.c.manifest_id)
        .where(manifest_blobs.c.repository_id == bindparam("repository"), among(manifest_blobs.c.digest, "digests"), NOT_ARCHIVED)
    )
)
_NAMED_BLOBS = Statement(
    lambda _: (
        select(manifest_blobs.c.digest)
        .distinct()
        .where(manifest_blobs.c.repository_id == bindparam("repository"), among(manifest_blobs.c.digest, "digests"))
    )
)


def set_archived(tx: Transaction, manifest_id: int) -> None:
    """Put an image into the archive now."""
    tx.run(_SET_ARCHIVED, manifest=manifest_id, at=tx.now)


def set_activated(tx: Transaction, manifest_id: int, at: int) -> None:
    """Take an image out of the archive; it is active from `at` on."""
    tx.run(_SET_ACTIVATED, manifest=manifest_id, at=at)


def children_of(tx: ReadTransaction, manifest_id: int) -> list[Image]:
    """The images that an index names."""
    return [image(row) for row in tx.all(_CHILDREN, manifest=manifest_id)]


def child_digests(tx: ReadTransaction, manifest_ids: list[int]) -> dict[int, tuple[str, ...]]:
    """What indexes name, by index, whether or not it is there."""
    found: dict[int, tuple[str, ...]] = {}
    for parent, digest in tx.all(_CHILD_DIGESTS, ids=manifest_ids) if manifest_ids else ():
        found[parent] = (*found.get(parent, ()), digest)
    return found


def has_standard_parent(tx: ReadTransaction, repository_id: int, digest: str, *, but: int = 0) -> bool:
    """Tell whether an index that is not archived, other than the one with id `but`, names an image."""
    return tx.first(_STANDARD_PARENT, repository=repository_id, digest=digest, parent=but) is not None


def archived_blobs(tx: ReadTransaction, repository_id: int, digests: list[str]) -> set[str]:
    """Those of `digests` that only archived images of the repository name."""
    if not digests:
        return set()
    named = {row[0] for row in tx.all(_NAMED_BLOBS, repository=repository_id, digests=digests)}
    return named - {row[0] for row in tx.all(_STANDARD_BLOBS, repository=repository_id, digests=digests)}
