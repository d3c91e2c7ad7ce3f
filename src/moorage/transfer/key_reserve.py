"""Storage keys, reserved in batches before any of them is used.

Every key has to be in the database before its first byte is in the store, so that a crash leaves nothing unknown behind.
Announcing thirty-two at a time takes that commit off the path of each small blob. Keys that a crash left unused are swept when
their time is up.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from moorage.metadata.database import Database
from moorage.model import ids
from moorage.operations.images import garbage
from moorage.storage.blob_store import StorageKey

_BATCH = 32
_LIFE_SECONDS = 4 * 3600
_USABLE_SECONDS = 3600
"""A key that is older is not handed out: the sweep must not come while bytes are being written under it."""


class KeyReserve:
    """Hands out reserved keys. Belongs to the event loop."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._ready: deque[tuple[float, str]] = deque()
        self._refill = asyncio.Lock()

    async def take(self) -> StorageKey:
        """A key that is in the database, state `writing`, and in use nowhere else."""
        while True:
            oldest_usable = time.monotonic() - _USABLE_SECONDS
            while self._ready:
                reserved_at, key = self._ready.popleft()
                if reserved_at > oldest_usable:
                    return StorageKey(key)
            async with self._refill:
                if not self._ready:
                    now, keys = time.monotonic(), [ids.storage_key() for _ in range(_BATCH)]
                    await self._db.write_aside(garbage.reserve, keys, _LIFE_SECONDS)
                    self._ready.extend((now, key) for key in keys)
