"""Words of the job queue: lanes, states, and what a queue of a kind looks like from outside."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Lane(IntEnum):
    """Which jobs go first. Neither lane can take all of a node: see `moorage.jobs.slots`."""

    SMALL = 0
    """Somebody waits for it, and it is soon done."""
    BULK = 1
    """Long, or one of very many."""


class JobState(StrEnum):
    """Where a job stands. A job that is done, or that was cancelled, has no row any more.

    ::

        (none)  --enqueue-->                         ready
        ready   --claim-->                           leased
        leased  --done-->                            (none)
        leased  --fails, attempts are left-->        ready, after a pause
        leased  --fails, none are left-->            failed
        leased  --given back, goes on later-->       ready
        leased  --its lease runs out-->              as if it had failed
        ready, failed  --cancel-->                   (none)
        leased  --cancel-->                          leased and told, then (none)
        failed  --retry-->                           ready, with all of its attempts

    A job that becomes ready while another one of its key waits is merged into that one.
    """

    READY = "ready"
    LEASED = "leased"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class KindLoad:
    """What of a kind waits and what has failed.

    Args:
        overdue: jobs that could have begun more than `OVERDUE_SECONDS` ago; counted up to `MOST_COUNTED`.
        oldest_due_seconds: since when the oldest job that may run has been waiting; 0: none is.
        failed: jobs that have used up their attempts; counted up to `MOST_COUNTED`.
    """

    kind: str
    overdue: int
    oldest_due_seconds: float
    failed: int


OVERDUE_SECONDS = 60
MOST_COUNTED = 10_000
"""Counting more would make the cost of looking depend on how bad things are."""


class LeaseLost(Exception):
    """A job belongs to somebody else by now, or to nobody: what was to be written for it must not be."""
