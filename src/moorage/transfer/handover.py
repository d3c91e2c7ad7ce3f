"""The contract between the application and the server for moving a body without the event loop touching its bytes.

Where the server can let a thread work on the connection's own descriptor, it offers the ASGI extension `EXTENSION`; elsewhere
(TLS, another server, a test client) the same two functions go the plain ASGI way, in pieces of 1 MiB through a pool of threads:

* `send_source` sends a range of a `Source` as the body of the response,
* `receive_into` takes the body of the request into a `Sink`.

Sources and sinks block, so they are only ever used in a thread of a pool, by one thread at a time, and never after these
functions have returned or raised, cancellation included. `BlobReader` is a Source and `BlobWriter` a Sink.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from moorage.model.errors import StorageCorrupt
from moorage.transfer.pools import Pool

EXTENSION = "moorage.handover"
"""Key in ``scope["extensions"]``. Its value is a dict: ``pool`` (a `Pool` for the plain path) and, where a thread may have the
descriptor, ``channel`` (a `Channel`)."""

PIECE_BYTES = 1024 * 1024
"""What the plain path moves in one hop between loop and thread: measured best (64 KiB: half the speed, 4 MiB: out of cache)."""


class ClientLeft(ConnectionError):
    """The client left before its body was whole, or its answer: nobody waits any more.

    What came is kept where an upload can be resumed. It is an OSError, as what `send` raises then has to be (ASGI 2.4).
    """


Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Source(Protocol):
    """Content that can be read at any offset."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    def view(self, offset: int) -> memoryview:
        """Content from `offset` up to wherever the current piece ends; empty at the end. Valid until the next call.

        Raises StorageCorrupt for bytes that fail authentication: those are never returned.
        """

    def descriptor(self) -> int | None:
        """A file descriptor with the content at the same offsets, for ``sendfile``; None where there is none."""


class Sink(Protocol):
    """Takes content in order."""

    def buffer(self) -> memoryview:
        """Writable room for the next bytes, never empty; valid until the next call."""

    def advance(self, count: int) -> None:
        """The first `count` bytes of the last `buffer` are content now: hash, seal, write them."""


class Channel(Protocol):
    """What the server offers for one request: the same promises as the functions of this module."""

    async def send_source(self, source: Source, start: int, stop: int) -> int: ...

    async def receive_into(self, sink: Sink) -> bool: ...


async def send_source(scope: Scope, send: Send, source: Source, start: int, stop: int) -> int:
    """Send bytes `start` to `stop` (exclusive) of `source` as the whole body of the response that has been started.

    The ``http.response.start`` before it carries a Content-Length of ``stop - start``. Nothing is read or sent for HEAD.

    Returns:
        How many bytes of the body left this process: fewer than asked for when the client went away or stopped reading.

    Raises:
        StorageCorrupt: the source failed or is shorter than promised. No byte in doubt has been sent, and the connection
            is aborted (or, if nothing at all had left, answered with 500): the client cannot take it for a whole body.
        ValueError: the range is not within the source, or not as long as the announced Content-Length.
    """
    if not 0 <= start <= stop <= source.size:
        raise ValueError(f"range {start}-{stop} is not within {source.size} bytes")
    offer = (scope.get("extensions") or {}).get(EXTENSION, {})
    channel: Channel | None = offer.get("channel")
    if channel is not None:
        return await channel.send_source(source, start, stop)
    if scope["method"] == "HEAD":
        await send({"type": "http.response.body", "body": b""})
        return 0
    return await _send_pieces(send, _worker(offer.get("pool")), source, start, stop)


async def receive_into(scope: Scope, receive: Receive, sink: Sink) -> bool:
    """Take the body of the request into `sink`.

    Returns:
        True when the body came whole, as announced; False when the client left, stalled or broke the framing before.
        What arrived until then is in the sink in both cases.

    Raises:
        Exception: whatever the sink raises. The application then answers as it likes; the server lets the client read that answer
            (it drops a bounded amount of what is still coming) and closes the connection.
    """
    offer = (scope.get("extensions") or {}).get(EXTENSION, {})
    channel: Channel | None = offer.get("channel")
    if channel is not None:
        return await channel.receive_into(sink)
    return await _receive_batches(receive, _worker(offer.get("pool")), sink)


def fill(sink: Sink, data: bytes | bytearray | memoryview) -> None:
    """Copy `data` into `sink`. Blocks, like the sink."""
    rest = memoryview(data)
    while rest:
        room = sink.buffer()
        count = min(len(room), len(rest))
        room[:count] = rest[:count]
        sink.advance(count)
        rest = rest[count:]


_Run = Callable[..., Awaitable[Any]]


def _worker(pool: Pool | None) -> _Run:
    """How to run a blocking call: in the server's pool, or, below a server that offers none, in the loop's own threads."""
    if pool is not None:
        return pool.run

    async def run(function: Callable[..., Any], *arguments: Any) -> Any:
        call = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            await asyncio.wait([call])  # the thread must let go of source or sink before the caller closes it
            raise

    return run


def _read_piece(source: Source, offset: int, stop: int) -> bytes:
    """At most one piece of content as an object of its own: the transport may keep it after the source has moved on."""
    view = source.view(offset)[: min(PIECE_BYTES, stop - offset)]
    if not view:
        raise StorageCorrupt(f"content ends at {offset}, {stop} expected")
    return bytes(view)


async def _send_pieces(send: Send, run: _Run, source: Source, start: int, stop: int) -> int:
    """The plain path. The next piece is read while the last one drains; so two are in memory, and one in the transport."""
    if start == stop:
        await send({"type": "http.response.body", "body": b""})
        return 0
    position = start
    reading = asyncio.ensure_future(run(_read_piece, source, position, stop))
    try:
        while True:
            piece = await reading
            position += len(piece)
            if position == stop:
                await send({"type": "http.response.body", "body": piece})
                return stop - start
            reading = asyncio.ensure_future(run(_read_piece, source, position, stop))
            try:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            except OSError:
                # ASGI 2.4: the client has left. How much of the last piece went is unknown; it is not counted.
                return position - len(piece) - start
    finally:
        await _settle(reading)


async def _receive_batches(receive: Receive, run: _Run, sink: Sink) -> bool:
    """The plain path: while one batch is hashed and written, the next one is collected."""
    writing: asyncio.Future[Any] | None = None
    try:
        more = True
        while more:
            batch: list[bytes] = []
            size = 0
            while more and size < PIECE_BYTES:
                message = await receive()
                if message["type"] == "http.disconnect":
                    if batch:
                        await _wait_for(writing)
                        writing = asyncio.ensure_future(run(_fill_all, sink, batch))
                    await _wait_for(writing)
                    return False
                body: bytes = message.get("body", b"")
                if body:
                    batch.append(body)
                    size += len(body)
                more = message.get("more_body", False)
            await _wait_for(writing)
            writing = asyncio.ensure_future(run(_fill_all, sink, batch)) if batch else None
        await _wait_for(writing)
        return True
    finally:
        await _settle(writing)


def _fill_all(sink: Sink, batch: list[bytes]) -> None:
    for data in batch:
        fill(sink, data)


async def _wait_for(future: asyncio.Future[Any] | None) -> None:
    if future is not None:
        await future


async def _settle(future: asyncio.Future[Any] | None) -> None:
    """Cancel what has not begun and wait until no thread is at work, whatever comes of it."""
    if future is not None and not future.done():
        future.cancel()
        await asyncio.wait([future])
    if future is not None and not future.cancelled():
        future.exception()  # seen: it was raised already, or the transfer has ended for another reason
