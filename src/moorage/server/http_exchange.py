"""One request and its response on a connection: the ASGI side of the HTTP protocol, and the hand-over of bodies to threads."""

from __future__ import annotations

import asyncio
import http
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moorage.server.turns import Transfer, TurnEnd, receive_turn, send_turn
from moorage.transfer.handover import Sink, Source, fill

if TYPE_CHECKING:
    from moorage.server.http_protocol import HttpProtocol

logger = logging.getLogger("moorage.http")

HIGH_WATER_BYTES = 512 * 1024
"""Body bytes that wait in memory before reading from the socket pauses."""
PROGRESS_SECONDS = 30.0
"""A body that does not move at all for this long is given up; there is no limit on the whole."""

_FORBIDDEN = b"\r\n\0"
STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}


class PeerGone(ConnectionError):
    """The peer closed or reset the connection in the middle of a body."""


class HttpExchange:
    """A request being answered. Belongs to the event loop; is its own `BodyMover`."""

    __slots__ = (
        "_body", "_body_event", "_head", "_left", "_protocol", "body_left", "chunked", "complete", "disconnected",
        "expects_continue", "keep_alive", "more_body", "received", "scope", "sent", "started_at", "status", "task",
    )  # fmt: skip

    def __init__(self, protocol: HttpProtocol, scope: dict[str, Any], *, keep_alive: bool, expects_continue: bool) -> None:
        self._protocol = protocol
        self.scope = scope
        self.keep_alive = keep_alive
        self.expects_continue = expects_continue
        self._body = bytearray()
        self._body_event: asyncio.Event | None = None
        self._head: bytes | None = None
        self._left = 0
        self.more_body = True
        self.body_left: int | None = 0
        self.chunked = False
        self.complete = False
        self.disconnected = False
        self.status = 0
        self.received = 0
        self.sent = 0
        self.started_at = time.perf_counter()
        self.task: asyncio.Task[None] | None = None

    # What the connection tells.

    def feed(self, data: bytes) -> None:
        """Bytes of the body have come through the parser."""
        self.received += len(data)
        if self.complete:
            return
        self._body += data
        if self._body_event is not None:
            self._body_event.set()

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the body that nobody has asked for yet."""
        return len(self._body)

    def end_body(self) -> None:
        """The body is whole."""
        self.more_body = False
        if self._body_event is not None:
            self._body_event.set()

    def disconnect(self) -> None:
        """The connection is lost."""
        self.disconnected = True
        if self._body_event is not None:
            self._body_event.set()

    # The application's side.

    async def run(self, app: Callable[..., Any]) -> None:
        """Call the application and see to it that the client gets an answer or a closed connection."""
        try:
            await app(self.scope, self.receive, self.send)
        except PeerGone:
            self._protocol.abort()
        except asyncio.CancelledError:
            self._protocol.abort()
            raise
        except Exception:
            logger.exception("%s %r failed", self.scope["method"], self.scope["raw_path"][:300])
            await self._give_up()
        else:
            if not self.complete and not self.disconnected:
                await self._give_up()
        finally:
            self._protocol.observe(self)

    async def _give_up(self) -> None:
        if self.status or self.disconnected:
            self._protocol.abort()
            return
        self.keep_alive = False
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"21")]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"Internal Server Error"})

    async def receive(self) -> dict[str, Any]:
        """The ASGI receive channel."""
        if self.disconnected or self.complete:
            return {"type": "http.disconnect"}
        self._continue()
        if not self._body and self.more_body:
            self._body_event = event = asyncio.Event()
            self._protocol.resume_reading()
            try:
                await asyncio.wait_for(event.wait(), PROGRESS_SECONDS)
            except TimeoutError:
                self._protocol.abort()
                self.disconnected = True
            finally:
                self._body_event = None
        if self.disconnected:
            return {"type": "http.disconnect"}
        body, self._body = bytes(self._body), bytearray()
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    def _continue(self) -> None:
        if self.expects_continue:
            self.expects_continue = False
            self._protocol.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def send(self, message: Any) -> None:
        """The ASGI send channel. The head is kept until the first bytes of the body, so that a small answer is one write."""
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.start":
            if self.status:
                raise RuntimeError("the response has begun already")
            self._start(message["status"], message.get("headers", ()))
        elif kind == "http.response.body":
            await self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"unexpected message {kind}")

    def _start(self, status: int, headers: Any) -> None:
        self.status = status
        parts = [STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
        length: int | None = None
        has_date = False
        for name, value in headers:
            if any(byte in value for byte in _FORBIDDEN):
                raise ValueError(f"header {name!r} holds a line break")
            if name == b"content-length":
                length = int(value)
            elif name == b"connection" and value == b"close":
                self.keep_alive = False
                continue
            elif name == b"date":
                has_date = True
            parts += (name, b": ", value, b"\r\n")
        if not has_date:
            parts += (b"date: ", self._protocol.date(), b"\r\n")
        if length is None and status not in {204, 304}:
            length = None
            self.chunked = self.scope["method"] != "HEAD"
            if self.chunked:
                parts.append(b"transfer-encoding: chunked\r\n")
        # A body that the application did not want is not worth reading to its end: the connection goes instead.
        if self.more_body and not self._body_is_small():
            self.keep_alive = False
        if not self.keep_alive:
            parts.append(b"connection: close\r\n")
        parts.append(b"\r\n")
        self._left = length or 0
        self._head = b"".join(parts)

    def _body_is_small(self) -> bool:
        """True if what is left of the request's body will be read and dropped sooner than a new connection would cost."""
        return self.body_left is not None and self.body_left - self.received <= HIGH_WATER_BYTES and not self.expects_continue

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        if not self.status or self.complete:
            raise RuntimeError("a body without a response that is going on")
        head, self._head = self._head or b"", None
        if self.scope["method"] == "HEAD":
            self._protocol.write(head)
            self._left = 0
        elif self.chunked:
            tail = b"" if more else b"0\r\n\r\n"
            self._protocol.write(b"".join((head, b"%x\r\n" % len(body), body, b"\r\n", tail) if body else (head, tail)))
        else:
            if len(body) > self._left:
                raise RuntimeError("the body is longer than its Content-Length")
            self._left -= len(body)
            self._protocol.write(head + body if head else body)
        self.sent += len(body)
        if more:
            await self._drain()
            return
        if self._left:
            raise RuntimeError("the body is shorter than its Content-Length")
        self._finish()

    async def _drain(self) -> None:
        try:
            await asyncio.wait_for(self._protocol.drain(), PROGRESS_SECONDS)
        except TimeoutError:
            self._protocol.abort()
            self.disconnected = True

    def _finish(self) -> None:
        self.complete = True
        self._body.clear()
        self._protocol.answered(self)

    # The hand-over: `transfer.handover.BodyMover`.

    async def send_content(self, source: Source, start: int, stop: int) -> int:
        """See `BodyMover.send`."""
        if self.disconnected:
            return 0
        if self._head is None or self._left != stop - start or self.chunked:
            raise RuntimeError("the hand-over needs a response that has just begun, with a Content-Length of what is sent")
        self._protocol.write(self._head)
        self._head = None
        if stop > start:
            await self._hand_over_sending(source, start, stop)
        if not self.disconnected:
            self._left = 0
            self._finish()
        return self.sent

    async def _hand_over_sending(self, source: Source, start: int, stop: int) -> None:
        protocol = self._protocol
        with protocol.holding_reading():
            await self._wait(protocol.flushed())
            if self.disconnected:
                return
            transfer = Transfer(protocol.duplicate(), start, stop)
            try:
                await self._take_turns(transfer, lambda: send_turn(transfer, source), protocol.writable)
            except BaseException:
                protocol.abort()  # part of the body is out: nothing but the end of the connection can say that it is wrong
                raise
            finally:
                self.sent += transfer.position - start
                transfer.descriptor.close()

    async def receive_content(self, sink: Sink) -> bool:
        """See `BodyMover.receive`."""
        protocol = self._protocol
        self._continue()
        with protocol.holding_reading():
            if self.body_left is None:
                return await self._receive_chunked(sink)
            if self._body:
                parsed, self._body = bytes(self._body), bytearray()
                await protocol.in_pool(fill, sink, [parsed])
            if self.disconnected:
                return False
            if self.received < self.body_left:
                await self._wait(protocol.flushed())
                if self.disconnected or not await self._hand_over_receiving(sink, self.body_left):
                    return False
                protocol.body_was_taken()
            return True

    async def _hand_over_receiving(self, sink: Sink, stop: int) -> bool:
        protocol = self._protocol
        transfer = Transfer(protocol.duplicate(), self.received, stop)
        try:
            await self._take_turns(transfer, lambda: receive_turn(transfer, sink), protocol.readable)
        except PeerGone:
            self.disconnected = True
            protocol.abort()
            return False
        except BaseException:
            self.keep_alive = False  # the rest of the body is still to come: the answer goes out, then the connection
            protocol.body_is_abandoned()
            raise
        finally:
            self.received = transfer.position
            transfer.descriptor.close()
        return True

    async def _receive_chunked(self, sink: Sink) -> bool:
        """Chunked bodies come through the parser; what has gathered is moved in one hop to the pool."""
        protocol = self._protocol
        while True:
            protocol.release_reading()
            message = await self.receive()
            protocol.hold_reading()
            if message["type"] == "http.disconnect":
                return False
            if message["body"]:
                await protocol.in_pool(fill, sink, [message["body"]])
            if not message["more_body"]:
                return True

    async def _take_turns(self, transfer: Transfer, turn: Callable[[], TurnEnd], ready: Callable[[Any], Any]) -> None:
        while True:
            running = asyncio.ensure_future(self._protocol.in_pool(turn))
            try:
                end = await asyncio.shield(running)
            except asyncio.CancelledError:
                transfer.stopped = True
                await asyncio.wait([running])  # the descriptor is closed only when no thread uses it
                raise
            if end is TurnEnd.DONE:
                return
            if end in {TurnEnd.GONE, TurnEnd.STOPPED}:
                raise PeerGone
            if end is TurnEnd.BLOCKED:
                try:
                    await asyncio.wait_for(ready(transfer.descriptor), PROGRESS_SECONDS)
                except TimeoutError:
                    raise PeerGone from None

    async def _wait(self, waiting: Any) -> None:
        try:
            await asyncio.wait_for(waiting, PROGRESS_SECONDS)
        except TimeoutError:
            self._protocol.abort()
            self.disconnected = True


class Mover:
    """The exchange as the extension of its scope."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: HttpExchange) -> None:
        self._exchange = exchange

    async def send(self, source: Source, start: int, stop: int) -> int:
        """See `BodyMover.send`."""
        return await self._exchange.send_content(source, start, stop)

    async def receive(self, sink: Sink) -> bool:
        """See `BodyMover.receive`."""
        return await self._exchange.receive_content(sink)
