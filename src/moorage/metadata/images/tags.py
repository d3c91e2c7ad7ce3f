"""Queries over tags and their history. A tag moves in one statement; every move leaves a line that says who, when, from where
to where."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, select, update

from moorage.metadata.images.manifests import IS_ACTIVE
from moorage.metadata.statements import Statement
from moorage.metadata.tables.images import manifests, tag_history, tags
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among
from moorage.model.names import Tag

_t, _h = tags.c, tag_history.c
_HERE = _t.repository_id == bindparam("repository")

_POINTS_TO = Statement(
    lambda _: (
        select(manifests.c.id, manifests.c.digest)
        .join(tags, _t.manifest_id == manifests.c.id)
        .where(_HERE, _t.name == bindparam("tag"))
        .with_for_update(of=tags)
    )
)
_PUT = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["repository_id", "name"],
            set_={"manifest_id": it.excluded.manifest_id, "tagged_at": it.excluded.tagged_at},
        )
    )(
        insert(tags).values(
            repository_id=bindparam("repository"),
            name=bindparam("tag"),
            manifest_id=bindparam("manifest"),
            tagged_at=bindparam("now"),
        )
    )
)
_ADD = Statement(
    lambda insert: (
        insert(tags)
        .values(
            repository_id=bindparam("repository"),
            name=bindparam("tag"),
            manifest_id=bindparam("manifest"),
            tagged_at=bindparam("now"),
        )
        .on_conflict_do_nothing()
    )
)
_DROP = Statement(lambda _: delete(tags).where(_HERE, _t.name == bindparam("tag")))
_CLOSE = Statement(
    lambda _: (
        update(tag_history)
        .where(_h.repository_id == bindparam("repository"), _h.name == bindparam("tag"), _h.valid_to.is_(None))
        .values(valid_to=bindparam("now"), ended_by=bindparam("by"))
    )
)
_OPEN = Statement(
    lambda insert: insert(tag_history).values(
        repository_id=bindparam("repository"),
        name=bindparam("tag"),
        digest=bindparam("digest"),
        previous_digest=bindparam("previous"),
        valid_from=bindparam("now"),
        valid_to=None,
        moved_by=bindparam("by"),
        reason=bindparam("reason"),
    )
)
_OF = Statement(
    lambda _: (
        select(_t.manifest_id, _t.name, _t.tagged_at)
        .where(among(_t.manifest_id, "manifests", "bigint"))
        .order_by(_t.manifest_id, _t.tagged_at, _t.name)
    )
)
_LOCK_OF = Statement(
    lambda _: (
        select(_t.manifest_id, _t.name, _t.tagged_at)
        .where(among(_t.manifest_id, "manifests", "bigint"))
        .order_by(_t.name)
        .with_for_update()
    )
)
_COUNT_OF = Statement(lambda _: select(func.count()).select_from(tags).where(_t.manifest_id == bindparam("manifest")))
_PAGE = Statement(
    lambda _: (
        select(_t.name)
        .join(manifests, manifests.c.id == _t.manifest_id)
        .where(_HERE, _t.name > bindparam("after"), IS_ACTIVE)
        .order_by(_t.name)
        .limit(bindparam("count"))
    )
)
_HISTORY = Statement(
    lambda _: (
        select(_h.name, _h.digest, _h.previous_digest, _h.valid_from, _h.valid_to, _h.moved_by, _h.ended_by, _h.reason)
        .where(_h.repository_id == bindparam("repository"), _h.name == bindparam("tag"))
        .order_by(_h.valid_from.desc(), _h.id.desc())
        .limit(bindparam("count"))
    )
)
_PURGE = Statement(lambda _: delete(tags).where(_HERE))
_PURGE_HISTORY = Statement(lambda _: delete(tag_history).where(_h.repository_id == bindparam("repository")))


@dataclass(frozen=True, slots=True)
class TagMove:
    """One line of a tag's history. Times are microseconds; `valid_to` None is the present."""

    tag: str
    digest: str
    previous_digest: str | None
    valid_from: int
    valid_to: int | None
    moved_by: str
    ended_by: str | None
    reason: str


