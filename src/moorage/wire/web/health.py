"""Health for orchestrators: ``/healthz`` says that the process lives, ``/readyz`` that it can serve."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable

import msgspec

from moorage.metadata.database import Database
from moorage.model.errors import StorageFull
from moorage.storage.blob_store import BlobStore
from moorage.wire.http import Request, Response, Send

logger = logging.getLogger("moorage.health")

_LIFE_SECONDS = 1.0
_JSON = (b"content-type", b"application/json")


class Health:
    """Answers probes; a readiness check runs at most once a second, however many ask, and all who ask share it.

    Args:
        timeout_seconds: how long database and blob store may take to answer.
    """

    def __init__(self, db: Database, store: BlobStore, low_water_bytes: int, timeout_seconds: float) -> None:
        self._store, self._low_water, self._seconds = store, low_water_bytes, timeout_seconds
        self._database = _Question(lambda: db.ask(timeout_seconds))
        self._blobs = _Question(self._check_store)
        self._checked_at = float("-inf")
        self._checking: asyncio.Future[dict[str, str]] | None = None
        self._faults: dict[str, str] = {}
        self._is_ending = False

    def end(self) -> None:
        """Not ready from now on: whoever sends requests here shall send them elsewhere."""
        self._is_ending = True

    async def live(self, request: Request, send: Send) -> None:
        """The event loop answers."""
        await Response(200, b'{"status":"ok"}\n', [_JSON]).send(send, head=request.method == "HEAD")

    async def ready(self, request: Request, send: Send) -> None:
        """Database and blob store answer and have room. 503 says what does not; ``?pulls`` asks for what pulls need alone."""
        faults = {"shutdown": "the server is about to stop"} if self._is_ending else await self._current()
        if request.scope["query_string"] == b"pulls":
            faults = {name: fault for name, fault in faults.items() if name != "room"}
        body = {"status": "ready" if not faults else "not ready", **faults}
        await Response(503 if faults else 200, msgspec.json.encode(body) + b"\n", [_JSON]).send(
            send, head=request.method == "HEAD"
        )

    async def _current(self) -> dict[str, str]:
        if time.monotonic() - self._checked_at > _LIFE_SECONDS:
            if self._checking is None or self._checking.done():
                self._checking = asyncio.ensure_future(self._check())
            await asyncio.shield(self._checking)  # who leaves does not take along what others wait for
        return self._faults

    async def _check(self) -> dict[str, str]:
        database, blobs = await asyncio.gather(self._database.ask(self._seconds), self._blobs.ask(self._seconds))
        found: dict[str, Exception] = {}
        if database is not None:
            found["database"] = database
        if blobs is not None:
            found["room" if isinstance(blobs, StorageFull) else "blobs"] = blobs
        if found.keys() - self._faults.keys():
            told = (f"{name}: {str(error) or _word(error)}" for name, error in found.items())
            logger.warning("not ready: %s", "; ".join(told))
        faults = {name: _word(error) for name, error in found.items()}
        self._faults, self._checked_at = faults, time.monotonic()
        return faults

    def _check_store(self) -> None:
        self._store.check()
        free = self._store.free_bytes()
        if free is not None and free < self._low_water:
            raise StorageFull(f"only {free // 2**20} MiB are free: pushes will soon be refused; pulls go on")


class _Question:
    """Something that is asked in a thread, and not again before it has answered: one that hangs holds one thread.

    The threads that work may all be waiting for what is asked here, and one that hangs must not hold up the end of the process:
    hence a thread for each question, and a daemon.
    """

    def __init__(self, ask: Callable[[], None]) -> None:
        self._ask = ask
        self._asked: asyncio.Future[Exception | None] | None = None

    async def ask(self, seconds: float) -> Exception | None:
        """What is wrong; None: nothing."""
        if self._asked is None or self._asked.done():
            loop = asyncio.get_running_loop()
            self._asked = loop.create_future()
            threading.Thread(target=self._run, args=(loop, self._asked), name="health", daemon=True).start()
        try:
            return await asyncio.wait_for(asyncio.shield(self._asked), seconds)
        except TimeoutError as error:
            return error

    def _run(self, loop: asyncio.AbstractEventLoop, asked: asyncio.Future[Exception | None]) -> None:
        fault: Exception | None = None
        try:
            self._ask()
        except Exception as error:  # whatever it is, it is the answer
            fault = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(asked.set_result, fault)


def _word(error: Exception) -> str:
    """What anybody may be told: the errors of drivers hold addresses, users and buckets, which are for the log."""
    if isinstance(error, StorageFull):
        return str(error)
    return "timed out" if isinstance(error, TimeoutError) else "does not answer as it should"
