"""Queries over uploads in progress and their segments."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select, update

from moorage.metadata.images.blobs import segment
from moorage.metadata.records import Segment, Upload
from moorage.metadata.statements import Statement
from moorage.metadata.tables.blobs import small_objects
from moorage.metadata.tables.uploads import upload_segments, uploads
from moorage.metadata.transaction import ReadTransaction, Transaction

_u, _s = uploads.c, upload_segments.c
_COLUMNS = (
    _u.id, _u.repository_id, _u.principal_id, _u.algorithm, _u.size_received, _u.segments, _u.smallest_inner_part, _u.last_part,
    _u.prefix_digest, _u.epoch, _u.lease_until, _u.expires_at,
)  # fmt: skip

_INSERT = Statement(
    lambda insert: insert(uploads).values(
        id=bindparam("id"),
        repository_id=bindparam("repository"),
        principal_id=bindparam("principal"),
        algorithm=bindparam("algorithm"),
        size_received=0,
        segments=0,
        epoch=0,
        lease_until=0,
        expires_at=bindparam("expires"),
    )
)
_FIND = Statement(lambda _: select(*_COLUMNS).where(_u.id == bindparam("id"), _u.repository_id == bindparam("repository")))
_LOCK = Statement(
    lambda _: select(*_COLUMNS).where(_u.id == bindparam("id"), _u.repository_id == bindparam("repository")).with_for_update()
)
_LEASE = Statement(
    lambda _: (
        update(uploads)
        .where(_u.id == bindparam("upload"), _u.epoch == bindparam("known_epoch"))
        .values(epoch=_u.epoch + 1, lease_until=bindparam("until"), expires_at=bindparam("expires"))
    )
)
_RENEW = Statement(
    lambda _: (
        update(uploads)
        .where(_u.id == bindparam("upload"), _u.epoch == bindparam("known_epoch"))
        .values(lease_until=bindparam("until"), expires_at=bindparam("expires"))
    )
)
_GROW = Statement(
    lambda _: (
        update(uploads)
        .where(_u.id == bindparam("upload"), _u.epoch == bindparam("known_epoch"), _u.size_received == bindparam("start"))
        .values(
            size_received=bindparam("size"),
            segments=_u.segments + 1,
            smallest_inner_part=bindparam("smallest"),
            last_part=bindparam("part"),
            prefix_digest=bindparam("digest"),
            lease_until=0,
            expires_at=bindparam("expires"),
        )
    )
)
_RELEASE = Statement(
    lambda _: update(uploads).where(_u.id == bindparam("upload"), _u.epoch == bindparam("known_epoch")).values(lease_until=0)
)
_RELEASE_ALL = Statement(lambda _: update(uploads).where(_u.lease_until > bindparam("now")).values(lease_until=0))
_INSERT_SEGMENT = Statement(
    lambda insert: insert(upload_segments).values(
        upload_id=bindparam("upload"),
        position=bindparam("position"),
        start=bindparam("start"),
        size_bytes=bindparam("size"),
        storage_key=bindparam("key"),
        wrapped_key=bindparam("wrapped_key"),
    )
)
_SEGMENTS = Statement(
    lambda _: (
        select(_s.size_bytes, _s.storage_key, _s.wrapped_key, small_objects.c.sealed)
        .join(small_objects, small_objects.c.key == _s.storage_key, isouter=True)
        .where(_s.upload_id == bindparam("upload"))
        .order_by(_s.position)
    )
)
_DROP_SEGMENTS = Statement(lambda _: delete(upload_segments).where(_s.upload_id == bindparam("upload")))
_DROP = Statement(lambda _: delete(uploads).where(_u.id == bindparam("upload")))
_EXPIRED = Statement(
    lambda _: (
        select(_u.id, _u.repository_id).where(_u.expires_at <= bindparam("now")).order_by(_u.expires_at).limit(bindparam("count"))
    )
)
_OF_REPOSITORY = Statement(lambda _: select(_u.id).where(_u.repository_id == bindparam("repository")).limit(bindparam("count")))


def insert(tx: Transaction, upload_id: str, repository_id: int, principal_id: str, algorithm: str, expires_at: int) -> None:
    """Start an upload."""
    tx.run(_INSERT, id=upload_id, repository=repository_id, principal=principal_id, algorithm=algorithm, expires=expires_at)


def find(tx: ReadTransaction, repository_id: int, upload_id: str) -> Upload | None:
    """An upload of this repository."""
    row = tx.first(_FIND, id=upload_id, repository=repository_id)
    return Upload(*row) if row else None


def lock(tx: Transaction, repository_id: int, upload_id: str) -> Upload | None:
    """`find`, holding the row."""
    row = tx.first(_LOCK, id=upload_id, repository=repository_id)
    return Upload(*row) if row else None


def lease(tx: Transaction, upload: Upload, until: int, expires_at: int) -> bool:
    """Take the upload for one request, raising its epoch; False if another request was first."""
    return tx.run(_LEASE, upload=upload.id, known_epoch=upload.epoch, until=until, expires=expires_at) == 1


def renew(tx: Transaction, upload_id: str, epoch: int, until: int, expires_at: int) -> bool:
    """Hold the lease longer; False if it was lost."""
    return tx.run(_RENEW, upload=upload_id, known_epoch=epoch, until=until, expires=expires_at) == 1


def release(tx: Transaction, upload_id: str, epoch: int) -> None:
    """Give the lease back without having changed anything."""
    tx.run(_RELEASE, upload=upload_id, known_epoch=epoch)


def add_segment(tx: Transaction, upload: Upload, epoch: int, part: Segment, prefix_digest: str | None, expires_at: int) -> bool:
    """Append a segment, if the upload still stands where the request began; False if another request won."""
    smallest = upload.smallest_inner_part
    if upload.last_part is not None:
        smallest = upload.last_part if smallest is None else min(smallest, upload.last_part)
    grown = tx.run(
        _GROW,
        upload=upload.id,
        known_epoch=epoch,
        start=upload.size_received,
        size=upload.size_received + part.size_bytes,
        smallest=smallest,
        part=part.size_bytes,
        digest=prefix_digest,
        expires=expires_at,
    )
    if grown == 0:
        return False
    tx.run(
        _INSERT_SEGMENT,
        upload=upload.id,
        position=upload.segments,
        start=upload.size_received,
        size=part.size_bytes,
        key=part.storage_key,
        wrapped_key=part.wrapped_key,
    )
    return True


def segments_of(tx: ReadTransaction, upload_id: str) -> tuple[Segment, ...]:
    """The segments in order."""
    return tuple(segment(*row) for row in tx.all(_SEGMENTS, upload=upload_id))


def remove(tx: Transaction, upload_id: str) -> None:
    """End an upload. What becomes of its segments' objects is the caller's to say."""
    tx.run(_DROP_SEGMENTS, upload=upload_id)
    tx.run(_DROP, upload=upload_id)


def release_all(tx: Transaction) -> None:
    """End every lease: whoever held one is known to be dead."""
    tx.run(_RELEASE_ALL, now=tx.now)


def expired(tx: ReadTransaction, count: int) -> list[tuple[str, int]]:
    """Uploads without progress for too long: (id, repository id)."""
    return [(row[0], row[1]) for row in tx.all(_EXPIRED, now=tx.now, count=count)]


def of_repository(tx: ReadTransaction, repository_id: int, count: int) -> list[str]:
    """At most `count` uploads of a repository, for purging it in batches."""
    return [row[0] for row in tx.all(_OF_REPOSITORY, repository=repository_id, count=count)]
