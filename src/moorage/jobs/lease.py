"""A job that this process runs: its lease, how far it is, and whether it should stop."""

from __future__ import annotations

from enum import Enum, auto

from moorage.metadata.jobs import claims
from moorage.metadata.jobs.records import Beat, ClaimedJob
from moorage.metadata.transaction import Transaction


class Stop(Enum):
    """Why a handler is to stop."""

    LOST = auto()
    """Somebody else has the job, or may have: nothing may be written for it."""
    CANCELLED = auto()
    """An operator does not want it any more."""
    TOO_LONG = auto()
    """It has taken longer than its kind may."""
    SHUTDOWN = auto()
    """The process ends: it is given back."""


class Work:
    """What a handler is given beside the payload. Belongs to the event loop, but for `hold`."""

    __slots__ = ("_progress", "_told", "deadline", "job", "lease_seconds", "safe_until", "stop", "wants_end")

    def __init__(self, job: ClaimedJob, lease_seconds: float, timeout_seconds: float, claimed_at: float) -> None:
        self.job = job
        self.lease_seconds = lease_seconds
        self.deadline = claimed_at + timeout_seconds
        """Monotonic: a run that is longer is ended."""
        self.safe_until = claimed_at + lease_seconds
        """Monotonic: until then nobody else can have it, counted from before the database was asked."""
        self.stop: Stop | None = None
        self.wants_end = False
        self._progress: tuple[int, int | None] | None = None
        self._told: tuple[int, int | None] | None = None

    @property
    def should_end(self) -> bool:
        """The process is about to end, or the job is to stop: a handler that works in steps takes no further one."""
        return self.wants_end or self.stop is not None

    def progress(self, done: int, total: int | None = None) -> None:
        """Tell how far it is, in units of the job's own. It is written with the next beat, so telling often costs nothing."""
        self._progress = done, total

    def hold(self, tx: Transaction) -> None:
        """The first step of a transaction that writes what the job has found: it writes nothing if the lease was lost meanwhile.

        Raises LeaseLost. The job is held until the transaction ends, so nobody can claim it before that is visible.
        """
        claims.hold(tx, self.job.id, self.job.epoch)

    def beat(self) -> Beat:
        """What is to be written to hold it longer."""
        told = self._progress if self._progress != self._told else None
        return Beat(self.job.id, self.job.epoch, round(self.lease_seconds * 1_000_000), told)

    def beaten(self, beat: Beat, asked_at: float) -> None:
        """That was written; it had been asked for at a monotonic time."""
        self.safe_until = asked_at + self.lease_seconds
        if beat.progress is not None:
            self._told = beat.progress

    def needs_beat(self, now: float) -> bool:
        """A third of the lease is over."""
        return now >= self.safe_until - self.lease_seconds * 2 / 3
