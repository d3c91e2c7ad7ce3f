"""A provider of keys as far away as a key management service: it takes its time, fails and hangs when it is told to."""

from __future__ import annotations

import asyncio
from collections import Counter

from moorage.keys.envelope import Context
from moorage.keys.provider import DataKey, KeyProvider
from moorage.model.seal import Seal, SealKey


class RemoteKeyring(KeyProvider):
    """Another provider, with a way to it. What it is told may come from any thread, and counts from the next call on.

    `delay_seconds` is how long a call takes; `delays` and `faults` say otherwise for the seals with those ids; calls for a seal
    that is `held` do not end before it is let go. `asked` counts calls by the id of their seal (0: for a new one), `most_at_once`
    is how many of one seal were on their way together.
    """

    answers_at_once = False

    def __init__(self, inner: KeyProvider, delay_seconds: float = 0.0) -> None:
        self._inner = inner
        self.delay_seconds = delay_seconds
        self.delays: dict[int, float] = {}
        self.faults: dict[int, Exception] = {}
        self.held: set[int] = set()
        self.asked: Counter[int] = Counter()
        self.most_at_once: Counter[int] = Counter()
        self._on_the_way: Counter[int] = Counter()

    async def new_seal_key(self, wanted: str) -> SealKey:
        """As the other provider, later."""
        await self._travel(0)
        return await self._inner.new_seal_key(wanted)

    async def new_data_key(self, seal: Seal, context: Context) -> DataKey:
        """As the other provider, later."""
        await self._travel(seal.id)
        return await self._inner.new_data_key(seal, context)

    async def open_data_key(self, seal: Seal, wrapped: bytes, context: Context) -> bytes:
        """As the other provider, later."""
        await self._travel(seal.id)
        return await self._inner.open_data_key(seal, wrapped, context)

    async def _travel(self, seal_id: int) -> None:
        self.asked[seal_id] += 1
        self._on_the_way[seal_id] += 1
        self.most_at_once[seal_id] = max(self.most_at_once[seal_id], self._on_the_way[seal_id])
        try:
            await asyncio.sleep(self.delays.get(seal_id, self.delay_seconds))
            while seal_id in self.held:  # noqa: ASYNC110  # let go by any thread
                await asyncio.sleep(0.005)
            fault = self.faults.get(seal_id)
            if fault is not None:
                raise fault
        finally:
            self._on_the_way[seal_id] -= 1
