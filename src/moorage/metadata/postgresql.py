"""PostgreSQL through psycopg 3: a pool of connections, worked by a pool of threads of the same size.

Reads run in autocommit: at READ COMMITTED every statement sees its own snapshot anyway, so a transaction around them would
only add round trips.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from moorage.metadata.database import Database, DatabaseUnavailable
from moorage.metadata.memory import Memory
from moorage.metadata.transaction import Connection, ReadTransaction, Transaction
from moorage.model.clock import Clock, to_micros
from moorage.model.errors import StorageFull

P = ParamSpec("P")
T = TypeVar("T")

_ATTEMPTS = 5
"""Runs of a function that lost a race for a lock or a serialisation."""


class PostgresDatabase(Database):
    """A PostgreSQL database, shared by any number of nodes."""

    dialect = "postgresql"
    answers_at_once = False

    def __init__(self, url: str, clock: Clock, connections: int = 8) -> None:
        self._clock = clock
        self.memory = Memory()
        self._pool: ConnectionPool[psycopg.Connection[tuple[Any, ...]]] = ConnectionPool(
            url,
            min_size=1,
            max_size=connections,
            timeout=10,
            kwargs={"autocommit": True, "prepare_threshold": 2},
            configure=_configure,
            check=None,
            open=True,
        )
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="sql")

    def lookup_at_once(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        raise AssertionError("a look-up on PostgreSQL waits for the network")

    def version_at_once(self) -> int:
        raise AssertionError("a look-up on PostgreSQL waits for the network")

    async def lookup(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.read(function, *args, **kwargs)

    async def read(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(self.run_read, function, *args, **kwargs))

    async def write(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(self.run_write, function, *args, **kwargs))

    async def write_lightly(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def run(connection: psycopg.Connection[tuple[Any, ...]]) -> T:
            with connection.transaction():
                connection.execute("SET LOCAL synchronous_commit TO OFF")
                return function(self._transaction(Transaction, connection), *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(self._attempt, run))

    def run_read(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._attempt(
            lambda connection: function(self._transaction(ReadTransaction, connection), *args, **kwargs), is_read=True
        )

    def run_write(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def run(connection: psycopg.Connection[tuple[Any, ...]]) -> T:
            with connection.transaction():
                return function(self._transaction(Transaction, connection), *args, **kwargs)

        return self._attempt(run)

    def _transaction(self, kind: type[Any], connection: psycopg.Connection[tuple[Any, ...]]) -> Any:
        return kind(cast(Connection, connection), "postgresql", to_micros(self._clock()), self.memory)

    def _attempt(self, run: Callable[[psycopg.Connection[tuple[Any, ...]]], T], *, is_read: bool = False) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._pool.connection() as connection:
                    return run(connection)
            except (
                psycopg.errors.SerializationFailure,
                psycopg.errors.DeadlockDetected,
                psycopg.errors.ForeignKeyViolation,  # what was found was deleted meanwhile: look again
                psycopg.errors.UniqueViolation,  # what was missing was added meanwhile: look again
            ):
                if attempt == _ATTEMPTS:
                    raise DatabaseUnavailable("the database is too busy with conflicting changes") from None
                time.sleep(random.uniform(0.002, 0.01) * attempt)  # noqa: S311  # jitter, no secret
            except psycopg.errors.DiskFull:
                raise StorageFull("the disk that holds the database is full") from None
            except (psycopg.OperationalError, PoolTimeout) as error:
                # A connection may have died while it was idle (the server was restarted): a read goes again on another one.
                # A write does not, since a COMMIT whose answer was lost may have happened.
                if is_read and attempt == 1 and not isinstance(error, PoolTimeout):
                    continue
                raise DatabaseUnavailable(f"the database does not answer: {error}") from None
        raise AssertionError("unreachable")

    def close(self) -> None:
        self._threads.shutdown()
        self._pool.close()


def _configure(connection: psycopg.Connection[tuple[Any, ...]]) -> None:
    connection.execute("SET lock_timeout = '20s'")
