"""Leases of tokens from the database, one at a time for each bucket, however many requests wait for it.

A database without room takes no leases, and pulls are to go on: until there is room, each process has a bucket of its own.
"""

from __future__ import annotations

import asyncio

from moorage.auth.rates import HeldTokens, TokensNeeded
from moorage.metadata.database import Database
from moorage.model.clock import Clock, to_micros
from moorage.model.errors import RateExceeded, StorageFull
from moorage.model.token_bucket import Rate, take, wait_micros
from moorage.operations.usage.rates import lease_tokens

_ROUNDS = 20
_REMEMBERED = 65_536


class TokenLeases:
    """Belongs to the event loop; what it leases is spent by any thread."""

    def __init__(self, db: Database, held: HeldTokens, clock: Clock) -> None:
        self._db, self._held, self._clock = db, held, clock
        self._own: dict[str, int] = {}
        self._running: dict[str, _Lease] = {}

    async def take(self, bucket: str, rate: Rate) -> None:
        """Take a token of a bucket that no transaction asks for. Raises RateExceeded."""
        for _ in range(_ROUNDS):
            try:
                self._held.spend(bucket, rate)
                return
            except TokensNeeded as needed:
                await self.lease(needed)
        raise RateExceeded(1)

    async def lease(self, needed: TokensNeeded) -> None:
        """Come back when this process has asked the bucket. Whether there is a token for everybody is seen when it is spent."""
        running = self._running.get(needed.bucket)
        if running is None or running.has_begun:
            running = self._running[needed.bucket] = _Lease(running)
            running.task = asyncio.ensure_future(self._lease(running, needed.bucket, needed.rate))
            running.task.add_done_callback(_seen)
        running.waiting += 1
        assert running.task is not None
        await asyncio.shield(running.task)  # who leaves does not take along what others wait for

    async def _lease(self, lease: _Lease, bucket: str, rate: Rate) -> None:
        try:
            if lease.before is not None and lease.before.task is not None:
                await asyncio.wait([lease.before.task])
                if self._held.has_answer(bucket, lease.waiting):
                    return
            await asyncio.sleep(0)  # so that those who come in this turn of the loop share it
            lease.has_begun, lease.before = True, None
            wanted, returned = self._held.ask(bucket, rate, lease.waiting)
            try:
                tokens, wait = await self._db.write_lightly(lease_tokens, bucket, rate, wanted, returned)
                self._own.clear()
            except StorageFull:
                tokens, wait = self._without_room(bucket, rate, wanted, returned)
            self._held.put(bucket, rate, tokens, wait)
        finally:
            if self._running.get(bucket) is lease:
                del self._running[bucket]

    def _without_room(self, bucket: str, rate: Rate, wanted: int, returned: int) -> tuple[int, int]:
        if len(self._own) >= _REMEMBERED:
            self._own.clear()
        now = to_micros(self._clock())
        full_at, tokens = take(self._own.get(bucket, now), rate, now, wanted, returned)
        self._own[bucket] = full_at
        return tokens, 0 if tokens == wanted else wait_micros(full_at, rate, now)


class _Lease:
    """One that runs, or waits for the one `before` it."""

    __slots__ = ("before", "has_begun", "task", "waiting")

    def __init__(self, before: _Lease | None) -> None:
        self.before = before
        self.has_begun = False
        self.task: asyncio.Future[None] | None = None
        self.waiting = 0


def _seen(task: asyncio.Future[None]) -> None:
    """Somebody has looked at the outcome, also when all who waited have left."""
    if not task.cancelled():
        task.exception()
