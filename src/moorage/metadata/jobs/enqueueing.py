"""Jobs are enqueued in the transaction that causes them: with it they are there, without it they never were.

A job may have a key. Of those of one kind and key at most one waits; another one that is enqueued meanwhile is the same one,
sooner if it has to be. The one that waits is found and held in one statement: it cannot be claimed before this transaction has
ended, so whoever runs it sees what this transaction has done. (Were nothing done where one waits, it might run before that, and
none after.)
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from sqlalchemy import bindparam, case

from moorage.metadata.statements import Statement
from moorage.metadata.tables.jobs import jobs
from moorage.metadata.transaction import Transaction
from moorage.metadata.types import server_now, word
from moorage.model.jobs import Lane

_j = jobs.c

_ENQUEUE = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["kind", "unique_key"],
            index_where=_j.state == word("ready"),
            set_={
                "payload": it.excluded.payload,
                "run_after": case((_j.run_after < it.excluded.run_after, _j.run_after), else_=it.excluded.run_after),
                "lane": case((_j.lane < it.excluded.lane, _j.lane), else_=it.excluded.lane),
            },
        ).returning(_j.id)
    )(
        insert(jobs).values(
            kind=bindparam("of_kind"),
            unique_key=bindparam("key"),
            lane=bindparam("in_lane"),
            payload=bindparam("content"),
            state=word("ready"),
            run_after=server_now() + bindparam("delay"),
            attempts=0,
            epoch=0,
            lease_until=0,
            is_cancelled=0,
            enqueued_at=server_now(),
        )
    )
)


class Enqueued:
    """Who is told that this process has enqueued something. One for each database, see `Memory`."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[], None]] = []

    def tell(self) -> None:
        """From any thread."""
        for listener in list(self.listeners):
            listener()


def enqueue(
    tx: Transaction,
    kind: str,
    payload: msgspec.Struct | None = None,
    *,
    unique_key: str | None = None,
    delay_seconds: float = 0.0,
    lane: Lane = Lane.SMALL,
) -> int:
    """Have a job run once this transaction is committed, at least once, on any node; return its id.

    Args:
        kind: see `moorage.jobs.job_kinds`.
        payload: of the kind's type: what is to be done, small. What may change meanwhile is looked up when it runs.
        unique_key: where one of this kind and key waits already that one is meant, with this payload, and with the sooner time
            and lane of both. One that runs is another: it may have looked before this change.
        delay_seconds: it does not run sooner.
    """
    row = tx.first(
        _ENQUEUE,
        now=tx.now,
        of_kind=kind,
        key=unique_key,
        in_lane=int(lane),
        content="{}" if payload is None else msgspec.json.encode(payload).decode(),
        delay=round(delay_seconds * 1_000_000),
    )
    tx.after_commit(tx.memory.of(Enqueued).tell)
    assert row is not None, "an upsert returns its row"
    return int(row[0])
