"""Queries over blobs, the links that make them visible in a repository, and the keys of the blob store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, delete, exists, select, update

from moorage.metadata.images import small_objects
from moorage.metadata.records import Blob, Segment
from moorage.metadata.registry import seals as seal_queries
from moorage.metadata.statements import Statement
from moorage.metadata.tables.blobs import blob_pieces, blobs, repository_blobs, storage_objects
from moorage.metadata.tables.blobs import small_objects as small_objects_table
from moorage.metadata.tables.images import manifest_blobs, repositories
from moorage.metadata.tables.registries import seals
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among, word
from moorage.model.digest import Digest
from moorage.model.seal import Seal

_b, _l, _p, _o = blobs.c, repository_blobs.c, blob_pieces.c, storage_objects.c
_LINK = (_l.repository_id == bindparam("repository"), _l.digest == bindparam("digest"))

_FIND = Statement(
    lambda _: (
        select(
            _b.id,
            _b.size_bytes,
            _l.check_after,
            *seal_queries.COLUMNS,
            _p.size_bytes,
            _p.storage_key,
            _p.wrapped_key,
            small_objects_table.c.sealed,
        )
        .select_from(repository_blobs)
        .join(blobs, _b.id == _l.blob_id)
        .join(seals, seals.c.id == _b.seal_id)
        .join(blob_pieces, _p.blob_id == _b.id, isouter=True)  # an empty blob may have none
        .join(small_objects_table, small_objects_table.c.key == _p.storage_key, isouter=True)
        .where(*_LINK)
        .order_by(_p.position)
    )
)
_SIZE = Statement(lambda _: select(_b.size_bytes, _l.check_after).join(repository_blobs, _l.blob_id == _b.id).where(*_LINK))
_LINKS = Statement(
    lambda _: (
        select(_l.digest, _l.check_after, _b.size_bytes)
        .join(blobs, _b.id == _l.blob_id)
        .where(_l.repository_id == bindparam("repository"), among(_l.digest, "digests"))
    )
)
# By key alone: a condition that another transaction changes would drop the row after the wait (READ COMMITTED looks again).
_LOCK_LINKS = Statement(
    lambda _: (
        select(_l.digest)
        .where(_l.repository_id == bindparam("repository"), among(_l.digest, "digests"))
        .order_by(_l.digest)
        .with_for_update()
    )
)
_SET_CHECK = Statement(
    lambda _: (
        update(repository_blobs)
        .where(_l.repository_id == bindparam("repository"), among(_l.digest, "digests"))
        .values(check_after=bindparam("due"))
    )
)
_RENEW = Statement(
    lambda _: update(repository_blobs).where(*_LINK, _l.check_after.is_not(None)).values(check_after=bindparam("due"))
)
_SAME = Statement(
    lambda _: select(_b.id).where(
        _b.registry == bindparam("registry"), _b.digest == bindparam("digest"), _b.seal_id == bindparam("seal")
    )
)
_INSERT = Statement(
    lambda insert: (
        insert(blobs)
        .values(
            registry=bindparam("registry"),
            digest=bindparam("digest"),
            seal_id=bindparam("seal"),
            size_bytes=bindparam("size"),
            created_at=bindparam("now"),
        )
        .on_conflict_do_nothing()
        .returning(_b.id)
    )
)
_INSERT_PIECE = Statement(
    lambda insert: insert(blob_pieces).values(
        blob_id=bindparam("blob"),
        position=bindparam("position"),
        size_bytes=bindparam("size"),
        storage_key=bindparam("key"),
        wrapped_key=bindparam("wrapped_key"),
    )
)
_INSERT_LINK = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["repository_id", "digest"],
            set_={"check_after": it.excluded.check_after},
            where=_l.check_after.is_not(None),
        )
    )(
        insert(repository_blobs).values(
            repository_id=bindparam("repository"),
            digest=bindparam("digest"),
            blob_id=bindparam("blob"),
            check_after=bindparam("due"),
        )
    )
)
_LOCK_LINK = Statement(lambda _: select(_l.blob_id, _l.check_after).where(*_LINK).with_for_update())
_NAMED = Statement(
    lambda _: select(
        exists().where(manifest_blobs.c.repository_id == bindparam("repository"), manifest_blobs.c.digest == bindparam("digest"))
    )
)
_UNLINK = Statement(lambda _: delete(repository_blobs).where(*_LINK))
_DUE_LINKS = Statement(
    lambda _: (
        select(_l.repository_id, _l.digest)
        .where(_l.check_after.is_not(None), _l.check_after <= bindparam("now"))
        .order_by(_l.check_after)
        .limit(bindparam("count"))
    )
)
_SOME_LINKS = Statement(lambda _: select(_l.digest).where(_l.repository_id == bindparam("repository")).limit(bindparam("count")))
_LOCK_BLOB = Statement(lambda _: select(_b.id).where(_b.id == bindparam("blob")).with_for_update())
_LINKED = Statement(lambda _: select(exists().where(_l.blob_id == bindparam("blob"))))
_SEGMENTS = Statement(lambda _: select(_p.storage_key).where(_p.blob_id == bindparam("blob")))
_DROP_PIECES = Statement(lambda _: delete(blob_pieces).where(_p.blob_id == bindparam("blob")))
_DROP = Statement(lambda _: delete(blobs).where(_b.id == bindparam("blob")))
_RESERVE = Statement(lambda insert: insert(storage_objects).values(key=bindparam("key"), state="writing", due=bindparam("due")))
_RESERVE_AGAIN = Statement(
    lambda insert: (
        insert(storage_objects)
        .values(key=bindparam("key"), state="writing", due=bindparam("due"))
        .on_conflict_do_nothing(index_elements=["key"])
    )
)
_GO_LIVE = Statement(
    lambda _: (
        update(storage_objects).where(_o.key == bindparam("object"), _o.state == word("writing")).values(state="live", due=0)
    )
)
_DOOM = Statement(
    lambda _: (
        update(storage_objects)
        .where(_o.key == bindparam("object"), _o.state != word("doomed"))
        .values(state="doomed", due=bindparam("until"))
    )
)
_DOOM_UNUSED = Statement(
    lambda _: (
        update(storage_objects)
        .where(_o.key == bindparam("object"), _o.state == word("writing"))
        .values(state="doomed", due=bindparam("until"))
    )
)
_DOOM_ABANDONED = Statement(
    lambda _: (
        update(storage_objects)
        .where(_o.key == bindparam("object"), _o.state == word("writing"), _o.due <= bindparam("now"))
        .values(state="doomed", due=bindparam("until"))
    )
)
_EXTEND = Statement(
    lambda _: (
        update(storage_objects).where(_o.key == bindparam("object"), _o.state == word("writing")).values(due=bindparam("until"))
    )
)
_DUE_OBJECTS = Statement(
    lambda _: (
        select(_o.key, _o.state)
        .where(_o.state != word("live"), _o.due <= bindparam("now"))
        .order_by(_o.due)
        .limit(bindparam("count"))
    )
)
_FORGET = Statement(lambda _: delete(storage_objects).where(_o.key == bindparam("object"), _o.state == word("doomed")))
_HOLDERS = Statement(
    lambda _: (
        select(repositories.c.name)
        .select_from(repository_blobs)
        .join(blobs, _b.id == _l.blob_id)
        .join(repositories, repositories.c.id == _l.repository_id)
        .where(_b.registry == bindparam("registry"), _b.digest == bindparam("digest"), repositories.c.state == "live")
        .limit(bindparam("count"))
    )
)


def find(tx: ReadTransaction, repository_id: int, digest: str) -> Blob | None:
    """A blob that the repository holds, with all that is needed to read it."""
    rows = tx.all(_FIND, repository=repository_id, digest=digest)
    if not rows:
        return None
    first = rows[0]
    segments = tuple(segment(*row[7:]) for row in rows if row[8] is not None)
    return Blob(first[0], Digest(digest), first[1], seal_queries.record(*first[3:7]), first[2], segments)


def segment(size_bytes: int, key: str, wrapped_key: bytes, sealed: bytes | None) -> Segment:
    """A segment from its columns."""
    return Segment(size_bytes, key, bytes(wrapped_key), None if sealed is None else bytes(sealed))


def size_of(tx: ReadTransaction, repository_id: int, digest: str) -> tuple[int, int | None] | None:
    """Size and `check_after` of a blob that the repository holds."""
    row = tx.first(_SIZE, repository=repository_id, digest=digest)
    return (row[0], row[1]) if row else None


def links(tx: ReadTransaction, repository_id: int, digests: list[str]) -> dict[str, tuple[int | None, int]]:
    """`check_after` and size of those of `digests` that the repository holds."""
    if not digests:
        return {}
    return {row[0]: (row[1], row[2]) for row in tx.all(_LINKS, repository=repository_id, digests=digests)}


def lock_links(tx: Transaction, repository_id: int, digests: list[str]) -> set[str]:
    """Hold links, in the order of their digests; return those that are there."""
    return {row[0] for row in tx.all(_LOCK_LINKS, repository=repository_id, digests=digests)} if digests else set()


def keep_links(tx: Transaction, repository_id: int, digests: list[str]) -> set[str]:
    """Lock links that await collection and say that they are needed.

    Returns those that were still there: a collector may have been first with any of them. Another push may have kept them.
    """
    held = lock_links(tx, repository_id, digests)
    if held:
        tx.run(_SET_CHECK, repository=repository_id, digests=sorted(held), due=None)
    return held


def let_check(tx: Transaction, repository_id: int, digests: list[str], due: int | None) -> None:
    """Ask for a check, at `due`, whether anything still names these blobs; None where it is known that something does."""
    if digests:
        tx.run(_SET_CHECK, repository=repository_id, digests=digests, due=due)


def renew(tx: Transaction, repository_id: int, digest: str, due: int) -> None:
    """Put off the check of one link."""
    tx.run(_RENEW, repository=repository_id, digest=digest, due=due)


def find_same(tx: ReadTransaction, registry: int, digest: str, seal: Seal) -> int | None:
    """The registry's blob with that digest under that seal."""
    row = tx.first(_SAME, registry=registry, digest=digest, seal=seal.id)
    return int(row[0]) if row else None


