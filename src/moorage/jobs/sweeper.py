"""The background of a node: writes what was counted, expires uploads, collects blobs, deletes bytes. Every step may run on every
node."""

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
from moorage.operations.images import garbage
from moorage.operations.usage.pulls import record_pulls
from moorage.operations.usage.rates import forget_full_buckets
from moorage.operations.usage.request_counts import forget_requests, record_requests
from moorage.storage import buffers
from moorage.storage.blob_store import BlobStore, StorageKey, StoreUnavailable
from moorage.transfer.anonymous_transfers import AnonymousTransfers
from moorage.transfer.unstarted import UnstartedUploads
from moorage.transfer.work import Pools

K = TypeVar("K")
V = TypeVar("V")

logger = logging.getLogger("moorage.jobs")

_FLUSH_SECONDS = 1.0
_ACTIVITY_SECONDS = 5.0
_USAGE_SECONDS = 10.0
_SWEEP_SECONDS = 30.0
_BATCH = 500


class Sweeper:
    """Runs until it is stopped; an error of one round is logged and does not end it."""

    def __init__(
        self,
        db: Database,
        store: BlobStore,
        pools: Pools,
        activity: Activity,
        pulls: PullBuffer,
        requests: RequestCounts,
        unstarted: UnstartedUploads,
        transfers: AnonymousTransfers | None = None,
    ) -> None:
        self._db, self._store, self._pools = db, store, pools
        self._activity, self._pulls, self._requests = activity, pulls, requests
        self._unstarted, self._transfers = unstarted, transfers
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Flush pulls every second, activity and usage every few, and sweep twice a minute."""
        until_sweep, until_activity, until_usage = 0.0, _ACTIVITY_SECONDS, _USAGE_SECONDS
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
            if until_sweep <= 0:
                await self._quietly(self.sweep())
                until_sweep = _SWEEP_SECONDS
            try:
                await asyncio.wait_for(self._stopping.wait(), _FLUSH_SECONDS)
            except TimeoutError:
                until_sweep -= _FLUSH_SECONDS
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

    async def sweep(self) -> None:
        """Finish everything that is due now. Batches are short, since on SQLite everybody waits behind the writer."""
        await self._unstarted.flush()
        while await self._db.write(garbage.expire_uploads):
            pass
        while await self._db.write(garbage.purge_deleted_repository):
            pass
        while await self._db.write(garbage.check_links):
            pass
        while await self._db.write(garbage.doom_abandoned):
            pass
        await self._db.write_lightly(forget_full_buckets)
        await self._db.write_lightly(forget_requests)
        if self._transfers is not None:
            await self._transfers.forget()
        while keys := await self._db.read(garbage.deletable):
            await self._pools.on_bytes(self._delete, keys)
            await self._db.write(garbage.forget, keys)
        for pool in (buffers.FRAMES, buffers.PIECES):
            pool.trim()  # what a burst needed goes back to the system

    def _delete(self, keys: list[str]) -> None:
        for key in keys:
            self._store.delete(StorageKey(key))

    async def _quietly(self, step: object) -> None:
        try:
            await step  # type: ignore[misc]  # a coroutine of either kind
        except (DatabaseUnavailable, StoreUnavailable, StorageFull) as error:
            logger.warning("background work waits: %s", error)
        except Exception:
            logger.exception("background work failed")
