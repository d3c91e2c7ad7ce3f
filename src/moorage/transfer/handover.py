"""The contract between the application and the server that moves bodies."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol


class Source(Protocol):
    """Content to be sent."""

    def view(self, offset: int) -> memoryview: ...
    def descriptor(self) -> int | None: ...


class Sink(Protocol):
    """Where a body goes."""

    def buffer(self) -> memoryview: ...
    def advance(self, count: int) -> None: ...


async def send_source(scope: Any, send: Any, source: Source, start: int, stop: int) -> int:
    """Send `source` from `start` to `stop` as the body of a response that has begun."""
    loop, offset = asyncio.get_running_loop(), start
    while offset < stop:
        run = await loop.run_in_executor(None, lambda at=offset: bytes(source.view(at)))  # type: ignore[misc]
        run = run[: stop - offset]
        await send({"type": "http.response.body", "body": run, "more_body": True})
        offset += len(run)
    await send({"type": "http.response.body", "body": b""})
    return offset - start


async def receive_into(scope: Any, receive: Any, sink: Sink) -> bool:
    """Receive a body into `sink`; False if the client left."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        rest = memoryview(message.get("body", b""))
        while rest:
            room = sink.buffer()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            sink.advance(count)
            rest = rest[count:]
        if not message.get("more_body", False):
            return True
