"""SQLite: one writer thread with shared commits, readers that never wait for it.

WAL with synchronous=FULL: a commit is on disk when it is acknowledged. The writer takes all functions that wait and runs
each in a savepoint of one transaction, so that they share one fsync and still stand or fall alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from moorage.metadata import sqlite_file
from moorage.metadata.database import Database, DatabaseUnavailable, DatabaseUnusable, Version
from moorage.metadata.memory import Memory
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.clock import Clock, to_micros
from moorage.model.errors import StorageFull

P = ParamSpec("P")
T = TypeVar("T")

_BATCH = 64
"""Functions that share a commit at most: bounds how long the first one waits for the others."""
_WRITABLE = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")
_PRAGMAS = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=15000",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-8192",
)
_VERSION = "PRAGMA user_version"
"""The number in the file's header that SQLite leaves to applications; all processes that write the file raise it."""
_NEARBY_KIB = 24_576
"""Pages that the connection of the event loop keeps at most: pulls go by it, so what many of them touch is to fit."""


class SqliteDatabase(Database):
    """A database file. Several processes may open it; writers then take turns.

    Args:
        may_write: False for a file that cannot be written: `run_write` and its like are then refused with DatabaseUnusable.
    """

    dialect = "sqlite"
    answers_at_once = True

    def __init__(self, path: Path, clock: Clock, *, may_write: bool = True) -> None:
        self._path = path
        self._clock = clock
        self._may_write = may_write
        if may_write:
            _create_private(path)
        self._nearby = self._connect(readonly=True)
        self._nearby.execute(f"PRAGMA cache_size=-{_NEARBY_KIB}")
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = [self._nearby]
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="sql")
        self.memory = Memory()
        self._writer = _Writer(self._connect(readonly=False), clock, self.memory) if may_write else None

    def _connect(self, *, readonly: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(
            sqlite_file.address(self._path), uri=True, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        for pragma in (*_WRITABLE, *_PRAGMAS) if self._may_write else _PRAGMAS:
            connection.execute(pragma)
        if readonly:
            connection.execute("PRAGMA query_only=ON")
        return connection

    def lookup_at_once(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._read_on(self._nearby, function, args, kwargs)

    def version_at_once(self) -> Version:
        try:
            version: int = self._nearby.execute(_VERSION).fetchone()[0]
        except sqlite3.Error as error:
            raise translate(error) from error
        return version

    def version_soon(self, tell: Callable[[Version | None], None]) -> None:
        tell(self.version_at_once())

    async def lookup(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._read_on(self._nearby, function, args, kwargs)

    async def read(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, partial(self.run_read, function, *args, **kwargs))

    async def write(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._one_writer().run(lambda tx: function(tx, *args, **kwargs))

    async def write_aside(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._one_writer().run(lambda tx: function(tx, *args, **kwargs), Commit.ASIDE)

    async def write_lightly(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._one_writer().run(lambda tx: function(tx, *args, **kwargs), Commit.LIGHT)

    def run_read(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect(readonly=True)
            self._opened.append(connection)
        return self._read_on(connection, function, args, kwargs)

    def run_write(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._one_writer().run_here(lambda tx: function(tx, *args, **kwargs))

    def _one_writer(self) -> _Writer:
        if self._writer is None:
            raise DatabaseUnusable(
                f"{self._path} cannot be written: its file system is read-only, or its files are somebody else's"
            )
        return self._writer

    def _read_on(
        self, connection: sqlite3.Connection, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> T:
        connection.execute("BEGIN")  # one snapshot for all statements of the function
        try:
            return function(ReadTransaction(connection, "sqlite", to_micros(self._clock()), self.memory), *args, **kwargs)
        except sqlite3.Error as error:
            raise translate(error) from error
        finally:
            connection.execute("ROLLBACK")

    def ask(self, seconds: float) -> None:
        try:
            with contextlib.closing(sqlite3.connect(self._path, timeout=seconds)) as connection:
                connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.Error as error:
            raise DatabaseUnavailable(f"the database does not answer: {error}") from error

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._readers.shutdown()
        for connection in self._opened:
            connection.close()


class Commit(Enum):
    """What a commit is for: see `Database.write`, `write_aside` and `write_lightly`."""

    FULL = auto()
    ASIDE = auto()
    LIGHT = auto()


@dataclass(frozen=True, slots=True)
class _Pending:
    """A function that waits for the writer. `loop` is that of its future; None: whoever waits is a thread."""

    function: Callable[[Transaction], Any]
    future: asyncio.Future[Any] | Future[Any]
    loop: asyncio.AbstractEventLoop | None
    commit: Commit


_Outcome = tuple[_Pending, Any, BaseException | None]


class _Writer:
    """The thread that owns the writing connection."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock, memory: Memory) -> None:
        self._connection = connection
        self._memory = memory
        self._clock = clock
        self._queue: queue.SimpleQueue[_Pending | None] = queue.SimpleQueue()
        self._syncs = True
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="sql-writer", daemon=True)
        self._thread.start()

    async def run(self, function: Callable[[Transaction], T], commit: Commit = Commit.FULL) -> T:
        """Have a function run; its outcome comes with its commit. Raises what it raises, and DatabaseUnavailable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._submit(_Pending(function, future, loop, commit))
        return await future

    def run_here(self, function: Callable[[Transaction], T]) -> T:
        """`run` for a thread that may wait."""
        future: Future[T] = Future()
        self._submit(_Pending(function, future, None, Commit.FULL))
        return future.result()

    def _submit(self, pending: _Pending) -> None:
        if self._closing:
            raise DatabaseUnavailable("the server is shutting down")
        self._queue.put(pending)

    def close(self) -> None:
        self._closing = True
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            batch = [first]
            last = False
            with contextlib.suppress(queue.Empty):
                while len(batch) < _BATCH:
                    item = self._queue.get_nowait()
                    if item is None:
                        last = True
                        break
                    batch.append(item)
            self._commit_together(batch)
            if last:
                return

    def _commit_together(self, batch: list[_Pending]) -> None:
        outcomes: list[_Outcome] = []
        hints: list[Callable[[], None]] = []
        try:
            commits = {pending.commit for pending in batch}
            self._sync_commits(commits != {Commit.LIGHT})
            self._connection.execute("BEGIN IMMEDIATE")
            for pending in batch:
                outcomes.append((pending, *self._run_one(pending.function, hints)))
            if Commit.FULL in commits:
                self._raise_version()
            self._connection.execute("COMMIT")
        except BaseException as error:  # whatever it is, nobody may be told that the commit happened
            self._roll_back()
            failure = translate(error) if isinstance(error, sqlite3.Error) else error
            outcomes = [(pending, None, failure) for pending in batch]
            hints = []
        for hint in hints:
            hint()
        for loop in {pending.loop for pending in batch}:
            waiting = [outcome for outcome in outcomes if outcome[0].loop is loop]
            if loop is None:
                _tell(waiting)
            else:
                with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(_tell, waiting)  # once for all: waking a loop costs more than most functions

    def _raise_version(self) -> None:
        """Within the transaction, so that whoever sees its changes sees another version, and nobody sees it before."""
        (version,) = self._connection.execute(_VERSION).fetchone()
        self._connection.execute(f"{_VERSION}={(version + 1) & 0x7FFFFFFF}")

    def _sync_commits(self, wanted: bool) -> None:
        """Have commits wait for the disk, or not. After a power cut an unsynced commit is whole or absent, never torn."""
        if wanted != self._syncs:
            self._connection.execute(f"PRAGMA synchronous={'FULL' if wanted else 'NORMAL'}")
            self._syncs = wanted

    def _run_one(
        self, function: Callable[[Transaction], Any], hints: list[Callable[[], None]]
    ) -> tuple[Any, BaseException | None]:
        """Run one function in a savepoint. An error of its own ends it alone; one that ended the whole transaction is raised."""
        self._connection.execute("SAVEPOINT one")
        tx = Transaction(self._connection, "sqlite", to_micros(self._clock()), self._memory)
        try:
            result = function(tx)
        except BaseException as error:  # handed to whoever waits for this function
            if not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO one")
            self._connection.execute("RELEASE one")
            return None, translate(error) if isinstance(error, sqlite3.Error) else error
        self._connection.execute("RELEASE one")
        if tx.hints is not None:
            hints += [hint for hint in tx.hints if hint not in hints]
        return result, None

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")


def _tell(outcomes: list[_Outcome]) -> None:
    for pending, result, error in outcomes:
        if pending.future.done():
            continue  # whoever waited was cancelled
        if error is not None:
            pending.future.set_exception(error)
        else:
            pending.future.set_result(result)


def translate(error: sqlite3.Error) -> Exception:
    """The domain's word for an error of the engine; the error itself where the domain has none."""
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL:
        return StorageFull("the disk that holds the database is full")
    if code is not None and code & 0xFF == sqlite3.SQLITE_IOERR:
        return DatabaseUnavailable(f"the database's disk fails: {error}")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseUnavailable("the database is busy")
    return error


def _create_private(path: Path) -> None:
    """The file is made with mode 0600 before SQLite, which would follow the umask, can make it."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
