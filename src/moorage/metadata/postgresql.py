"""PostgreSQL through psycopg 3: a few connections, worked by as many threads.

Reads run in autocommit: at READ COMMITTED every statement sees its own snapshot anyway, so a transaction around them would
only add round trips. No session has a state of its own (settings are local to a transaction), so a pooler may stand between.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar, cast

import psycopg

from moorage.metadata import answers
from moorage.metadata.connections import ConnectionLost, Connections, OnlyReads, PgConnection
from moorage.metadata.database import Database, DatabaseUnavailable, Version
from moorage.metadata.faults import READ_ONLY
from moorage.metadata.memory import Memory
from moorage.metadata.server_clock import ServerClock
from moorage.metadata.shared_reads import SharedReads
from moorage.metadata.transaction import Connection, Overtaken, ReadTransaction, Transaction
from moorage.model.clock import Clock, system_clock
from moorage.model.errors import StorageFull

P = ParamSpec("P")
T = TypeVar("T")

CONNECTIONS = 8
TIMEOUT_SECONDS = 5.0
_ATTEMPTS = 10
"""Runs of a function that lost a race for a lock or a serialisation."""


class _CommitLost(Exception):
    """The connection ended while it committed: nobody knows whether the commit happened."""


class _Kind(NamedTuple):
    """What is sent beside BEGIN, and what ends the transaction, in one message each."""

    begin: str
    commit: str


_FULL = _Kind("", f"{answers.RAISE}; COMMIT")
_ASIDE = _Kind("", "COMMIT")
_LIGHT = _Kind("; SET LOCAL synchronous_commit = off", "COMMIT")


class PostgresDatabase(Database):
    """A PostgreSQL database, shared by any number of nodes.

    Args:
        connections: most of them; one more asks whether the server lives.
        timeout_seconds: how long a request waits for a server that is away or hangs, and for somebody else's lock.
        machine_clock: what is compared with the server's clock (see `server_clock`).
    """

    dialect = "postgresql"
    answers_at_once = False

    def __init__(
        self,
        url: str,
        clock: Clock,
        connections: int = CONNECTIONS,
        timeout_seconds: float = TIMEOUT_SECONDS,
        *,
        machine_clock: Clock = system_clock,
    ) -> None:
        self.memory = Memory()
        self._seconds = timeout_seconds
        self._clock = ServerClock(clock, machine_clock)
        self._connections = Connections(url, connections, timeout_seconds, self._clock)
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="sql")
        self._begin = f"BEGIN; SET LOCAL lock_timeout = {round(timeout_seconds * 1000)}"
        self._versions = SharedReads(lambda: self.read(answers.version))

    def lookup_at_once(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        raise AssertionError("a look-up on PostgreSQL waits for the network")

    def version_at_once(self) -> Version:
        raise AssertionError("a look-up on PostgreSQL waits for the network")

    def version_soon(self, tell: Callable[[Version | None], None]) -> None:
        self._versions.then(tell)

    async def lookup(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.read(function, *args, **kwargs)

    async def read(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._in_thread(partial(self._read, lambda tx: function(tx, *args, **kwargs)))

    async def write(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._in_thread(partial(self._write, _FULL, lambda tx: function(tx, *args, **kwargs)))

    async def write_aside(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._in_thread(partial(self._write, _ASIDE, lambda tx: function(tx, *args, **kwargs)))

    async def write_lightly(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._in_thread(partial(self._write, _LIGHT, lambda tx: function(tx, *args, **kwargs)))

    def run_read(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._attempt(self._until(), partial(self._read, lambda tx: function(tx, *args, **kwargs)))

    def run_write(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._attempt(self._until(), partial(self._write, _FULL, lambda tx: function(tx, *args, **kwargs)))

    def ask(self, seconds: float) -> None:
        self._connections.ask(seconds)

    @property
    def clock_ahead_seconds(self) -> float:
        return self._clock.ahead_seconds

    def close(self) -> None:
        self._threads.shutdown()
        self._connections.close()

    def _until(self) -> float:
        return time.monotonic() + self._seconds

    async def _in_thread(self, run: Callable[[PgConnection], T]) -> T:
        """Its time begins now: what waits behind others that hang is not to wait longer than they do."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._attempt, self._until(), run)

    def _transaction(self, kind: type[Any], connection: PgConnection) -> Any:
        return kind(cast(Connection, connection), "postgresql", self._clock.now(), self.memory)

    def _read(self, function: Callable[[ReadTransaction], T], connection: PgConnection) -> T:
        return function(self._transaction(ReadTransaction, connection))

    def _write(self, kind: _Kind, function: Callable[[Transaction], T], connection: PgConnection) -> T:
        connection.execute(f"{self._begin}{kind.begin}".encode(), prepare=False)
        tx: Transaction = self._transaction(Transaction, connection)
        try:
            result = function(tx)
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                connection.execute("ROLLBACK", prepare=False)
            raise
        try:
            done = connection.execute(kind.commit.encode(), prepare=False)
            while done.nextset():
                pass
        except psycopg.OperationalError as error:
            if connection.closed:
                raise _CommitLost(str(error).strip().partition("\n")[0]) from error
            with contextlib.suppress(psycopg.Error):
                connection.execute("ROLLBACK", prepare=False)
            raise
        assert done.statusmessage == "COMMIT", "a transaction that had failed was not given up"
        for hint in tx.hints or ():
            hint()
        return result

    def _attempt(self, until: float, run: Callable[[PgConnection], T]) -> T:
        if time.monotonic() >= until:  # it has waited for a thread
            if self._connections.is_away:
                raise DatabaseUnavailable("the database does not answer")
            until = self._until()
        attempt = 0
        while True:
            try:
                with self._connections.use(until) as connection:
                    return run(connection)
            except ConnectionLost as lost:
                # It was idle while the server was restarted, or the server went during the work: nothing has been committed.
                # Or it takes no writes: after a failover the name may lead to a standby for a while.
                if time.monotonic() >= until:
                    said = READ_ONLY if isinstance(lost, OnlyReads) else f"the database does not answer: {lost}"
                    raise DatabaseUnavailable(said) from None
                time.sleep(random.uniform(0.0, lost.pause_seconds))  # noqa: S311  # jitter, no secret
            except _CommitLost as lost:
                raise DatabaseUnavailable(f"the database went away while it wrote, and may have written: {lost}") from None
            except (
                Overtaken,
                psycopg.errors.SerializationFailure,
                psycopg.errors.DeadlockDetected,
                psycopg.errors.ForeignKeyViolation,  # what was found was deleted meanwhile: look again
                psycopg.errors.UniqueViolation,  # what was missing was added meanwhile: look again
            ):
                attempt += 1
                if attempt == _ATTEMPTS:
                    raise DatabaseUnavailable("the database is too busy with conflicting changes") from None
                time.sleep(random.uniform(0.002, 0.01) * attempt)  # noqa: S311  # jitter, no secret
            except psycopg.errors.DiskFull:
                raise StorageFull("the disk that holds the database is full") from None
            except psycopg.errors.LockNotAvailable:
                raise DatabaseUnavailable("the database is busy: somebody else holds what is to be changed") from None
            except psycopg.OperationalError as error:
                raise DatabaseUnavailable(f"the database does not answer: {error}") from None
