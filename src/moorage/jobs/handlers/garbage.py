"""Sweeps: what a crash, a deletion or a client left behind. What they do and in which order: `moorage.operations.images.garbage`.

Each looks before it writes, and works in batches that are short, since on SQLite everybody waits behind the writer. After a while
it lets others go first. No answer to a pull rests on what they take: links without an image, uploads, deleted repositories.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from moorage.jobs.job_kinds import GoOn, Handler, Nothing
from moorage.jobs.lease import Work
from moorage.metadata.database import Database
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.operations.images import garbage
from moorage.storage.blob_store import BlobStore, StorageKey
from moorage.transfer.work import Pools

_SLICE_SECONDS = 20.0
"""What one run takes at most: others are waiting."""


def sweep(db: Database, is_due: Callable[[ReadTransaction], bool], step: Callable[[Transaction], object]) -> Handler[Nothing]:
    """A handler that does `step`, a batch in a transaction, as long as there is something due."""

    async def handle(work: Work, _: Nothing) -> GoOn | None:
        until = time.monotonic() + _SLICE_SECONDS
        while await db.read(is_due):
            if work.should_end or time.monotonic() > until:
                return GoOn.LATER
            await db.write_aside(step)
        return None

    return handle


def delete_bytes(db: Database, store: BlobStore, pools: Pools) -> Handler[Nothing]:
    """A handler that deletes the bytes of doomed objects, and then their rows.

    A row that survives a power cut without its bytes is deleted again: absent is success. So its transaction need not be synced.
    """

    def delete(keys: list[str]) -> None:
        for key in keys:
            store.delete(StorageKey(key))

    async def handle(work: Work, _: Nothing) -> GoOn | None:
        until, done = time.monotonic() + _SLICE_SECONDS, 0
        while keys := await db.read(garbage.deletable):
            if work.should_end or time.monotonic() > until:
                return GoOn.LATER
            await pools.on_bytes(delete, keys)
            await db.write_lightly(garbage.forget, keys)
            done += len(keys)
            work.progress(done)
        return None

    return handle
