"""What operators see of jobs and do to them, and what the metrics count."""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, case, delete, func, select, update
from sqlalchemy.sql.elements import ColumnElement

from moorage.metadata.jobs.claims import outlook
from moorage.metadata.jobs.enqueueing import Enqueued
from moorage.metadata.jobs.kinds import kinds_in
from moorage.metadata.jobs.records import JobRow
from moorage.metadata.statements import Statement, planned_anew
from moorage.metadata.tables.jobs import jobs
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import server_now, word
from moorage.model.jobs import MOST_COUNTED, OVERDUE_SECONDS, JobState, KindLoad

_j = jobs.c
_READY, _LEASED, _FAILED = word("ready"), word("leased"), word("failed")
_COLUMNS = (
    _j.id, _j.kind, _j.unique_key, _j.lane, _j.payload, _j.state, _j.run_after, _j.attempts, _j.lease_until, _j.leased_by,
    _j.is_cancelled, _j.last_error, _j.enqueued_at, _j.begun_at, _j.failed_at, _j.done, _j.total, _j.done_before,
    _j.told_first_at, _j.told_at,
)  # fmt: skip


def _list(*conditions: ColumnElement[bool]) -> Statement:
    return planned_anew(
        lambda _: select(*_COLUMNS).where(_j.id > bindparam("after"), *conditions).order_by(_j.id).limit(bindparam("count"))
    )


_OF_KIND, _IN_STATE = _j.kind == bindparam("of_kind"), _j.state == bindparam("in_state")
_LIST = {(): _list(), ("kind",): _list(_OF_KIND), ("state",): _list(_IN_STATE), ("kind", "state"): _list(_OF_KIND, _IN_STATE)}
"""By what the list is narrowed to."""
_GET = planned_anew(lambda _: select(*_COLUMNS).where(_j.id == bindparam("job")))
_LOCK = planned_anew(lambda _: select(*_COLUMNS).where(_j.id == bindparam("job")).with_for_update())
_HURRY = planned_anew(
    lambda _: (
        update(jobs)
        .where(_j.state == _READY, _j.kind == bindparam("of_kind"), _j.unique_key == bindparam("key"))
        .values(run_after=case((_j.run_after > server_now(), server_now()), else_=_j.run_after))
    )
)
_RETRY = planned_anew(
    lambda _: (
        update(jobs)
        .where(_j.id == bindparam("job"), _j.state != _LEASED)
        .values(
            state=_READY,
            attempts=case((_j.state == _FAILED, 0), else_=_j.attempts),
            run_after=server_now(),
            failed_at=None,
            leased_by=None,
        )
    )
)
_DROP = planned_anew(lambda _: delete(jobs).where(_j.id == bindparam("job"), _j.state != _LEASED))
_CANCEL = planned_anew(lambda _: update(jobs).where(_j.id == bindparam("job"), _j.state == _LEASED).values(is_cancelled=1))
_COUNT_DUE = planned_anew(
    lambda _: select(func.count()).select_from(
        select(_j.id)
        .where(
            _j.state == _READY,
            _j.lane == bindparam("in_lane"),
            _j.kind == bindparam("of_kind"),
            _j.run_after <= server_now() - OVERDUE_SECONDS * 1_000_000,
        )
        .limit(MOST_COUNTED)
        .subquery()
    )
)
_COUNT_FAILED = planned_anew(
    lambda _: select(func.count()).select_from(
        select(_j.id).where(_j.state == _FAILED, _j.kind == bindparam("of_kind")).limit(MOST_COUNTED).subquery()
    )
)
_FAILED_KINDS = planned_anew(lambda _: (lambda kinds: select(kinds.c.kind).where(kinds.c.kind.is_not(None)))(kinds_in(_FAILED)))
_OLD_FAILURE = planned_anew(
    lambda _: select(_j.id).where(_j.state == _FAILED, _j.failed_at < server_now() - bindparam("age")).limit(1)
)
_FORGET = planned_anew(lambda _: delete(jobs).where(_j.state == _FAILED, _j.failed_at < server_now() - bindparam("age")))