def insert(tx: Transaction, registry: int, digest: str, seal: Seal, size_bytes: int, segments: Sequence[Segment]) -> int | None:
    """Add a blob and its segments, whose keys go live; None if another transaction added the same digest first."""
    row = tx.first(_INSERT, registry=registry, digest=digest, seal=seal.id, size=size_bytes, now=tx.now)
    if row is None:
        return None
    blob = int(row[0])
    for position, part in enumerate(segments):
        tx.run(
            _INSERT_PIECE,
            blob=blob,
            position=position,
            size=part.size_bytes,
            key=part.storage_key,
            wrapped_key=part.wrapped_key,
        )
    return blob


def link(tx: Transaction, repository_id: int, digest: str, blob_id: int, due: int) -> None:
    """Make a blob visible in a repository; a link that exists is only renewed."""
    tx.run(_INSERT_LINK, repository=repository_id, digest=digest, blob=blob_id, due=due)


def lock_link(tx: Transaction, repository_id: int, digest: str) -> tuple[int, int | None] | None:
    """Blob id and `check_after` of a link, holding it."""
    row = tx.first(_LOCK_LINK, repository=repository_id, digest=digest)
    return (row[0], row[1]) if row else None


def is_named(tx: ReadTransaction, repository_id: int, digest: str) -> bool:
    """Tell whether any manifest of the repository names the blob. After `lock_link` the answer stays true."""
    row = tx.first(_NAMED, repository=repository_id, digest=digest)
    return bool(row and row[0])


