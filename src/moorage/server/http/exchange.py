"""One request and its response on a connection, as the application sees them, with the hand-over of descriptors to threads."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from moorage.events.event import EVENT
from moorage.events.record import FinishedRequest
from moorage.model.errors import StorageCorrupt
from moorage.model.shown import shown
from moorage.server.http.socket_io import Gathering, Receiving, ReceivingChunks, Sending, Step, take_turns
from moorage.storage.blob_store import StoreUnavailable
from moorage.transfer.handover import Sink, Source, fill
from moorage.wire.http import REQUEST_ID

if TYPE_CHECKING:
    from uvicorn._types import (
        ASGI3Application,
        ASGIReceiveEvent,
        ASGISendEvent,
        HTTPRequestEvent,
        HTTPResponseBodyEvent,
        HTTPResponseStartEvent,
        HTTPScope,
    )

    from moorage.server.http.parser import RegistryHttpProtocol

_log = logging.getLogger("moorage.server")

_INVALID_NAME = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")
_INVALID_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_JOINED_BYTES = 64 * 1024
"""A body up to this size is copied behind its head, so that both leave in one segment."""


class ClientLeft(OSError):
    """Sent to a client that is gone (ASGI 2.4: `send` raises an OSError then)."""


class Exchange(RequestResponseCycle):
    """The ASGI side of one request. It is also the `Channel` that the extension offers, where the connection has a descriptor."""

    def __init__(
        self, protocol: RegistryHttpProtocol, scope: HTTPScope, expects_continue: bool, keep_alive: bool, body_size: int | None
    ) -> None:
        super().__init__(
            scope=scope,
            transport=protocol.transport,
            flow=protocol.flow,
            logger=protocol.logger,
            access_logger=protocol.access_logger,
            access_log=False,
            default_headers=protocol.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expects_continue,
            keep_alive=keep_alive,
            on_response=protocol.on_response_complete,
        )
        self.protocol = protocol
        self._agent = protocol.agent
        self._request_id: bytes = cast("Any", scope)[REQUEST_ID]
        self.broken = False
        """The rest of the body will never come, though the client may still listen."""
        self.bytes_in = 0
        self.gathering: Gathering | None = None
        """While a thread feeds the parser: where the body goes."""
        self.sink_error: Exception | None = None
        self._body_size = body_size
        self._marked = 0  # bytes that had come when the present time for some more began
        self._due: float | None = None  # when that ends
        self._status = 0
        self._bytes_out = 0
        self._begun = time.perf_counter()
        self._reported = False
        self._head = b""  # built, and held back until the first byte of the body
        self._ends_with_connection = False

    # What the server calls

    async def run_asgi(self, app: ASGI3Application) -> None:
        try:
            await app(self.scope, cast("Any", self.receive), self.send)
        except asyncio.CancelledError:
            # The server's time to shut down is over.
            self.protocol.abort()
            raise
        except ClientLeft:
            self.protocol.abort()
        except (StorageCorrupt, StoreUnavailable) as error:  # when the answer was under way: nothing is wrong with the program
            self._log("%s %s: %s", error)
            await self._fail()
        except Exception as error:  # the last resort: whatever the application did not handle
            self._log("unhandled error in %s %s", trace=error)
            await self._fail()
        else:
            if not self.response_complete and not self.disconnected and not self.transport.is_closing():
                if not self.broken:
                    self._log("no whole response to %s %s")
                await self._fail()
        finally:
            self.scope.get("extensions", {}).clear()  # it refers to this exchange
            self.on_response = _nothing
            self.protocol.ended(self)

    def _log(self, text: str, *more: object, trace: Exception | None = None) -> None:
        """An error, with the request's method and path, and its id."""
        path = shown(self.scope["raw_path"])
        _log.error(text, self.scope["method"], path, *more, exc_info=trace, extra={"request_id": self._request_id.decode()})

    def lost(self) -> None:
        """The connection has ended."""
        if not self.response_complete:
            self.disconnected = True
            self._bytes_out = max(0, self._bytes_out - self.transport.get_write_buffer_size())
            self._report(whole=False)
        self.message_event.set()

    def break_off(self) -> None:
        """The client sent something that is not HTTP where the body should go on."""
        self.broken = True
        self.keep_alive = False
        self.message_event.set()

    def may_begin_anew(self) -> bool:
        """Whether another response may take the place of the one that has been started: the head of that is still held back."""
        return bool(self._head) and not self.response_complete and not self.disconnected

    @property
    def head_left(self) -> bool:
        """Whether any byte of the response may have left."""
        return self.response_started and not self._head

    # What the application calls

    async def receive(self) -> ASGIReceiveEvent:
        self._continue()
        if not self._over():
            self.flow.resume_reading()
            if self.more_body:
                self._expect_body()
            await self.message_event.wait()
            self.message_event.clear()
            self.protocol.expect_nothing()
        if self._over():
            return {"type": "http.disconnect"}
        message: HTTPRequestEvent = {"type": "http.request", "body": bytes(self.body), "more_body": self.more_body}
        self.body = bytearray()
        return message

    async def send(self, message: ASGISendEvent) -> None:
        if self.disconnected:
            raise ClientLeft
        kind = message["type"]
        if kind == "http.response.start":
            if self.response_started and not self.may_begin_anew():
                raise RuntimeError("the response has been started already")
            start = cast("HTTPResponseStartEvent", message)
            self._start(start["status"], list(start.get("headers", ())))
        elif kind == "http.response.body":
            self._must_be_open()
            part = cast("HTTPResponseBodyEvent", message)
            await self._send_body(part.get("body", b""), part.get("more_body", False))
        else:
            raise RuntimeError(f"ASGI message {kind!r} is not supported")

    async def send_source(self, source: Source, start: int, stop: int) -> int:
        """Part of `Channel`: see `moorage.transfer.handover.send_source`."""
        self._must_be_open()
        if self.scope["method"] == "HEAD" or start == stop:
            await self._send_body(b"", False)
            return 0
        if self.chunked_encoding or self._ends_with_connection or self.expected_content_length != stop - start:
            raise ValueError(f"a body of {stop - start} bytes for a Content-Length of {self.expected_content_length}")
        step = Step.GONE
        with self.protocol.reading_held():
            await self.protocol.drained()
            if not self.disconnected:
                step = await self._send_turns(source, start, stop)
        if step is Step.DONE:
            self._complete()
        else:
            self.protocol.abort()
            self.lost()
        return self._bytes_out

    async def receive_into(self, sink: Sink) -> bool:
        """Part of `Channel`: see `moorage.transfer.handover.receive_into`."""
        self._continue()
        with self.protocol.reading_held():
            try:
                step = await self._receive_turns(sink)
            except asyncio.CancelledError:
                self.protocol.abort()
                raise
            except Exception:
                # The parser no longer knows where in the body the connection stands.
                self.keep_alive = False
                self.protocol.discard_rest()
                raise
        self.message_event.clear()
        if step is Step.DONE:
            return True
        if step is Step.BROKEN:
            self.protocol.refuse(400)
        else:
            self.protocol.abort()
            self.lost()
        return False

    # Inside

    def _expect_body(self) -> None:
        """The client has to go on sending, and not too slowly."""
        protocol = self.protocol
        if self._due is None or self.bytes_in - self._marked >= protocol.limits.stall_bytes:
            self._marked = self.bytes_in
            self._due = protocol.loop.time() + protocol.limits.stall_seconds
        protocol.deadline = self._due

    def _over(self) -> bool:
        return self.disconnected or self.broken or self.response_complete

    def _must_be_open(self) -> None:
        if not self.response_started or self.response_complete:
            raise RuntimeError("no response is under way")

    def _continue(self) -> None:
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.waiting_for_100_continue = False

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Build the head; it leaves with the first bytes of the body."""
        lines = [STATUS_LINE[status]]
        length: bytes | None = None
        says_close = False
        # Those of now, not of when the request came: clients take the Date of a long upload's answer for the server's clock.
        for name, value in self.protocol.server_state.default_headers + headers:
            lowered = _known_names.get(name) or _check_name(name)
            if lowered == b"content-length":
                length = value
            elif lowered == b"transfer-encoding":
                raise RuntimeError("the framing of the body is the server's business")
            elif lowered == b"connection" and b"close" in value.lower():
                says_close = True
            lines += (lowered, b": ", value, b"\r\n")
        if _INVALID_VALUE.search(b"".join(lines[3::4])):
            raise RuntimeError("a header field holds a control character")
        self.chunked_encoding = False
        if length is not None:
            self.expected_content_length = int(length)
        elif self.scope["method"] != "HEAD" and status not in {204, 304}:
            if self.scope["http_version"] == "1.0":
                self._ends_with_connection = True
            else:
                self.chunked_encoding = True
                lines.append(b"transfer-encoding: chunked\r\n")
        lines += (b"x-request-id: ", self._request_id, b"\r\n")
        if says_close or self._ends_with_connection or self.protocol.closing or not self._body_is_over():
            self.keep_alive = False
        if not self.keep_alive and not says_close:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)
        self._status = status
        self.response_started = True

    def _body_is_over(self) -> bool:
        """Whether the connection can be used again: the request's body is read, or so little is left that it may be dropped."""
        if not self.more_body:
            return True
        if self.waiting_for_100_continue or self._body_size is None or self.broken:
            return False  # after an early answer to Expect nobody knows whether the body will still come (RFC 9110, 10.1.1)
        return self._body_size - self.bytes_in <= self.protocol.limits.reuse_bytes

    async def _send_body(self, body: bytes, more_body: bool) -> None:
        content = self._framed(body, more_body)
        head, self._head = self._head, b""
        if head and len(content) <= _JOINED_BYTES:
            content, head = head + content, b""
        if head:
            self.transport.write(head)
        if content:
            self.transport.write(content)
        if self.flow.write_paused:
            await self.flow.drain()
            if self.disconnected:
                raise ClientLeft
        if not more_body:
            self._complete()

    def _framed(self, body: bytes, more_body: bool) -> bytes:
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            return b""
        if self.chunked_encoding:
            self._bytes_out += len(body)
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk if more_body else chunk + b"0\r\n\r\n"
        if not self._ends_with_connection:
            left = self.expected_content_length - len(body)
            if left < 0 or (left > 0 and not more_body and self._status != 304):
                raise RuntimeError(f"the body differs from its Content-Length by {left} bytes")
            self.expected_content_length = left
        self._bytes_out += len(body)
        return body

    async def _send_turns(self, source: Source, start: int, stop: int) -> Step:
        with self.protocol.descriptor() as connection:
            sending = Sending(connection, self.protocol.pool, source, range(start, stop), self._head)
            try:
                return await take_turns(sending, connection, self.protocol.pool, self.protocol.limits.stall_seconds)
            except BaseException:
                if len(sending.head) < len(self._head):
                    self.protocol.abort()
                raise
            finally:
                self._bytes_out += sending.position - start
                if len(sending.head) < len(self._head):
                    self._head = b""

    async def _receive_turns(self, sink: Sink) -> Step:
        pool = self.protocol.pool
        if self.body:
            data, self.body = self.body, bytearray()
            await pool.run(fill, sink, data)
        if not self.more_body:
            return Step.DONE
        if self.broken:
            return Step.BROKEN
        if self.disconnected:
            return Step.GONE
        with self.protocol.descriptor() as connection:
            if self._body_size is None:
                return await self._receive_chunks(sink, connection)
            receiving = Receiving(connection, pool, sink, self._body_size - self.bytes_in)
            try:
                step = await self._take_in(receiving, connection)
            finally:
                self.bytes_in += receiving.received
        if step is Step.DONE:
            self.more_body = False
            self.protocol.restart_parser()
        return step

    async def _take_in(self, receiving: Receiving | ReceivingChunks, connection: Any) -> Step:
        limits = self.protocol.limits
        return await take_turns(receiving, connection, self.protocol.pool, limits.stall_seconds, limits.stall_bytes)

    async def _receive_chunks(self, sink: Sink, connection: Any) -> Step:
        self.gathering = Gathering(sink)
        receiving = ReceivingChunks(connection, self.protocol.pool, self.protocol.feed_in_thread, self.gathering.flush)
        try:
            step = await self._take_in(receiving, connection)
        finally:
            self.gathering = None
        self.protocol.fed_in_thread()
        return step

    def _complete(self) -> None:
        self.response_complete = True
        self._head = b""
        self.message_event.set()
        self._report(whole=True)
        if not self.keep_alive:
            self.protocol.end_connection()
        self.on_response()

    async def _fail(self) -> None:
        """The application gave up: an error if nothing has left yet, else a connection that visibly breaks off."""
        if self.response_complete or self.disconnected or self.transport.is_closing():
            return
        if self.head_left:
            self.protocol.abort()
            return
        status, text = (400, b"Bad Request\n") if self.broken else (500, b"Internal Server Error\n")
        self.keep_alive = self.keep_alive and self._body_is_over()
        self._ends_with_connection = False
        self._start(status, [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(text))])
        try:
            await self._send_body(text, False)
        except ClientLeft:
            self.protocol.abort()

    def _report(self, whole: bool) -> None:
        if self._reported:
            return
        self._reported = True
        scope = self.scope
        self.protocol.on_finished(
            FinishedRequest(
                scope["method"],
                scope["raw_path"],
                self._status if self.head_left or whole else 0,
                self.bytes_in,
                self._bytes_out,
                whole,
                scope["client"],  # a trusted proxy's word, where there is one
                self._agent,
                cast("Any", scope).get(EVENT),
                self._begun,
                time.perf_counter(),
                self._request_id,
            )
        )


_known_names: dict[bytes, bytes] = {}


def _check_name(name: bytes) -> bytes:
    """A header's name in lower case. Names come from this program, so there are few, and each is looked at once."""
    lowered = name.lower()
    if _INVALID_NAME.search(lowered):
        raise RuntimeError(f"invalid header field {name!r}")
    if len(_known_names) < 256:
        _known_names[name] = lowered
    return lowered


def _nothing() -> None:
    """What a finished exchange calls instead of its protocol."""