def lock_target(tx: Transaction, repository_id: int, tag: Tag) -> tuple[int, str] | None:
    """The manifest (id, digest) that a tag points to, holding the tag."""
    row = tx.first(_POINTS_TO, repository=repository_id, tag=tag)
    return (row[0], row[1]) if row else None


def add(tx: Transaction, repository_id: int, tag: Tag, manifest_id: int, digest: str, by: str, reason: str) -> bool:
    """Set a tag that was not there and record it; False if another transaction has set it meanwhile."""
    if tx.run(_ADD, repository=repository_id, tag=tag, manifest=manifest_id, now=tx.now) == 0:
        return False
    tx.run(_OPEN, repository=repository_id, tag=tag, digest=digest, previous=None, now=tx.now, by=by, reason=reason)
    return True


def move(
    tx: Transaction, repository_id: int, tag: Tag, manifest_id: int, digest: str, previous: str | None, by: str, reason: str
) -> None:
    """Point a tag at a manifest and record it. The caller has locked the target and decided that it may."""
    tx.run(_PUT, repository=repository_id, tag=tag, manifest=manifest_id, now=tx.now)
    tx.run(_CLOSE, repository=repository_id, tag=tag, now=tx.now, by=by)
    tx.run(_OPEN, repository=repository_id, tag=tag, digest=digest, previous=previous, now=tx.now, by=by, reason=reason)


def remove(tx: Transaction, repository_id: int, tag: str, by: str) -> bool:
    """Take a tag away and end its line of history; False if there was none."""
    if tx.run(_DROP, repository=repository_id, tag=tag) == 0:
        return False
    tx.run(_CLOSE, repository=repository_id, tag=tag, now=tx.now, by=by)
    return True


def of_manifests(tx: ReadTransaction, manifest_ids: list[int]) -> dict[int, list[tuple[str, int]]]:
    """The tags (name, tagged_at) of manifests, in the order of tagging, then by name."""
    found: dict[int, list[tuple[str, int]]] = {}
    for manifest_id, name, tagged_at in tx.all(_OF, manifests=manifest_ids) if manifest_ids else ():
        found.setdefault(manifest_id, []).append((name, tagged_at))
    return found


def lock_of_manifests(tx: Transaction, manifest_ids: list[int]) -> dict[int, list[str]]:
    """The tags of manifests that are held, holding them too; those of each in the order of tagging. Each id has an entry.

    Nobody can point a tag at a manifest that is held; one that was moved away before it could be held is left out.
    """
    held: dict[int, list[str]] = {manifest_id: [] for manifest_id in manifest_ids}
    rows = tx.all(_LOCK_OF, manifests=manifest_ids) if manifest_ids else []
    for manifest_id, name, _ in sorted(rows, key=lambda row: (row[2], row[1])):
        held[manifest_id].append(name)
    return held


def count_of(tx: ReadTransaction, manifest_id: int) -> int:
    """How many tags point to a manifest."""
    row = tx.first(_COUNT_OF, manifest=manifest_id)
    assert row is not None
    return int(row[0])


def list_page(tx: ReadTransaction, repository_id: int, after: str, count: int) -> list[str]:
    """At most `count` tags of active images that come after `after` in byte order."""
    return [row[0] for row in tx.all(_PAGE, repository=repository_id, after=after, count=count, now=tx.now)]


def history(tx: ReadTransaction, repository_id: int, tag: str, count: int) -> list[TagMove]:
    """The moves of a tag, newest first."""
    return [TagMove(*row) for row in tx.all(_HISTORY, repository=repository_id, tag=tag, count=count)]


def purge(tx: Transaction, repository_id: int) -> None:
    """Remove all tags and all history of a deleted repository."""
    tx.run(_PURGE, repository=repository_id)
    tx.run(_PURGE_HISTORY, repository=repository_id)
