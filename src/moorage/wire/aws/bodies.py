"""Request bodies: read up to a limit, by bytes that arrive and never by what a header promises."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from moorage.transfer.handover import ClientLeft
from moorage.wire.aws.faults import BodyStalled, BodyTooLarge, Overloaded

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MIB = 1 << 20
DEFAULT_LIMIT = MIB
LIMITS = {
    # 20,971,520 bytes as base64 are 27,962,028 characters.
    "UploadLayerPart": 30 * MIB,
    # A manifest has up to 4 MiB, and twice that when each of its characters is escaped.
    "PutImage": 8 * MIB + MIB // 2,
}
"""Bytes of a request body by operation."""

UNKNOWN_LIMIT = 160 * 1024
"""Bytes of the body of a request that names no key: the longest is the assertion of AssumeRoleWithSAML."""

STALL_SECONDS = 30.0
LEAST_PER_SECOND = 8 * 1024
"""Bytes: whoever sends slower, from the first byte on, is late."""
_FREE = 64 * 1024
"""Up to this size a body takes no room: each connection has that much anyhow."""
_MOST_WAITING, _MOST_OF_ONE = 512, 32
"""Bodies that wait for room; and of one owner."""
_DRAIN_LIMIT = 32 * MIB


class BodyBudget:
    """Bounds what bodies may cost: the memory that they take together, and how long anybody waits for the next bytes.

    Room is given whole or not at all, so nobody waits half-served. Nobody may hold more than is still free for others: an owner
    alone gets half, and of a thousand who come for the first time each has a place as long as there is one.
    """

    def __init__(
        self,
        total_bytes: int = 256 * MIB,
        wait_seconds: float = 20.0,
        stall_seconds: float = STALL_SECONDS,
        least_per_second: int = LEAST_PER_SECOND,
    ) -> None:
        self.stall_seconds, self.least_per_second = stall_seconds, least_per_second
        self._total = total_bytes
        self._free = total_bytes
        self._held: Counter[str] = Counter()
        self._wait_seconds = wait_seconds
        self._waiting: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    async def take(self, size: int, owners: Sequence[str] = ()) -> int:
        """Wait for room for `size` bytes and return how many were taken.

        Args:
            owners: in whose names: the address that sends, the key that signs.

        Raises:
            Overloaded: no room came free in time, or too many wait already.
        """
        wanted = min(size, self._total)
        if self._waiting.total() >= 2 * _MOST_WAITING or any(self._waiting[owner] >= _MOST_OF_ONE for owner in owners):
            raise Overloaded("Rate exceeded")
        for owner in owners:
            self._waiting[owner] += 1
        try:
            async with asyncio.timeout(self._wait_seconds), self._changed:
                await self._changed.wait_for(lambda: self._has_room(wanted, owners))
                self._free -= wanted
                self._held.update(dict.fromkeys(owners, wanted))
        except TimeoutError:
            raise Overloaded("Rate exceeded") from None
        finally:
            _take_off(self._waiting, 1, owners)
        return wanted

    async def give_back(self, size: int, owners: Sequence[str] = ()) -> None:
        """Return what `take` returned."""
        async with self._changed:
            self._free += size
            _take_off(self._held, size, owners)
            self._changed.notify_all()

    def _has_room(self, wanted: int, owners: Sequence[str]) -> bool:
        left = self._free - wanted
        return left >= 0 and all(not self._held[owner] or self._held[owner] + wanted <= left for owner in owners)


def _take_off(counts: Counter[str], count: int, owners: Sequence[str]) -> None:
    """Nobody is kept who has nothing: names come from outside."""
    for owner in owners:
        counts[owner] -= count
        if counts[owner] <= 0:
            del counts[owner]


class RequestBody:
    """The body of one request: read once, or thrown away. `close` must be awaited when its memory is free again.

    Args:
        source: the address that it comes from.
    """

    def __init__(self, receive: Receive, budget: BodyBudget, source: str = "") -> None:
        self._receive = receive
        self._budget = budget
        self.owners: tuple[str, ...] = (f"from {source}",) if source else ()
        """Who pays for it: whoever finds out more about the request adds to it."""
        self._taken = 0
        self._paying: tuple[str, ...] = ()
        self._seen = 0
        self.is_finished = False

    async def read(self, limit: int, stated_size: int | None) -> bytes | bytearray:
        """The whole body.

        Raises:
            BodyTooLarge: it is longer than `limit`; what follows is left unread.
            BodyStalled: nothing came for the budget's `stall_seconds`, or all of it too slowly.
            Overloaded: too many large bodies at once.
            ClientLeft: the connection broke.
        """
        if stated_size is not None and stated_size > limit:
            raise BodyTooLarge(f"Request body exceeds {limit} bytes")
        first = b""
        whole: bytearray | None = None
        loop = asyncio.get_running_loop()
        begun, stall = loop.time(), self._budget.stall_seconds
        try:
            async with asyncio.timeout(stall) as deadline:
                while not self.is_finished:
                    chunk = await self._next()
                    if self._seen > limit:
                        raise BodyTooLarge(f"Request body exceeds {limit} bytes")
                    if whole is not None:
                        whole += chunk
                    elif not first:
                        first = chunk
                    else:
                        whole = bytearray(first) + chunk
                    if self._seen > _FREE and not self._taken:
                        deadline.reschedule(None)
                        before = loop.time()
                        await self._pay(max(stated_size or limit, self._seen))
                        begun += loop.time() - before  # that was not the client's time
                    if not self.is_finished:
                        due = begun + stall + self._seen / self._budget.least_per_second
                        deadline.reschedule(min(loop.time() + stall, due))
        except TimeoutError:
            raise BodyStalled("The request body did not arrive in time") from None
        return first if whole is None else whole

    async def _pay(self, size: int) -> None:
        self._paying = self.owners
        self._taken = await self._budget.take(size, self._paying)

    async def drain(self) -> bool:
        """Throw away what has not been read, so that the client hears the answer; False: it is too much, close the connection."""
        try:
            async with asyncio.timeout(self._budget.stall_seconds):
                while not self.is_finished:
                    if self._seen > _DRAIN_LIMIT:
                        return False
                    await self._next()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Give the memory back. Idempotent."""
        if self._taken:
            taken, self._taken = self._taken, 0
            await self._budget.give_back(taken, self._paying)

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        chunk: bytes = message.get("body", b"")
        self._seen += len(chunk)
        self.is_finished = not message.get("more_body", False)
        return chunk
