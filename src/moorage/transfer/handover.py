"""The contract between the application and the server that moves bodies.

A server that can work on a connection's descriptor offers `EXTENSION` in the ASGI scope: a `BodyMover`. Threads then
move bytes between socket and content without a stop at the event loop. Where it is absent (TLS in the process,
another server) the plain ASGI messages serve, with the same result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Executor
from typing import Any, Protocol

EXTENSION = "moorage.body"
_PIECE_BYTES = 1024 * 1024

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Source(Protocol):
    """Content to be sent: a `storage.blob_store.BlobReader`."""

    def view(self, offset: int) -> memoryview: ...
    def descriptor(self) -> int | None: ...


class Sink(Protocol):
    """Where a body goes: `buffer` is filled, `advance` says how far. Both run in a thread of a pool."""

    def buffer(self) -> memoryview: ...
    def advance(self, count: int) -> None: ...


class BodyMover(Protocol):
    """What the extension can do for one request."""

    async def send(self, source: Source, start: int, stop: int) -> int:
        """Send the whole body of a response that has begun, with a Content-Length of `stop` - `start`; return what
        really left.
        """

    async def receive(self, sink: Sink) -> bool:
        """Receive the rest of the request's body; False if the client left before its end."""


async def send_source(scope: Scope, send: Send, source: Source, start: int, stop: int, pool: Executor) -> int:
    """Send content as the body of a response that has begun with the right Content-Length; return the bytes that left.

    An error of the source ends the connection, not the response: no client takes what it has got for whole.
    """
    mover: BodyMover | None = scope.get("extensions", {}).get(EXTENSION)
    if mover is not None:
        return await mover.send(source, start, stop)
    loop, offset = asyncio.get_running_loop(), start
    while offset < stop:
        piece = await loop.run_in_executor(pool, _copy, source, offset, min(stop, offset + _PIECE_BYTES))
        offset += len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": offset < stop})
    if start == stop:
        await send({"type": "http.response.body", "body": b""})
    return offset - start


def _copy(source: Source, offset: int, stop: int) -> bytes:
    return bytes(source.view(offset)[: stop - offset])


async def receive_into(scope: Scope, receive: Receive, sink: Sink, pool: Executor) -> bool:
    """Receive a request's body into `sink`; False if the client left before its end. Errors of the sink are raised."""
    mover: BodyMover | None = scope.get("extensions", {}).get(EXTENSION)
    if mover is not None:
        return await mover.receive(sink)
    return await _receive_messages(receive, sink, pool)


async def _receive_messages(receive: Receive, sink: Sink, pool: Executor) -> bool:
    """The plain path: a batch is hashed, sealed and written in one hop while the next one gathers; at most two are in memory."""
    loop = asyncio.get_running_loop()
    running: asyncio.Future[None] | None = None
    batch: list[bytes] = []
    gathered = 0
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return False
            part = message.get("body", b"")
            if part:
                batch.append(part)
                gathered += len(part)
            more = message.get("more_body", False)
            if gathered >= _PIECE_BYTES or not more:
                if running is not None:
                    await running
                running = loop.run_in_executor(pool, fill, sink, batch)
                batch, gathered = [], 0
            if not more:
                return True
    finally:
        if running is not None:
            await asyncio.shield(running)


def fill(sink: Sink, batch: list[bytes]) -> None:
    """Copy bytes that are in memory into a sink."""
    for part in batch:
        rest = memoryview(part)
        while rest:
            room = sink.buffer()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            sink.advance(count)
            rest = rest[count:]