def unlink(tx: Transaction, repository_id: int, digest: str) -> None:
    """Make a blob invisible in a repository. `collect` then looks whether anybody else holds it."""
    tx.run(_UNLINK, repository=repository_id, digest=digest)


def due_links(tx: ReadTransaction, count: int) -> list[tuple[int, str]]:
    """Links whose check is due: (repository id, digest)."""
    return [(row[0], row[1]) for row in tx.all(_DUE_LINKS, now=tx.now, count=count)]


def some_links(tx: ReadTransaction, repository_id: int, count: int) -> list[str]:
    """At most `count` digests that a repository holds, for purging it in batches."""
    return [row[0] for row in tx.all(_SOME_LINKS, repository=repository_id, count=count)]


def collect(tx: Transaction, blob_id: int, doom_at: int) -> None:
    """Remove a blob that no repository holds, and doom its segments.

    Lock first, look second: a push that links the blob holds its row against this lock until it has committed.
    """
    if tx.first(_LOCK_BLOB, blob=blob_id) is None:
        return
    row = tx.first(_LINKED, blob=blob_id)
    if row and row[0]:
        return
    keys = [row[0] for row in tx.all(_SEGMENTS, blob=blob_id)]
    tx.run(_DROP_PIECES, blob=blob_id)
    tx.run(_DROP, blob=blob_id)
    doom(tx, keys, doom_at)


