"""One request and its response on a connection, as an ASGI application sees them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Protocol

from moorage.events.event import EVENT
from moorage.events.record import FinishedRequest
from moorage.model.errors import StorageCorrupt
from moorage.model.shown import shown
from moorage.server.http.answer import Answer
from moorage.server.http.connection import Connection
from moorage.server.http.parser import Event, RequestHead, RequestParser
from moorage.server.http.site import Site
from moorage.storage.blob_store import StoreUnavailable
from moorage.transfer.handover import ClientLeft, Message, Scope
from moorage.wire.http import REQUEST_ID

_log = logging.getLogger("moorage.server")

_READ_AHEAD_BYTES = 256 * 1024
"""Reading pauses when more of a body than this waits for the application."""
_JOINED_BYTES = 64 * 1024
"""A body up to this size is copied behind its head, so that both leave in one segment."""


class Pipeline(Protocol):
    """The requests of a connection in their order, as the one whose turn it is sees them."""

    parser: RequestParser

    @property
    def is_closing(self) -> bool:
        """Whether the response under way is the last."""

    def completed(self, cycle: RequestCycle) -> None:
        """The response is whole: the next one's turn."""

    def returned(self, cycle: RequestCycle) -> None:
        """The application has returned."""

    def came_behind(self, events: Sequence[Event]) -> None:
        """A thread that read a body has come upon what follows it."""

    def refuse(self, status: int, agent: bytes, *, in_body: bool) -> None:
        """What came is not acceptable HTTP: say so when its turn comes, then close."""


