"""One transaction of a runner: what has ended is written, leases that ran out are ended, and what is due is claimed.

All three in one, since on SQLite each commit costs more than what is in it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from moorage.jobs.job_kinds import Kind
from moorage.jobs.slots import Running, left_of, room_of, shares
from moorage.metadata.jobs import claims
from moorage.metadata.jobs.records import ClaimedJob, LostLease, Outlook
from moorage.metadata.transaction import Transaction
from moorage.model.jobs import Lane

_LOST_AT_ONCE = 100


class Outcome(Enum):
    """How a run has ended."""

    DONE = auto()
    GO_ON = auto()
    """It stopped in the middle, and something was done."""
    NOT_NOW = auto()
    """Something that it needs is away."""
    FAILED = auto()
    GIVEN_UP = auto()
    """No attempt will mend it."""
    CANCELLED = auto()
    RELEASED = auto()
    """The process ends."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended, to be written down.

    Args:
        pause_seconds: of NOT_NOW: until the next run.
    """

    job: ClaimedJob
    outcome: Outcome
    error: str = ""
    pause_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a process may claim."""

    node: str
    slots: int
    running: Running
    """Without those that have ended."""
    kinds: Mapping[str, Kind[Any]]
    turns: Mapping[str, int]


@dataclass(slots=True)
class Turned:
    """What came of a turn.

    Args:
        lost: ids of those that have ended, but belonged to somebody else by then.
        failed: jobs that have failed for good, and why.
        next_due_in: seconds until more may be due; None: nothing that anybody knows of, or there is no room for it.
    """

    claimed: list[ClaimedJob] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    failed: list[tuple[ClaimedJob | LostLease, str]] = field(default_factory=list)
    next_due_in: float | None = None


def turn(tx: Transaction, ended: Sequence[Ended], wanted: Wanted) -> Turned:
    """Do all three."""
    turned = Turned()
    done = [each.job for each in ended if each.outcome is Outcome.DONE]
    held = claims.finish(tx, done)
    turned.lost += [job.id for job in done if job.id not in held]
    for each in ended:
        if each.outcome is not Outcome.DONE and not _settle(tx, each, wanted.kinds, turned):
            turned.lost.append(each.job.id)
    outlook = claims.outlook(tx)
    if outlook.lease_ends_in is not None and outlook.lease_ends_in <= 0:
        for lost in claims.lost(tx, _LOST_AT_ONCE):
            _end_lost(tx, lost, wanted.kinds, turned)
        outlook = claims.outlook(tx)
    _claim(tx, wanted, outlook, turned)
    return turned


def next_due_in(outlook: Outlook, wanted: Wanted) -> float | None:
    """Seconds until there is something that this process may claim beside what it runs, or a lease that has run out; 0: now.

    None: nothing that anybody knows of.
    """
    at_once = {name: kind.at_once for name, kind in wanted.kinds.items()}
    times = [] if outlook.lease_ends_in is None else [outlook.lease_ends_in]
    for lane in Lane:
        if room_of(lane, wanted.slots, wanted.running):
            known = (each for each in outlook.waiting if each.lane is lane and each.kind in at_once)
            times += [each.due_in for each in known if left_of(each.kind, wanted.running, at_once) > 0]
    return max(0.0, min(times) / 1_000_000) if times else None


def _settle(tx: Transaction, ended: Ended, kinds: Mapping[str, Kind[Any]], turned: Turned) -> bool:
    job = ended.job
    if ended.outcome is Outcome.CANCELLED:
        return claims.drop(tx, job)
    if ended.outcome is Outcome.GO_ON:
        return claims.give_back(tx, job, attempts=0, delay_seconds=0.0, error=None)
    if ended.outcome is Outcome.RELEASED:
        return claims.give_back(tx, job, attempts=job.attempts - 1, delay_seconds=0.0, error=None)
    if ended.outcome is Outcome.NOT_NOW:
        return claims.give_back(tx, job, attempts=job.attempts - 1, delay_seconds=ended.pause_seconds, error=ended.error)
    return _fail(tx, job, kinds.get(job.kind), ended.error, turned, is_final=ended.outcome is Outcome.GIVEN_UP)


def _fail(
    tx: Transaction, job: ClaimedJob | LostLease, kind: Kind[Any] | None, error: str, turned: Turned, *, is_final: bool = False
) -> bool:
    if is_final or (kind is not None and job.attempts >= kind.attempts):
        turned.failed.append((job, error))
        return claims.fail(tx, job, error)
    pause = kind.pause_after(job.attempts, random.random()) if kind is not None else 1.0  # noqa: S311  # jitter, no secret
    return claims.give_back(tx, job, attempts=job.attempts, delay_seconds=pause, error=error)


def _end_lost(tx: Transaction, lost: LostLease, kinds: Mapping[str, Kind[Any]], turned: Turned) -> None:
    if lost.is_cancelled:
        claims.drop(tx, lost)
    else:
        _fail(tx, lost, kinds.get(lost.kind), f"its lease ran out: {lost.leased_by or 'a node'} died or hung", turned)


def _claim(tx: Transaction, wanted: Wanted, outlook: Outlook, turned: Turned) -> None:
    running, turns = Running(wanted.running), dict(wanted.turns)
    at_once = {name: kind.at_once for name, kind in wanted.kinds.items()}
    for lane in Lane:
        due = {each.kind for each in outlook.waiting if each.lane is lane and each.due_in <= 0 and each.kind in at_once}
        while plan := shares(lane, due, wanted.slots, running, at_once, turns):
            for name, count in plan.items():
                got = claims.claim(tx, name, lane, count, wanted.kinds[name].lease_seconds, wanted.node)
                turned.claimed += got
                running[name, lane] += len(got)
                if len(got) < count:
                    due.discard(name)
    if running.total() < wanted.slots:
        turned.next_due_in = next_due_in(claims.outlook(tx), replace(wanted, running=running))