def list_page(
    tx: ReadTransaction, *, kind: str | None = None, state: JobState | None = None, after: int = 0, count: int = 100
) -> list[JobRow]:
    """Jobs in the order of their ids, from the first above `after`."""
    narrowed = tuple(name for name, value in (("kind", kind), ("state", state)) if value is not None)
    words = {"of_kind": kind, "in_state": None if state is None else str(state)}
    rows = tx.all(_LIST[narrowed], **words, after=after, count=count)
    return [_row(*row) for row in rows]


def find(tx: ReadTransaction, job_id: int) -> JobRow | None:
    """A job; None: there is none of that id any more, or never was."""
    row = tx.first(_GET, job=job_id)
    return None if row is None else _row(*row)


def retry(tx: Transaction, job_id: int) -> JobState | None:
    """Have a job run now, a failed one with all of its attempts; one whose key waits already is merged into that.

    Returns:
        The state that it was in: of a leased one nothing is changed. None: there is no such job.
    """
    row = tx.first(_LOCK, job=job_id)
    if row is None:
        return None
    job = _row(*row)
    if job.state is JobState.LEASED:
        return job.state
    is_merged = (
        job.state is JobState.FAILED
        and job.unique_key is not None
        and tx.run(_HURRY, now=tx.now, of_kind=job.kind, key=job.unique_key) == 1
    )
    if is_merged:
        tx.run(_DROP, job=job_id)
    else:
        tx.run(_RETRY, now=tx.now, job=job_id)
    tx.after_commit(tx.memory.of(Enqueued).tell)
    return job.state


def cancel(tx: Transaction, job_id: int) -> JobState | None:
    """Remove a job that waits or has failed; tell one that runs to stop, which it does within its next beats.

    Returns:
        The state that it was in; None: there is no such job.
    """
    row = tx.first(_LOCK, job=job_id)
    if row is None:
        return None
    if tx.run(_DROP, job=job_id) == 0:
        tx.run(_CANCEL, job=job_id)
    return _row(*row).state


def loads(tx: ReadTransaction) -> list[KindLoad]:
    """What waits and what has failed, of each kind of which there is any."""
    oldest: dict[str, int] = {}
    overdue: dict[str, int] = {}
    for waiting in outlook(tx).waiting:
        kind = waiting.kind
        oldest[kind] = max(oldest.get(kind, 0), -waiting.due_in)
        overdue.setdefault(kind, 0)
        if -waiting.due_in > OVERDUE_SECONDS * 1_000_000:
            overdue[kind] += _counted(tx, _COUNT_DUE, of_kind=kind, in_lane=int(waiting.lane))
    failed = {row[0]: _counted(tx, _COUNT_FAILED, of_kind=row[0]) for row in tx.all(_FAILED_KINDS)}
    return [
        KindLoad(kind, overdue.get(kind, 0), oldest.get(kind, 0) / 1_000_000, failed.get(kind, 0))
        for kind in sorted({*oldest, *failed})
    ]


def forget_failed(tx: Transaction, seconds: int) -> int:
    """Remove jobs that failed longer ago than that; return how many."""
    return tx.run(_FORGET, now=tx.now, age=seconds * 1_000_000)


def has_old_failures(tx: ReadTransaction, seconds: int) -> bool:
    """Whether `forget_failed` would remove any."""
    return tx.first(_OLD_FAILURE, now=tx.now, age=seconds * 1_000_000) is not None


def _counted(tx: ReadTransaction, statement: Statement, **words: object) -> int:
    row = tx.first(statement, now=tx.now, **words)
    assert row is not None, "a count has a row"
    return int(row[0])


def _row(*columns: object) -> JobRow:
    return msgspec.convert(dict(zip(JobRow.__struct_fields__, columns, strict=True)), JobRow, strict=False)
