"""Who runs a job: claims, leases and their ends.

A claim raises the job's epoch and gives a lease. Whoever ends that lease names id and epoch, and hits no row if it was lost, so a
node that was away for too long changes nothing. All times are the database's (`types.server_now`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Integer, bindparam, case, delete, exists, func, literal_column, select, update
from sqlalchemy.sql.elements import ColumnElement

from moorage.metadata.jobs.kinds import kinds_in
from moorage.metadata.jobs.records import Beat, ClaimedJob, LostLease, Outlook, Waiting
from moorage.metadata.statements import Statement, planned_anew
from moorage.metadata.tables.jobs import jobs
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among, server_now, word
from moorage.model.jobs import Lane, LeaseLost

_j = jobs.c
_other = jobs.alias("other")
_READY, _LEASED, _FAILED = word("ready"), word("leased"), word("failed")
_ERROR_CHARACTERS = 1000


def _is_mine() -> tuple[ColumnElement[bool], ...]:
    return _j.id == bindparam("job"), _j.epoch == bindparam("known_epoch"), _j.state == _LEASED


def _outlook() -> Statement:
    """Of each kind that waits: how long it is until the first is due, in each lane; and a last row without a kind.

    In each row: how long it is until the first lease runs out. One statement, since every runner asks it again and again.
    """
    kinds = kinds_in(_READY)
    soonest = {
        lane: select(func.min(_j.run_after))
        .where(_j.state == _READY, _j.lane == literal_column(str(int(lane)), Integer()), _j.kind == kinds.c.kind)
        .scalar_subquery()
        for lane in Lane
    }
    columns = [(due - server_now()).label(f"lane_{int(lane)}") for lane, due in soonest.items()]
    ends = select(func.min(_other.c.lease_until)).where(_other.c.state == _LEASED).scalar_subquery()
    return planned_anew(lambda _: select(kinds.c.kind, (ends - server_now()).label("ends"), *columns))


_OUTLOOK = _outlook()


def _claim() -> Statement:
    runs = exists().where(_other.c.state == _LEASED, _other.c.kind == _j.kind, _other.c.unique_key == _j.unique_key)
    # Chosen apart and once: as a subquery of the UPDATE, PostgreSQL may choose again for each row, and take more than was asked.
    chosen = (
        select(_j.id)
        .where(
            _j.state == _READY,
            _j.lane == bindparam("in_lane"),
            _j.kind == bindparam("of_kind"),
            _j.run_after <= server_now(),
            ~runs,
        )
        .order_by(_j.run_after, _j.id)
        .limit(bindparam("count"))
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    claimed = (
        update(jobs)
        .where(_j.id.in_(select(chosen.c.id)), _j.state == _READY)
        .values(
            state=_LEASED,
            attempts=_j.attempts + 1,
            epoch=_j.epoch + 1,
            lease_until=server_now() + bindparam("micros"),
            leased_by=bindparam("node"),
            begun_at=server_now(),
            is_cancelled=0,
            done_before=None,
            told_first_at=None,
            told_at=None,
        )
        .returning(_j.id, _j.epoch, _j.kind, _j.unique_key, _j.lane, _j.payload, _j.attempts, _j.run_after)
    )
    return planned_anew(lambda _: claimed)


_CLAIM = _claim()
_HOLD = planned_anew(lambda _: select(_j.id, _j.is_cancelled).where(*_is_mine()).with_for_update())
_BEAT = planned_anew(
    lambda _: update(jobs).where(*_is_mine()).values(lease_until=server_now() + bindparam("micros")).returning(_j.is_cancelled)
)
_TELL = planned_anew(
    lambda _: (
        update(jobs)
        .where(*_is_mine())
        .values(
            done=bindparam("is_done"),
            total=bindparam("of"),
            told_at=server_now(),
            done_before=case((_j.told_first_at.is_(None), bindparam("is_done")), else_=_j.done_before),
            told_first_at=case((_j.told_first_at.is_(None), server_now()), else_=_j.told_first_at),
        )
    )
)
_FINISH = planned_anew(lambda _: delete(jobs).where(*_is_mine()))
_FINISH_ALL = planned_anew(
    lambda _: (
        delete(jobs)
        .where(among(_j.id, "jobs", "bigint"), _j.epoch == bindparam("known_epoch"), _j.state == _LEASED)
        .returning(_j.id)
    )
)
_DROP_FAILED_ALL = planned_anew(
    lambda _: delete(jobs).where(_j.state == _FAILED, _j.kind == bindparam("of_kind"), among(_j.unique_key, "keys"))
)
_DROP_FAILED = planned_anew(
    lambda _: delete(jobs).where(_j.state == _FAILED, _j.kind == bindparam("of_kind"), _j.unique_key == bindparam("key"))
)
_MERGE = planned_anew(
    lambda _: (
        update(jobs)
        .where(_j.state == _READY, _j.kind == bindparam("of_kind"), _j.unique_key == bindparam("key"))
        .values(
            attempts=case((_j.attempts < bindparam("used"), bindparam("used")), else_=_j.attempts),
            last_error=func.coalesce(bindparam("error"), _j.last_error),
            run_after=case(
                (_j.run_after < server_now() + bindparam("delay"), server_now() + bindparam("delay")), else_=_j.run_after
            ),
        )
    )
)
_GIVE_BACK = planned_anew(
    lambda _: (
        update(jobs)
        .where(*_is_mine())
        .values(
            state=_READY,
            attempts=bindparam("used"),
            run_after=server_now() + bindparam("delay"),
            lease_until=0,
            leased_by=None,
            last_error=func.coalesce(bindparam("error"), _j.last_error),
        )
    )
)
_FAIL = planned_anew(
    lambda _: (
        update(jobs)
        .where(*_is_mine())
        .values(state=_FAILED, lease_until=0, last_error=bindparam("error"), failed_at=server_now(), attempts=bindparam("used"))
    )
)
_LOST = planned_anew(
    lambda _: (
        select(_j.id, _j.epoch, _j.kind, _j.unique_key, _j.attempts, _j.is_cancelled, _j.leased_by)
        .where(_j.state == _LEASED, _j.lease_until <= server_now())
        .order_by(_j.lease_until)
        .limit(bindparam("count"))
        .with_for_update(skip_locked=True)
    )
)
_END_ALL = planned_anew(lambda _: update(jobs).where(_j.state == _LEASED).values(lease_until=0))


def outlook(tx: ReadTransaction) -> Outlook:
    """What there is to do. A few steps in indexes, however many jobs there are."""
    rows = tx.all(_OUTLOOK, now=tx.now)
    waiting = [
        Waiting(row[0], lane, row[2 + place])
        for row in rows
        for place, lane in enumerate(Lane)
        if row[0] is not None and row[2 + place] is not None
    ]
    return Outlook(tuple(waiting), rows[0][1])


def claim(tx: Transaction, kind: str, lane: Lane, count: int, lease_seconds: float, node: str) -> list[ClaimedJob]:
    """Take at most `count` jobs that are due, the longest due first, and hold them for `lease_seconds`.

    One whose key runs already waits for that to end. Jobs that other nodes claim at this moment are passed over.
    """
    parameters = {"of_kind": kind, "in_lane": int(lane), "count": count, "micros": _micros(lease_seconds), "node": node}
    rows = sorted(tx.all(_CLAIM, now=tx.now, **parameters), key=lambda row: (row[7], row[0]))
    return [ClaimedJob(row[0], row[1], row[2], row[3], Lane(row[4]), row[5], row[6]) for row in rows]


def hold(tx: Transaction, job_id: int, epoch: int) -> None:
    """Make sure that a job is still held, and keep it so until this transaction ends. Raises LeaseLost."""
    if tx.first(_HOLD, job=job_id, known_epoch=epoch) is None:
        raise LeaseLost(f"job {job_id} is not held any more")


def extend(tx: Transaction, beats: Iterable[Beat]) -> dict[int, bool]:
    """Hold jobs longer, and write down how far they are. By id: whether it was cancelled; those that were lost are not in it."""
    held: dict[int, bool] = {}
    for beat in beats:
        row = tx.first(_BEAT, now=tx.now, job=beat.id, known_epoch=beat.epoch, micros=beat.lease_micros)
        if row is None:
            continue
        held[beat.id] = bool(row[0])
        if beat.progress is not None:
            done, total = beat.progress
            tx.run(_TELL, now=tx.now, job=beat.id, known_epoch=beat.epoch, is_done=done, of=total)
    return held


def finish(tx: Transaction, done: Sequence[ClaimedJob]) -> set[int]:
    """Jobs are done: their rows go, and those of their keys that had failed, whose work is done as well.

    Returns the ids of those that were held: the others were lost.
    """
    held: set[int] = set()
    # The epoch belongs to the id, so those of one epoch go together: mostly that is all of them.
    for epoch in sorted({job.epoch for job in done}):
        ids = sorted(job.id for job in done if job.epoch == epoch)
        held.update(row[0] for row in tx.all(_FINISH_ALL, jobs=ids, known_epoch=epoch))
    keyed = [job for job in done if job.id in held and job.unique_key is not None]
    for kind in sorted({job.kind for job in keyed}):
        tx.run(_DROP_FAILED_ALL, of_kind=kind, keys=sorted(str(job.unique_key) for job in keyed if job.kind == kind))
    return held


def drop(tx: Transaction, job: ClaimedJob | LostLease) -> bool:
    """A job that was cancelled: its row goes. False: it was lost."""
    return tx.run(_FINISH, job=job.id, known_epoch=job.epoch) == 1


def give_back(tx: Transaction, job: ClaimedJob | LostLease, *, attempts: int, delay_seconds: float, error: str | None) -> bool:
    """Have a job wait again; one that was cancelled meanwhile goes. False: it was lost.

    Args:
        attempts: how many it has used up.
        error: what went wrong, for operators; None: nothing new.
    """
    held = tx.first(_HOLD, job=job.id, known_epoch=job.epoch)
    if held is None:
        return False
    words = {"used": attempts, "delay": _micros(delay_seconds), "error": _shortened(error)}
    # Another one of its key, enqueued meanwhile, does this one's work too: no sooner, and with no more attempts.
    if held[1] or (job.unique_key is not None and tx.run(_MERGE, now=tx.now, of_kind=job.kind, key=job.unique_key, **words)):
        return drop(tx, job)
    return tx.run(_GIVE_BACK, now=tx.now, job=job.id, known_epoch=job.epoch, **words) == 1


def fail(tx: Transaction, job: ClaimedJob | LostLease, error: str) -> bool:
    """A job has used up its attempts: it stays to be seen, in the place of one of its key that had failed; one that was cancelled
    goes. False: it was lost."""
    held = tx.first(_HOLD, job=job.id, known_epoch=job.epoch)
    if held is None:
        return False
    if held[1]:
        return drop(tx, job)
    if job.unique_key is not None:
        tx.run(_DROP_FAILED, of_kind=job.kind, key=job.unique_key)
    return tx.run(_FAIL, now=tx.now, job=job.id, known_epoch=job.epoch, error=_shortened(error), used=job.attempts) == 1


def lost(tx: Transaction, count: int) -> list[LostLease]:
    """At most `count` jobs whose lease has run out, held until this transaction ends."""
    rows = tx.all(_LOST, now=tx.now, count=count)
    return [LostLease(row[0], row[1], row[2], row[3], row[4], bool(row[5]), row[6] or "") for row in rows]


def end_all_leases(tx: Transaction) -> int:
    """End every lease: whoever held one is known to be dead. Returns how many there were."""
    return tx.run(_END_ALL)


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _shortened(text: str | None) -> str | None:
    """What a database takes, whatever an error says: neither NUL nor halves of characters, which names of files may have."""
    return None if text is None else text.encode("utf-8", "replace").decode().replace("\0", "")[:_ERROR_CHARACTERS]