def holders(tx: ReadTransaction, registry: int, digest: str, count: int) -> list[str]:
    """Names of live repositories of a registry that hold a blob."""
    return [row[0] for row in tx.all(_HOLDERS, registry=registry, digest=digest, count=count)]


def reserve(tx: Transaction, keys: Iterable[str], due: int) -> None:
    """Write down keys before anything is stored under them; the sweep takes those that are still `writing` at `due`."""
    tx.run_many(_RESERVE, ({"key": key, "due": due} for key in keys))


def go_live(tx: Transaction, made: Segment) -> bool:
    """An reserved object is whole and durable; a small one becomes so with this transaction.

    False if the sweep was first: its bytes may be gone, so it must not be used.
    """
    if made.content is not None:
        small_objects.insert(tx, made.storage_key, made.content)
        return True
    return tx.run(_GO_LIVE, object=made.storage_key) == 1


def extend(tx: Transaction, key: str, until: int) -> bool:
    """Give a writer more time. False if the sweep was first."""
    return tx.run(_EXTEND, object=key, until=until) == 1


def doom(tx: Transaction, keys: Iterable[str], until: int) -> None:
    """Objects that nothing names any more, to be deleted from `until` on; those in the database go at once."""
    for key in small_objects.delete_all(tx, list(keys)):
        tx.run(_DOOM, object=key, until=until)


def doom_abandoned(tx: Transaction, key: str, until: int) -> bool:
    """Doom an object whose writer has not come back in time; False if it has, at the last moment."""
    return tx.run(_DOOM_ABANDONED, object=key, now=tx.now, until=until) == 1


def doom_unused(tx: Transaction, key: str, until: int) -> None:
    """Doom an object that has not gone live; one that has is left alone.

    A key that the sweep has given up and forgotten meanwhile is written down again, because bytes may lie under it.
    """
    if tx.run(_DOOM_UNUSED, object=key, until=until) == 0:
        tx.run(_RESERVE_AGAIN, key=key, due=until)


def due_objects(tx: ReadTransaction, count: int) -> list[tuple[str, str]]:
    """Objects that may be deleted now: (key, state)."""
    return [(row[0], row[1]) for row in tx.all(_DUE_OBJECTS, now=tx.now, count=count)]


def forget(tx: Transaction, key: str) -> None:
    """The bytes of a doomed object are gone: drop its row."""
    tx.run(_FORGET, object=key)
