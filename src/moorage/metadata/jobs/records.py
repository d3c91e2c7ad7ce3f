"""What queries over jobs return."""

from __future__ import annotations

from msgspec import Struct

from moorage.model.jobs import JobState, Lane


class ClaimedJob(Struct, frozen=True, gc=False):
    """A job that this process may run until `lease_seconds` after it was claimed, or longer if it extends that."""

    id: int
    epoch: int
    """The fencing token: whoever ends the lease names it."""
    kind: str
    unique_key: str | None
    lane: Lane
    payload: str
    """JSON."""
    attempts: int
    """This one included."""


class Waiting(Struct, frozen=True, gc=False):
    """Jobs of one kind in one lane."""

    kind: str
    lane: Lane
    due_in: int
    """Microseconds until the first may run; 0 or less: it may now."""


class Outlook(Struct, frozen=True):
    """What there is to do, and when there will be more."""

    waiting: tuple[Waiting, ...]
    lease_ends_in: int | None
    """Microseconds until the first lease runs out, of any node; None: nothing is leased."""


class LostLease(Struct, frozen=True, gc=False):
    """A job whose lease has run out."""

    id: int
    epoch: int
    kind: str
    unique_key: str | None
    attempts: int
    is_cancelled: bool
    leased_by: str


class Beat(Struct, frozen=True, gc=False):
    """A lease that is to be extended.

    Args:
        progress: (done, total) if the job has told anything; a total of None is not known.
    """

    id: int
    epoch: int
    lease_micros: int
    progress: tuple[int, int | None] | None = None


class JobRow(Struct, frozen=True, gc=False):
    """A job as operators see it. Times are microseconds."""

    id: int
    kind: str
    unique_key: str | None
    lane: Lane
    payload: str
    state: JobState
    run_after: int
    attempts: int
    lease_until: int
    leased_by: str | None
    is_cancelled: bool
    last_error: str | None
    enqueued_at: int
    begun_at: int | None
    failed_at: int | None
    done: int | None
    total: int | None
    done_before: int | None
    told_first_at: int | None
    told_at: int | None

    @property
    def rate(self) -> float | None:
        """What the present run does in a second; None: it has not told twice."""
        if self.done is None or self.done_before is None or self.told_at is None or self.told_first_at is None:
            return None
        seconds = (self.told_at - self.told_first_at) / 1_000_000
        return (self.done - self.done_before) / seconds if seconds > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """What is left, at that rate; None: not known."""
        rate = self.rate
        if self.total is None or self.done is None or not rate or rate < 0:
            return None
        return max(0, self.total - self.done) / rate
