"""Queries over the copying of images to other registries: what pushes have asked for, and backfills."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, select, tuple_, update

from moorage.metadata.registry.records import Backfill, Destination, ImageReplication
from moorage.metadata.statements import Statement
from moorage.metadata.tables.settings import image_replications, replication_backfills
from moorage.metadata.transaction import ReadTransaction, Row, Transaction
from moorage.metadata.types import word

_i, _b = image_replications.c, replication_backfills.c
_COLUMNS = (_b.id, _b.region, _b.registry_id, _b.status, _b.failure_code, _b.started_at, _b.ended_at)
_HERE = _b.registry == bindparam("registry")
RUNNING = ("PREPARING", "IN_PROGRESS", "STOPPING")

_ASK = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["manifest_id", "region", "registry_id"],
            set_={"status": it.excluded.status, "failure_code": None, "updated_at": it.excluded.updated_at},
        )
    )(
        insert(image_replications).values(
            manifest_id=bindparam("manifest"),
            region=bindparam("region"),
            registry_id=bindparam("registry_id"),
            status="IN_PROGRESS",
            updated_at=bindparam("now"),
        )
    )
)
_OF_IMAGE = Statement(
    lambda _: (
        select(_i.region, _i.registry_id, _i.status, _i.failure_code)
        .where(_i.manifest_id == bindparam("manifest"))
        .order_by(_i.region, _i.registry_id)
    )
)
_FIND = Statement(lambda _: select(*_COLUMNS).where(_HERE, _b.id == bindparam("backfill")))
_PAGE = Statement(
    lambda _: (
        select(*_COLUMNS)
        .where(_HERE, tuple_(_b.started_at, _b.id) < tuple_(bindparam("before"), bindparam("before_id")))
        .order_by(_b.started_at.desc(), _b.id.desc())
        .limit(bindparam("count"))
    )
)
_RUNNING = Statement(
    lambda _: select(*_COLUMNS).where(_HERE, _b.status.in_([word(status) for status in RUNNING]), _b.ended_at.is_(None))
)
_INSERT = Statement(
    lambda insert: insert(replication_backfills).values(
        id=bindparam("id"),
        registry=bindparam("registry"),
        region=bindparam("region"),
        registry_id=bindparam("registry_id"),
        status=bindparam("status"),
        started_at=bindparam("now"),
    )
)
_END = Statement(
    lambda _: (
        update(replication_backfills)
        .where(_b.id == bindparam("backfill"))
        .values(status=bindparam("new_status"), failure_code=bindparam("failure"), ended_at=bindparam("now"))
    )
)


def ask(tx: Transaction, manifest_id: int, destinations: Iterable[Destination]) -> None:
    """Write down that an image is to be copied. What was copied before is copied again: it has another tag now."""
    rows = ({"region": each.region, "registry_id": each.registry_id} for each in destinations)
    tx.run_many(_ASK, ({"manifest": manifest_id, "now": tx.now, **row} for row in rows))


def of_image(tx: ReadTransaction, manifest_id: int) -> list[ImageReplication]:
    """How the copying of an image stands, by destination."""
    rows = tx.all(_OF_IMAGE, manifest=manifest_id)
    return [ImageReplication(Destination(row[0], row[1]), row[2], row[3]) for row in rows]


def _backfill(row: Row) -> Backfill:
    return Backfill(row[0], Destination(row[1], row[2]), *row[3:])


def find_backfill(tx: ReadTransaction, registry: int, backfill_id: str) -> Backfill | None:
    """A backfill of a registry."""
    row = tx.first(_FIND, registry=registry, backfill=backfill_id)
    return _backfill(row) if row else None


def list_backfills(tx: ReadTransaction, registry: int, before: tuple[int, str], count: int) -> list[Backfill]:
    """At most `count` backfills that come after `before` (started_at, id), newest first."""
    rows = tx.all(_PAGE, registry=registry, before=before[0], before_id=before[1], count=count)
    return [_backfill(row) for row in rows]


def running_backfills(tx: ReadTransaction, registry: int) -> list[Backfill]:
    """Those that have not ended."""
    return [_backfill(row) for row in tx.all(_RUNNING, registry=registry)]


def insert_backfill(tx: Transaction, registry: int, backfill: Backfill) -> None:
    """Add one that begins now."""
    tx.run(
        _INSERT,
        id=backfill.id,
        registry=registry,
        region=backfill.destination.region,
        registry_id=backfill.destination.registry_id,
        status=backfill.status,
        now=tx.now,
    )


def end_backfill(tx: Transaction, backfill_id: str, status: str, failure_code: str | None = None) -> None:
    """End one now."""
    tx.run(_END, backfill=backfill_id, new_status=status, failure=failure_code, now=tx.now)
