"""The one door to the database: functions go in, results come out, transactions never leave.

A use case is a plain function of a transaction. It cannot await, so no transaction is ever open across the network or while
bytes flow; and it may be run again after a serialisation failure, so it touches nothing but its transaction. Errors it raises
roll its transaction back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from moorage.metadata.memory import Memory
from moorage.metadata.transaction import ReadTransaction, Transaction

P = ParamSpec("P")
T = TypeVar("T")

Version = int | str
"""What the answers to pulls rest on: another one after each commit that may change one. Equal or not is all that it says."""


class DatabaseUnavailable(Exception):
    """The database does not answer; the caller may try again later."""


class DatabaseUnusable(Exception):
    """The database will not serve until somebody mends it: damaged, read-only, without rights. The message says what to do."""


class Database(ABC):
    """An opened database of either engine. Its methods belong to the event loop; `run_read` and `run_write` to other threads."""

    dialect: str
    memory: Memory
    answers_at_once: bool
    """Look-ups by key need no waiting: `lookup_at_once` may be called."""

    @abstractmethod
    def lookup_at_once(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`lookup` without a coroutine, on the event loop's thread; only where `answers_at_once`."""

    @abstractmethod
    def version_at_once(self) -> Version:
        """The version, which each commit of any process changes, but for those of `write_aside` and `write_lightly`.

        Whatever was committed before the call shows. Only where `answers_at_once`.
        """

    @abstractmethod
    def version_soon(self, tell: Callable[[Version | None], None]) -> None:
        """Ask for the version where that has to be waited for: once for all who ask at the same time, and after the last of them.

        `tell` is called on the event loop; with None if the database does not answer.
        """

    @abstractmethod
    async def lookup(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function of a few look-ups by key, each a matter of microseconds.

        On SQLite this happens on the calling thread: the hop to another one costs ten times what the look-up does. On
        PostgreSQL it is `read`.
        """

    @abstractmethod
    async def read(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that only reads: lists, anything that may take a millisecond."""

    @abstractmethod
    async def write(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a transaction of its own. When this returns, its changes survive a power cut."""

    @abstractmethod
    async def write_aside(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write` for what no answer to a pull rests on: leases, records. It survives a power cut, and the version stays."""

    @abstractmethod
    async def write_lightly(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write_aside` for what nobody has to rely on after a power cut: counts, uploads that begin.

        It is not synced to the disk before this returns. It survives the death of this
        process, and others see it as they see any commit. The next `write` syncs it as well.
        """

    @abstractmethod
    def run_read(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`read` for a thread without an event loop (command line, sweeps)."""

    @abstractmethod
    def run_write(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`write` for a thread without an event loop."""

    @abstractmethod
    def ask(self, seconds: float) -> None:
        """Make the database answer, apart from everything that waits for it. Blocks.

        Raises:
            DatabaseUnavailable: it does not within `seconds`.
        """

    @property
    def clock_ahead_seconds(self) -> float:
        """By how much this machine's clock is ahead of the database's, by which transactions go; negative: behind."""
        return 0.0

    @abstractmethod
    def close(self) -> None:
        """Finish what was accepted, refuse what comes after, let go of connections."""
