"""Queries of ``fsck``: everything there is, in bounded pages, in the order of keys."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, exists, func, select

from moorage.metadata.images.blobs import segment
from moorage.metadata.images.small_objects import present
from moorage.metadata.records import Payload, Segment
from moorage.metadata.registry import seals as seal_queries
from moorage.metadata.statements import Statement
from moorage.metadata.tables.blobs import blob_pieces, blobs, repository_blobs, small_objects, storage_objects
from moorage.metadata.tables.images import (
    manifest_blobs,
    manifest_children,
    manifest_payloads,
    manifests,
    repositories,
    tags,
)
from moorage.metadata.tables.registries import registries, seals
from moorage.metadata.tables.uploads import upload_segments
from moorage.metadata.transaction import ReadTransaction
from moorage.metadata.types import among
from moorage.model.seal import Seal

_BLOBS = Statement(
    lambda _: (
        select(blobs.c.id, blobs.c.digest, blobs.c.size_bytes, *seal_queries.COLUMNS)
        .join(seals, seals.c.id == blobs.c.seal_id)
        .where(blobs.c.id > bindparam("after"))
        .order_by(blobs.c.id)
        .limit(bindparam("count"))
    )
)
_SEGMENTS = Statement(
    lambda _: (
        select(blob_pieces.c.size_bytes, blob_pieces.c.storage_key, blob_pieces.c.wrapped_key, small_objects.c.sealed)
        .join(small_objects, small_objects.c.key == blob_pieces.c.storage_key, isouter=True)
        .where(blob_pieces.c.blob_id == bindparam("blob"))
        .order_by(blob_pieces.c.position)
    )
)
_OBJECTS = Statement(lambda _: select(storage_objects.c.key, storage_objects.c.state).where(among(storage_objects.c.key, "keys")))
_MANIFESTS = Statement(
    lambda _: (
        select(
            manifests.c.id,
            manifests.c.repository_id,
            manifests.c.digest,
            repositories.c.name,
            registries.c.registry_id,
            registries.c.region,
            manifest_payloads.c.sealed,
            manifest_payloads.c.wrapped_key,
            *seal_queries.COLUMNS,
        )
        .join(repositories, repositories.c.id == manifests.c.repository_id)
        .join(registries, registries.c.id == repositories.c.registry)
        .join(seals, seals.c.id == repositories.c.seal_id)
        .outerjoin(manifest_payloads, manifest_payloads.c.manifest_id == manifests.c.id)
        .where(manifests.c.id > bindparam("after"), repositories.c.state == "live")
        .order_by(manifests.c.id)
        .limit(bindparam("count"))
    )
)
_MISSING_BLOBS = Statement(
    lambda _: select(manifest_blobs.c.digest).where(
        manifest_blobs.c.manifest_id == bindparam("manifest"),
        ~exists().where(
            repository_blobs.c.repository_id == manifest_blobs.c.repository_id,
            repository_blobs.c.digest == manifest_blobs.c.digest,
        ),
    )
)
_MISSING_CHILDREN = Statement(
    lambda _: select(manifest_children.c.digest).where(
        manifest_children.c.parent_id == bindparam("manifest"),
        ~exists().where(
            manifests.c.repository_id == manifest_children.c.repository_id, manifests.c.digest == manifest_children.c.digest
        ),
    )
)
_UNUSED_LIVE = Statement(
    lambda _: (
        select(storage_objects.c.key)
        .where(
            storage_objects.c.state == "live",
            ~exists().where(blob_pieces.c.storage_key == storage_objects.c.key),
            ~exists().where(upload_segments.c.storage_key == storage_objects.c.key),
        )
        .order_by(storage_objects.c.key)
        .limit(bindparam("count"))
    )
)
_UNUSED_SMALL = Statement(
    lambda _: (
        select(small_objects.c.key)
        .where(
            ~exists().where(blob_pieces.c.storage_key == small_objects.c.key),
            ~exists().where(upload_segments.c.storage_key == small_objects.c.key),
        )
        .order_by(small_objects.c.key)
        .limit(bindparam("count"))
    )
)
_STRAY_TAGS = Statement(
    lambda _: (
        select(func.count())
        .select_from(tags)
        .join(manifests, manifests.c.id == tags.c.manifest_id)
        .where(manifests.c.repository_id != tags.c.repository_id)
    )
)


@dataclass(frozen=True, slots=True)
class InspectedBlob:
    """A blob with all that is needed to read it."""

    id: int
    digest: str
    size_bytes: int
    seal: Seal
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class InspectedManifest:
    """A manifest with its sealed bytes (None: the row is missing) and what it names in vain."""

    id: int
    repository_id: int
    digest: str
    place: str
    seal: Seal
    payload: Payload | None
    missing: tuple[str, ...]


def blobs_after(tx: ReadTransaction, after: int, count: int) -> list[InspectedBlob]:
    """The next blobs by id."""
    found = []
    for row in tx.all(_BLOBS, after=after, count=count):
        segments = tuple(segment(*columns) for columns in tx.all(_SEGMENTS, blob=row[0]))
        found.append(InspectedBlob(row[0], row[1], row[2], seal_queries.record(*row[3:]), segments))
    return found


def manifests_after(tx: ReadTransaction, after: int, count: int) -> list[InspectedManifest]:
    """The next manifests of live repositories by id."""
    found = []
    for row in tx.all(_MANIFESTS, after=after, count=count):
        missing = [item[0] for statement in (_MISSING_BLOBS, _MISSING_CHILDREN) for item in tx.all(statement, manifest=row[0])]
        found.append(
            InspectedManifest(
                id=row[0],
                repository_id=row[1],
                digest=row[2],
                place=f"{row[4]}/{row[5]}/{row[3]}",
                seal=seal_queries.record(*row[8:]),
                payload=Payload(bytes(row[6]), bytes(row[7])) if row[6] is not None else None,
                missing=tuple(missing),
            )
        )
    return found


def object_states(tx: ReadTransaction, keys: list[str]) -> dict[str, str]:
    """The states of those of `keys` that the database knows."""
    if not keys:
        return {}
    states = {row[0]: row[1] for row in tx.all(_OBJECTS, keys=keys)}
    return states | dict.fromkeys(present(tx, keys), "live")


def unused_live_objects(tx: ReadTransaction, count: int) -> list[str]:
    """Objects that count as live although nothing is made of them."""
    return [row[0] for statement in (_UNUSED_LIVE, _UNUSED_SMALL) for row in tx.all(statement, count=count)]


def count_stray_tags(tx: ReadTransaction) -> int:
    """Tags that point into another repository."""
    row = tx.first(_STRAY_TAGS)
    assert row is not None
    return int(row[0])
