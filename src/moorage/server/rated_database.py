"""The database as requests with a rate see it: a use case that needs tokens runs again when some have been leased.

A use case asks for its token where it has found its caller to be allowed (`auth.authorize`), inside its transaction, which ends
there if this process holds none. That is no more than a use case has to bear anyway: it may be run again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

from moorage.auth.rates import TokensNeeded
from moorage.metadata.database import Database, Version
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import RateExceeded
from moorage.transfer.token_leases import TokenLeases

P = ParamSpec("P")
T = TypeVar("T")

_ROUNDS = 20
"""Leases that a use case waits for at most: each time others may have been quicker."""


class RatedDatabase(Database):
    """Another database, with leases where tokens are missing."""

    def __init__(self, database: Database, leases: TokenLeases) -> None:
        self._database, self._leases = database, leases
        self.dialect = database.dialect
        self.memory = database.memory
        self.answers_at_once = database.answers_at_once

    def lookup_at_once(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._database.lookup_at_once(function, *args, **kwargs)

    def version_at_once(self) -> Version:
        return self._database.version_at_once()

    def version_soon(self, tell: Callable[[Version | None], None]) -> None:
        self._database.version_soon(tell)

    async def lookup(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._until_admitted(lambda: self._database.lookup(function, *args, **kwargs))

    async def read(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._until_admitted(lambda: self._database.read(function, *args, **kwargs))

    async def write(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._until_admitted(lambda: self._database.write(function, *args, **kwargs))

    async def write_aside(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._until_admitted(lambda: self._database.write_aside(function, *args, **kwargs))

    async def write_lightly(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._until_admitted(lambda: self._database.write_lightly(function, *args, **kwargs))

    def run_read(self, function: Callable[Concatenate[ReadTransaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._database.run_read(function, *args, **kwargs)

    def run_write(self, function: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._database.run_write(function, *args, **kwargs)

    def ask(self, seconds: float) -> None:
        self._database.ask(seconds)

    @property
    def clock_ahead_seconds(self) -> float:
        return self._database.clock_ahead_seconds

    def close(self) -> None:
        self._database.close()

    async def _until_admitted(self, work: Callable[[], Awaitable[T]]) -> T:
        for _ in range(_ROUNDS):
            try:
                return await work()
            except TokensNeeded as needed:
                await self._leases.lease(needed)
        raise RateExceeded(1)
