"""Which kinds of jobs there are, who handles each, and within which limits.

A kind is known by its name alone: whoever enqueues one imports no handler, and a node that does not know a kind leaves its jobs
to those that do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from msgspec import Struct

from moorage.jobs.lease import Work
from moorage.metadata.transaction import ReadTransaction
from moorage.model.jobs import Lane

P = TypeVar("P", bound=Struct)


class Nothing(Struct, frozen=True):
    """The payload of jobs whose kind says everything."""


class GoOn(Enum):
    """What a handler returns that has stopped in the middle."""

    LATER = auto()
    """There is more to do: let others go first, then run it again. It uses up no attempt."""


class GiveUp(Exception):
    """Raised by a handler for what no further attempt can mend; the message says why. The job fails at once."""


class NotNow(Exception):
    """Raised by a handler that has to wait for something else. It uses up no attempt.

    Args:
        reason: for whoever looks at the job meanwhile.
    """

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


Handler = Callable[[Work, P], Awaitable[GoOn | None]]


@dataclass(frozen=True, slots=True)
class Kind(Generic[P]):
    """A kind of job.

    Args:
        name: as in `enqueue`; lower case, with hyphens.
        payload: what the JSON of a job is read as. One that cannot be read fails at once.
        handler: does the work. It may be run again after it had done everything but the last step, so each step may be repeated.
        attempts: runs until a job has failed for good, the one of a node that died included.
        lease_seconds: how long a node that has died, or that hangs, keeps others from it; held by beats of a third of it.
        timeout_seconds: a run that takes longer is ended, and has failed. Long work stops by itself and returns `GoOn.LATER`.
        at_once: how many of them a process runs at most.
        pause_seconds: before the second attempt; doubled before each further one up to `longest_pause_seconds`. Half is chance.
    """

    name: str
    payload: type[P]
    handler: Handler[P]
    attempts: int = 8
    lease_seconds: float = 30.0
    timeout_seconds: float = 600.0
    at_once: int = 4
    pause_seconds: float = 2.0
    longest_pause_seconds: float = 3600.0

    def pause_after(self, attempts: int, chance: float) -> float:
        """Seconds until the next attempt. `chance`: from 0 to 1, so that what fails together is not tried again together."""
        longest = min(self.longest_pause_seconds, self.pause_seconds * 2.0 ** min(attempts - 1, 60))
        return longest * (0.5 + chance / 2)


@dataclass(frozen=True, slots=True)
class Periodic:
    """A kind of which one is enqueued in each period of so many seconds, over all nodes together.

    Args:
        is_due: whether there is anything to do; only where it is, a slot is taken. None: always.
        at_start: also when a process starts, whoever has taken the slot: what a crash has left is not to wait.
    """

    kind: str
    seconds: int
    lane: Lane = Lane.SMALL
    is_due: Callable[[ReadTransaction], bool] | None = None
    at_start: bool = False


class Registry:
    """The kinds that a process runs, and which of them are periodic. Raises ValueError for a name that is taken or unknown."""

    def __init__(self, kinds: Iterable[Kind[Any]] = (), periodic: Iterable[Periodic] = ()) -> None:
        self.kinds: dict[str, Kind[Any]] = {}
        self.periodic: list[Periodic] = []
        for kind in kinds:
            self.add(kind)
        for each in periodic:
            self.add_periodic(each)

    def add(self, kind: Kind[Any]) -> None:
        """Know one more kind."""
        if kind.name in self.kinds:
            raise ValueError(f"there is a kind {kind.name} already")
        self.kinds[kind.name] = kind

    def add_periodic(self, periodic: Periodic) -> None:
        """Enqueue a kind in each period."""
        if periodic.kind not in self.kinds:
            raise ValueError(f"there is no kind {periodic.kind}")
        self.periodic.append(periodic)
