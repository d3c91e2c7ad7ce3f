"""Periodic jobs: time is cut into slots of the period's length, and each slot is taken once, by whichever node comes first.

The slot is computed by the database in the statement that takes it. One row for each kind has the slot that was taken last. A
clock that was set back leaves a slot of the future there: one further ahead than the next is nobody's, and is taken back.
"""

from __future__ import annotations

from sqlalchemy import bindparam, or_, select

from moorage.metadata.statements import Statement
from moorage.metadata.tables.jobs import job_schedule
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import server_now

_s = job_schedule.c
_TAKE = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["kind"],
            set_={"slot": it.excluded.slot},
            where=or_(_s.slot < it.excluded.slot, _s.slot > it.excluded.slot + 1),
        )
    )(insert(job_schedule).values(kind=bindparam("of_kind"), slot=server_now().op("/")(bindparam("period"))))
)
_AGE = Statement(lambda _: select(server_now().op("/")(bindparam("period")) - _s.slot).where(_s.kind == bindparam("of_kind")))


def take_slot(tx: Transaction, kind: str, period_seconds: int) -> bool:
    """Take the present slot of a kind; False: somebody has."""
    return tx.run(_TAKE, now=tx.now, of_kind=kind, period=period_seconds * 1_000_000) == 1


def is_slot_free(tx: ReadTransaction, kind: str, period_seconds: int) -> bool:
    """Whether `take_slot` would take it at this moment."""
    row = tx.first(_AGE, now=tx.now, of_kind=kind, period=period_seconds * 1_000_000)
    return row is None or row[0] > 0 or row[0] < -1
