"""What a process has counted and not yet written, written every few seconds. It is this process's memory, so it is no job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from moorage.events.activity import Activity
from moorage.events.pulls import PullBuffer
from moorage.events.request_counts import RequestCounts
from moorage.metadata.database import Database, DatabaseUnavailable
from moorage.metadata.transaction import Transaction
from moorage.model.errors import StorageFull
from moorage.operations.identity.activity import record_keys, record_uses
from moorage.operations.usage.pulls import record_pulls
from moorage.operations.usage.request_counts import record_requests
from moorage.storage import buffers
from moorage.storage.blob_store import StoreUnavailable
from moorage.transfer.anonymous_transfers import AnonymousTransfers
from moorage.transfer.unstarted import UnstartedUploads

K = TypeVar("K")
V = TypeVar("V")

logger = logging.getLogger("moorage.jobs")

_FLUSH_SECONDS = 1.0
_ACTIVITY_SECONDS = 5.0
_USAGE_SECONDS = 10.0
_TIDY_SECONDS = 30.0
_BATCH = 500


class Flusher:
    """Runs until it is stopped; an error of one round is logged and does not end it."""

    def __init__(
        self,
        db: Database,
        activity: Activity,
        pulls: PullBuffer,
        requests: RequestCounts,
        unstarted: UnstartedUploads,
        transfers: AnonymousTransfers | None = None,
    ) -> None:
        self._db, self._activity, self._pulls, self._requests = db, activity, pulls, requests
        self._unstarted, self._transfers = unstarted, transfers
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Flush pulls every second, activity and usage every few, and tidy up twice a minute."""
        until_tidy, until_activity, until_usage = 0.0, _ACTIVITY_SECONDS, _USAGE_SECONDS
        while not self._stopping.is_set():
            await self._quietly(self.flush_pulls())
            if self._transfers is not None:
                await self._quietly(self._transfers.flush())
            if until_usage <= 0:
                await self._quietly(self.flush_usage())
                until_usage = _USAGE_SECONDS
            if until_activity <= 0:
                await self._quietly(self.flush_activity())
                until_activity = _ACTIVITY_SECONDS
            if until_tidy <= 0:
                await self._quietly(self._tidy())
                until_tidy = _TIDY_SECONDS
            try:
                await asyncio.wait_for(self._stopping.wait(), _FLUSH_SECONDS)
            except TimeoutError:
                until_tidy -= _FLUSH_SECONDS
                until_activity -= _FLUSH_SECONDS
                until_usage -= _FLUSH_SECONDS
        await self._quietly(self.flush_pulls(everything=True))
        await self._quietly(self.flush_activity())
        await self._quietly(self.flush_usage())
        if self._transfers is not None:
            await self._quietly(self._transfers.flush())
        await self._quietly(self._unstarted.flush())

    def stop(self) -> None:
        """End after the round that runs."""
        self._stopping.set()

    async def flush_pulls(self, *, everything: bool = False) -> None:
        """Write down what was pulled since the last time; see `PullBuffer.take`."""
        await self._written(sorted(self._pulls.take(everything=everything).items()), record_pulls, self._pulls.put_back)

    async def flush_activity(self) -> None:
        """Write down what principals did since the last time."""
        activity = self._activity
        await self._written(sorted(activity.take_uses().items()), record_uses, activity.put_back_uses)
        await self._written(sorted(activity.take_keys().items()), record_keys, activity.put_back_keys)

    async def flush_usage(self) -> None:
        """Write down how many requests were counted since the last time."""
        await self._written(sorted(self._requests.take().items()), record_requests, self._requests.put_back)

    async def _written(
        self,
        entries: list[tuple[K, V]],
        write: Callable[[Transaction, dict[K, V]], None],
        put_back: Callable[[dict[K, V]], None],
    ) -> None:
        """Write in batches, since on SQLite everybody waits behind the writer; what could not be written goes back."""
        written = 0
        try:
            for begin in range(0, len(entries), _BATCH):
                await self._db.write_lightly(write, dict(entries[begin : begin + _BATCH]))
                written = begin + _BATCH
        finally:
            put_back(dict(entries[written:]))

    async def _tidy(self) -> None:
        await self._unstarted.flush()
        for pool in (buffers.FRAMES, buffers.PIECES):
            pool.trim()  # what a burst needed goes back to the system

    async def _quietly(self, step: object) -> None:
        try:
            await step  # type: ignore[misc]  # a coroutine of either kind
        except (DatabaseUnavailable, StoreUnavailable, StorageFull) as error:
            logger.warning("background work waits: %s", error)
        except Exception:
            logger.exception("background work failed")
