"""Data keys for those who seal and open: from whichever provider a seal names, in bounded time, each opened once.

Whoever waits for a key waits for that key alone. A provider that takes its time holds up nobody who needs another one: what is
asked of it at the same time is bounded for each seal, and every call ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar
from weakref import WeakValueDictionary

from moorage.keys.envelope import Context, WrongKey
from moorage.keys.provider import DataKey, KeyProvider
from moorage.model.errors import KeyUnavailable, KeyUnusable
from moorage.model.seal import Seal, SealKey

T = TypeVar("T")

TIMEOUT_SECONDS = 5.0
"""How long a key may take. Less than the lease of an upload, which is not renewed meanwhile (`limits.UPLOAD_LEASE_SECONDS`)."""
KEPT_SECONDS = 300.0
"""How long an opened key is kept. Source: the bound that the design of KMS seals sets for a key that was disabled."""
KEPT = 1000
_AT_ONCE = 32
"""Calls for one seal that a provider has to answer at the same time; others wait for their turn, in their own time."""
_BATCH = 64

logger = logging.getLogger("moorage.keys")

_Known = tuple[int, bytes, tuple[tuple[str, str], ...]]
"""A seal, a wrapped key, a context."""


class DataKeys:
    """Makes and opens data keys. Belongs to one event loop.

    Args:
        providers: by the kind of seal that they stand for.
        timeout_seconds: how long anybody waits for a key.
        kept_seconds, kept: how long opened keys are kept, and how many.
    """

    def __init__(
        self,
        providers: Mapping[str, KeyProvider],
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        kept_seconds: float = KEPT_SECONDS,
        kept: int = KEPT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._providers = dict(providers)
        self._timeout_seconds, self._kept_seconds, self._most, self._clock = timeout_seconds, kept_seconds, kept, clock
        self._open: OrderedDict[_Known, tuple[float, bytes]] = OrderedDict()  # with the time when it was opened: oldest first
        self._opening: dict[_Known, asyncio.Task[bytes]] = {}
        self._running: set[asyncio.Task[bytes]] = set()
        self._turns: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()
        self._expiry: asyncio.TimerHandle | None = None

    @property
    def kept(self) -> int:
        """How many opened keys are in memory now."""
        return len(self._open)

    def answers_at_once(self, seal: Seal) -> bool:
        """Whether nobody waits for a key of a seal, nor notices that it is asked for."""
        provider = self._providers.get(seal.kind)
        return provider is not None and provider.answers_at_once

    async def new_seal_key(self, kind: str, wanted: str) -> SealKey:
        """What a new seal is to remember of its key. Raises KeyUnusable, KeyUnavailable."""
        provider = self._provider(kind)
        return await self._bounded(provider, asyncio.Semaphore(), lambda: provider.new_seal_key(wanted))

    async def new(self, seal: Seal, context: Context) -> DataKey:
        """A fresh data key for one object. Raises KeyUnusable, KeyUnavailable, WrongKey (the seal's own key is damaged)."""
        provider = self._provider(seal.kind)
        if provider.answers_at_once:
            return await provider.new_data_key(seal, context)
        return await self._bounded(provider, self._turn(seal), lambda: provider.new_data_key(seal, context))

    async def open(self, seal: Seal, wrapped: bytes, context: Context) -> bytes:
        """The plaintext of a data key: one that is kept, or opened now, once for all who wait for it.

        Raises:
            WrongKey: not wrapped under this seal for this context, or altered.
            KeyUnusable, KeyUnavailable
        """
        known = (seal.id, wrapped, tuple(sorted(context.items())))
        kept = self._open.get(known)
        if kept is not None and self._clock() - kept[0] < self._kept_seconds:
            return kept[1]
        provider = self._provider(seal.kind)
        if provider.answers_at_once:
            key = await provider.open_data_key(seal, wrapped, context)
            self._keep(known, key)
            return key
        opening = self._opening.get(known)
        if opening is None:
            opening = self._opening[known] = asyncio.create_task(self._open_now(provider, seal, known, context))
            self._running.add(opening)  # the loop itself does not hold it
            opening.add_done_callback(self._running.discard)
        # Who leaves takes nothing along: others may wait for the same key.
        return await asyncio.shield(opening)

    async def open_all(self, seal: Seal, wanted: Sequence[tuple[bytes, Context]]) -> list[bytes]:
        """`open` for several keys of one seal: wrapped key and context of each."""
        if len(wanted) == 1:
            return [await self.open(seal, *wanted[0])]
        keys: list[bytes] = []
        for begin in range(0, len(wanted), _BATCH):  # in between, others have their turn on the event loop
            keys += await asyncio.gather(*(self.open(seal, *each) for each in wanted[begin : begin + _BATCH]))
        return keys

    def forget(self, seal_id: int) -> None:
        """Keep no key of a seal any more: what it is wrapped with may have been disabled."""
        for known in [known for known in self._open if known[0] == seal_id]:
            del self._open[known]
        for known in [known for known in self._opening if known[0] == seal_id]:
            del self._opening[known]  # who waits already gets it, and nobody after them

    async def _open_now(self, provider: KeyProvider, seal: Seal, known: _Known, context: Context) -> bytes:
        mine = asyncio.current_task()
        try:
            key = await self._bounded(provider, self._turn(seal), lambda: provider.open_data_key(seal, known[1], context))
            if self._opening.get(known) is mine:
                self._keep(known, key)
            return key
        finally:
            if self._opening.get(known) is mine:
                del self._opening[known]

    def _keep(self, known: _Known, key: bytes) -> None:
        self._open.pop(known, None)
        self._open[known] = (self._clock(), key)
        if len(self._open) > self._most:
            self._open.popitem(last=False)
        if self._expiry is None:
            self._expiry = asyncio.get_running_loop().call_later(self._kept_seconds, self._expire)

    def _expire(self) -> None:
        """Drop what has been kept long enough: an idle server is to hold no keys."""
        self._expiry = None
        now = self._clock()
        while self._open:
            opened_at, _ = next(iter(self._open.values()))
            left = opened_at + self._kept_seconds - now
            if left > 0:
                self._expiry = asyncio.get_running_loop().call_later(left, self._expire)
                return
            self._open.popitem(last=False)

    def _provider(self, kind: str) -> KeyProvider:
        provider = self._providers.get(kind)
        if provider is None:
            raise KeyUnusable(f"no keys of the kind {kind} are set up on this server", "UnsupportedOperationException")
        return provider

    def _turn(self, seal: Seal) -> asyncio.Semaphore:
        turn = self._turns.get(seal.id)
        if turn is None:
            turn = self._turns[seal.id] = asyncio.Semaphore(_AT_ONCE)
        return turn

    async def _bounded(self, provider: KeyProvider, turn: asyncio.Semaphore, call: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._timeout_seconds), turn:
                return await call()
        except TimeoutError:
            raise KeyUnavailable(
                "the key that seals this content does not answer in time: try again", "DependencyTimeoutException"
            ) from None
        except (KeyUnusable, WrongKey):
            raise
        except Exception as error:  # whatever a provider lets out: who asked for a key is told what can be done about it
            logger.error("%s failed: %s: %s", type(provider).__name__, type(error).__name__, error)
            raise KeyUnavailable(
                "the key that seals this content cannot be asked for at the moment: try again", "KMSInternalException"
            ) from error
