"""Request bodies: read up to a limit, by bytes that arrive and never by what a header promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from moorage.wire.aws.faults import BodyStalled, BodyTooLarge, ClientGone, Overloaded

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

STALL_SECONDS = 30.0
_SMALL = MIB
_DRAIN_LIMIT = 32 * MIB


class BodyBudget:
    """Bounds what bodies may cost: the memory that large ones take together, and how long anybody waits for the next bytes.

    Room is given whole or not at all, so nobody waits half-served.
    """

    def __init__(self, total_bytes: int = 256 * MIB, wait_seconds: float = 20.0, stall_seconds: float = STALL_SECONDS) -> None:
        self.stall_seconds = stall_seconds
        self._total = total_bytes
        self._free = total_bytes
        self._wait_seconds = wait_seconds
        self._changed = asyncio.Condition()

    async def take(self, size: int) -> int:
        """Wait for room for `size` bytes and return how many were taken.

        Raises:
            Overloaded: no room came free in time.
        """
        wanted = min(size, self._total)
        try:
            async with asyncio.timeout(self._wait_seconds), self._changed:
                await self._changed.wait_for(lambda: self._free >= wanted)
                self._free -= wanted
        except TimeoutError:
            raise Overloaded("Rate exceeded") from None
        return wanted

    async def give_back(self, size: int) -> None:
        """Return what `take` returned."""
        async with self._changed:
            self._free += size
            self._changed.notify_all()


class Body:
    """The body of one request: read once, or thrown away. `close` must be awaited when its memory is free again."""

    def __init__(self, receive: Receive, budget: BodyBudget) -> None:
        self._receive = receive
        self._budget = budget
        self._taken = 0
        self._seen = 0
        self.is_finished = False

    async def read(self, limit: int, stated_size: int | None) -> bytes | bytearray:
        """The whole body.

        Raises:
            BodyTooLarge: it is longer than `limit`; what follows is left unread.
            BodyStalled: nothing came for the budget's `stall_seconds`.
            Overloaded: too many large bodies at once.
            ClientGone: the connection broke.
        """
        if stated_size is not None and stated_size > limit:
            raise BodyTooLarge(f"Request body exceeds {limit} bytes")
        first = b""
        whole: bytearray | None = None
        try:
            async with asyncio.timeout(self._budget.stall_seconds) as deadline:
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
                    if self._seen > _SMALL and not self._taken:
                        deadline.reschedule(None)
                        self._taken = await self._budget.take(max(stated_size or limit, self._seen))
                    if not self.is_finished:
                        deadline.reschedule(asyncio.get_running_loop().time() + self._budget.stall_seconds)
        except TimeoutError:
            raise BodyStalled("The request body did not arrive in time") from None
        return first if whole is None else whole

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
            await self._budget.give_back(taken)

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        self._seen += len(chunk)
        self.is_finished = not message.get("more_body", False)
        return chunk