class RequestCycle:
    """A request whose head has come, until its response is whole or its client gone."""

    __slots__ = (
        "_begun", "_due", "_has_news", "_is_reported", "_marked", "_news", "_request_id", "answer", "body", "bytes_in",
        "connection", "head", "is_broken", "is_complete", "is_disconnected", "keep_alive", "more_body", "pipeline", "scope",
        "site", "waits_to_continue",
    )  # fmt: skip

    def __init__(self, connection: Connection, pipeline: Pipeline, site: Site, head: RequestHead, scope: Scope) -> None:
        self.connection = connection
        self.pipeline = pipeline
        self.site = site
        self.head = head
        self.scope = scope
        self.body = bytearray()
        """What has come of the body and waits for the application."""
        self.bytes_in = 0
        """How much of it has come in all."""
        self.more_body = head.length != 0
        self.waits_to_continue = head.expects_continue
        self.keep_alive = head.keep_alive
        self.is_broken = False
        """The rest of the body will never come, though the client may still listen."""
        self.is_disconnected = False
        self.answer: Answer | None = None
        """The response, once it is started."""
        self.is_complete = False
        """The response is."""
        self._has_news = not self.more_body  # for `receive`
        self._news: asyncio.Event | None = None  # set with that, where somebody waits
        self._request_id: bytes = scope[REQUEST_ID]
        self._marked = 0  # bytes that had come when the present time for some more began
        self._due: float | None = None  # when that ends
        self._begun = time.perf_counter()
        self._is_reported = False

    # What the pipeline calls

    async def run(self) -> None:
        """Have the application answer."""
        try:
            await self.site.app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            # The server's time to shut down is over.
            self.connection.abort()
            raise
        except ClientLeft:
            self.connection.abort()
        except (StorageCorrupt, StoreUnavailable) as error:  # when the answer was under way: nothing is wrong with the program
            self._tell("%s %s: %s", error)
            await self._fail()
        except Exception as error:  # the last resort: whatever the application did not handle
            self._tell("unhandled error in %s %s", trace=error)
            await self._fail()
        else:
            if not self.is_complete and not self.is_disconnected and not self.connection.is_closing:
                if not self.is_broken:
                    self._tell("no whole response to %s %s")
                await self._fail()
        finally:
            self.scope["extensions"].clear()  # it refers to this cycle
            self.pipeline.returned(self)

    def take(self, piece: bytes) -> None:
        """A piece of the body has come."""
        if self.is_complete:
            return
        self.bytes_in += len(piece)
        self.body += piece
        if len(self.body) > _READ_AHEAD_BYTES:
            self.connection.pause_reading()
        self._tell_news()

    def take_end(self) -> None:
        """The body is whole."""
        self.more_body = False
        self._tell_news()

    def lost(self) -> None:
        """The connection has ended."""
        if not self.is_complete:
            self.is_disconnected = True
            if self.answer is not None:
                buffered = self.connection.transport.get_write_buffer_size()
                self.answer.bytes_out = max(0, self.answer.bytes_out - buffered)
            self._report(whole=False)
        self._tell_news()

    def break_off(self) -> None:
        """The client sent something that is not HTTP where the body should go on."""
        self.is_broken = True
        self.keep_alive = False
        self._tell_news()

    # What the application calls

    async def receive(self) -> Message:
        """ASGI: the next of the body, or that nothing more will come."""
        self.let_body_come()
        if not self._is_over():
            self.connection.resume_reading()
            if self.more_body:
                self._expect_body()
            await self._news_come()
            self._has_news = False
            self.connection.expect_nothing()
        if self._is_over():
            return {"type": "http.disconnect"}
        message = {"type": "http.request", "body": bytes(self.body), "more_body": self.more_body}
        self.body = bytearray()
        return message

    async def send(self, message: Message) -> None:
        """ASGI: the head of the response, or the next of its body. Raises ClientLeft."""
        if self.is_disconnected:
            raise ClientLeft
        kind = message["type"]
        if kind == "http.response.start":
            if self.answer is not None and not self.may_begin_anew():
                raise RuntimeError("the response has been started already")
            self._start(message["status"], message.get("headers", ()))
        elif kind == "http.response.body":
            await self.send_body(self.open_answer(), message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"ASGI message {kind!r} is not supported")

    def may_begin_anew(self) -> bool:
        """Whether another response may take the place of the one that has been started: the head of that is still held back."""
        return self.answer is not None and bool(self.answer.head) and not self.is_complete and not self.is_disconnected

    # What the way of threads shares (`descriptor_channel`)

    def open_answer(self) -> Answer:
        """The response that is under way. Raises RuntimeError if none is."""
        if self.answer is None or self.is_complete:
            raise RuntimeError("no response is under way")
        return self.answer

    def let_body_come(self) -> None:
        """Tell a client that waits for it to go on."""
        if self.waits_to_continue and not self.connection.is_closing:
            self.connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.waits_to_continue = False

    def body_settled(self) -> None:
        """The body was taken in another way than `receive`."""
        self._has_news = False

    async def send_body(self, answer: Answer, body: bytes, more_body: bool) -> None:
        """Send the next of the body, behind the head if that has not left. Raises ClientLeft."""
        transport = self.connection.transport
        content = answer.framed(body, more_body)
        head, answer.head = answer.head, b""
        if head and len(content) <= _JOINED_BYTES:
            content, head = head + content, b""
        if head:
            transport.write(head)
        if content:
            transport.write(content)
        if self.connection.is_writing_paused:
            await self.connection.writable()
            if self.is_disconnected:
                raise ClientLeft
        if not more_body:
            self.complete()

    def complete(self) -> None:
        """The response is whole."""
        self.is_complete = True
        if self.answer is not None:
            self.answer.head = b""
        self._tell_news()
        self._report(whole=True)
        self.pipeline.completed(self)

    def answered(self) -> None:
        """Its answer has left without the application, and was reported."""
        self.is_complete = self._is_reported = True
        self.scope["extensions"].clear()
        self.pipeline.completed(self)

    # Inside

    def _tell_news(self) -> None:
        self._has_news = True
        if self._news is not None:
            self._news.set()

    async def _news_come(self) -> None:
        if not self._has_news:
            if self._news is None or self._news.is_set():
                self._news = asyncio.Event()
            await self._news.wait()

    def _tell(self, text: str, *more: object, trace: Exception | None = None) -> None:
        """Log an error with the request's method and path, and its id."""
        path = shown(self.head.raw_path)
        _log.error(text, self.head.method, path, *more, exc_info=trace, extra={"request_id": self._request_id.decode()})

    def _expect_body(self) -> None:
        """The client has to go on sending, and not too slowly."""
        connection = self.connection
        if self._due is None or self.bytes_in - self._marked >= connection.limits.stall_bytes:
            self._marked = self.bytes_in
            self._due = connection.loop.time() + connection.limits.stall_seconds
        connection.deadline = self._due

    def _is_over(self) -> bool:
        return self.is_disconnected or self.is_broken or self.is_complete

    def _start(self, status: int, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """Make the head; it leaves with the first bytes of the body."""
        self.answer = Answer(
            status,
            fields,
            date=self.site.state.date,
            request_id=self._request_id,
            keep_alive=self.keep_alive and not self.pipeline.is_closing and self._body_is_over(),
            to_head=self.head.method == "HEAD",
            to_1_0=self.head.version == "1.0",
        )
        self.keep_alive = self.answer.keep_alive

    def _body_is_over(self) -> bool:
        """Whether the connection can be used again: the request's body is read, or so little is left that it may be dropped."""
        if not self.more_body:
            return True
        length = self.head.length
        if self.waits_to_continue or length is None or self.is_broken:
            return False  # after an early answer to Expect nobody knows whether the body will still come (RFC 9110, 10.1.1)
        return length - self.bytes_in <= self.connection.limits.reuse_bytes

    async def _fail(self) -> None:
        """The application gave up: an error if nothing has left yet, else a connection that visibly breaks off."""
        if self.is_complete or self.is_disconnected or self.connection.is_closing:
            return
        if self.answer is not None and not self.answer.head:
            self.connection.abort()
            return
        status, text = (400, b"Bad Request\n") if self.is_broken else (500, b"Internal Server Error\n")
        self._start(status, [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(text))])
        try:
            await self.send_body(self.open_answer(), text, False)
        except ClientLeft:
            self.connection.abort()

    def _report(self, whole: bool) -> None:
        if self._is_reported:
            return
        self._is_reported = True
        head, scope, answer = self.head, self.scope, self.answer
        has_left = answer is not None and (whole or not answer.head)
        self.site.terms.on_finished(
            FinishedRequest(
                head.method,
                head.raw_path,
                answer.status if answer is not None and has_left else 0,
                self.bytes_in,
                answer.bytes_out if answer is not None else 0,
                whole,
                scope["client"],  # a trusted proxy's word, where there is one
                head.agent,
                scope.get(EVENT),
                self._begun,
                time.perf_counter(),
                self._request_id,
            )
        )
