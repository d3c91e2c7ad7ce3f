"""Health for orchestrators: ``/healthz`` says that the process lives, ``/readyz`` that it can serve."""

from __future__ import annotations

import asyncio
import time

import msgspec

from moorage.metadata.database import Database
from moorage.model.errors import StorageFull
from moorage.storage.blob_store import BlobStore
from moorage.transfer.work import Pools
from moorage.wire.http import Request, Response, Send

_LIFE_SECONDS = 1.0
_PATIENCE_SECONDS = 5.0
_JSON = (b"content-type", b"application/json")


class Health:
    """Answers probes; a readiness check runs at most once a second, however many ask."""

    def __init__(self, db: Database, store: BlobStore, pools: Pools, low_water_bytes: int) -> None:
        self._db, self._store, self._pools, self._low_water = db, store, pools, low_water_bytes
        self._checked_at = 0.0
        self._faults: dict[str, str] = {}

    async def live(self, request: Request, send: Send) -> None:
        """The event loop answers."""
        await Response(200, b'{"status":"ok"}\n', [_JSON]).send(send, head=request.method == "HEAD")

    async def ready(self, request: Request, send: Send) -> None:
        """Database and blob store answer and have room. 503 says what does not; ``?pulls`` asks for what pulls need alone."""
        if time.monotonic() - self._checked_at > _LIFE_SECONDS:
            self._faults = await self._check()
            self._checked_at = time.monotonic()
        faults = self._faults
        if request.scope["query_string"] == b"pulls":
            faults = {name: fault for name, fault in faults.items() if name != "room"}
        body = {"status": "ready" if not faults else "not ready", **faults}
        await Response(503 if faults else 200, msgspec.json.encode(body) + b"\n", [_JSON]).send(
            send, head=request.method == "HEAD"
        )

    async def _check(self) -> dict[str, str]:
        faults = {}
        try:
            await asyncio.wait_for(self._db.read(lambda tx: tx.now), _PATIENCE_SECONDS)
        except Exception as error:  # whatever it is, it is the answer
            faults["database"] = _word(error)
        try:
            await asyncio.wait_for(self._pools.on_bytes(self._check_store), _PATIENCE_SECONDS)
        except StorageFull as error:
            faults["room"] = _word(error)
        except Exception as error:  # as above
            faults["blobs"] = _word(error)
        return faults

    def _check_store(self) -> None:
        self._store.check()
        free = self._store.free_bytes()
        if free is not None and free < self._low_water:
            raise StorageFull(f"only {free // 2**20} MiB are free: pushes will soon be refused; pulls go on")


def _word(error: Exception) -> str:
    return "timed out" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
