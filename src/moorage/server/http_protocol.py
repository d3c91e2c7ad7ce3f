"""HTTP/1.1 on a connection: httptools parses, one exchange at a time answers, bounds hold against hostile peers.

Plugged into uvicorn (``Config(http=...)``), which owns listening, signals and shutdown. It takes the place of
uvicorn's own protocol because bodies have to be handed to threads together with the descriptor
(docs/decisions/0002-byte-path.md), and because heads need limits.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from email.utils import formatdate
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast
from urllib.parse import unquote

import httptools

from moorage.server.http_exchange import HIGH_WATER_BYTES, HttpExchange, Mover
from moorage.server.http_options import HttpOptions
from moorage.transfer.handover import EXTENSION

P = ParamSpec("P")
T = TypeVar("T")

HEAD_BYTES = 64 * 1024
"""A request's line and headers in all."""
_HEADERS = 200
_PIPELINED = 32
HEAD_SECONDS = 20.0
"""From the first byte of a head to its last: a slower peer is cut off."""
KEEP_ALIVE_SECONDS = 75.0
_TICK_SECONDS = 5.0


class _HeadTooLarge(Exception):
    pass


class HttpProtocol(asyncio.Protocol):
    """A connection."""

    def __init__(
        self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self._loop = _loop or asyncio.get_event_loop()
        self._options: HttpOptions = config.moorage
        self._app: Callable[..., Any] = config.loaded_app
        self._connections: set[Any] = server_state.connections
        self._tasks: set[asyncio.Task[None]] = server_state.tasks
        self._state = server_state
        self._parser = self._new_parser()
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._socket: Any = None
        self._exchange: HttpExchange | None = None
        self._parsing: HttpExchange | None = None
        self._pipeline: deque[HttpExchange] = deque()
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._in_head = False
        self._paused = False
        self._held = 0
        self._write_paused = False
        self._writable: asyncio.Future[None] | None = None
        self._deadline = 0.0
        self._closing = False
        self._scheme = "http"
        self._client: tuple[str, int] | None = None
        self._server: tuple[str, int] | None = None

    def _new_parser(self) -> Any:
        return httptools.HttpRequestParser(self)

    # Transport callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)
        peer, here = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._client = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else None
        self._server = (str(here[0]), int(here[1])) if isinstance(here, tuple) else None
        if transport.get_extra_info("sslcontext") is not None:
            self._scheme = "https"
        else:
            self._socket = transport.get_extra_info("socket")
        self._deadline = time.monotonic() + HEAD_SECONDS
        self._options.watch(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._closing = True
        self._options.unwatch(self)
        for exchange in (self._exchange, self._parsing, *self._pipeline):
            if exchange is not None:
                exchange.disconnect()
        self._pipeline.clear()
        self.resume_writing()

    def eof_received(self) -> bool:
        # A peer that has sent all it has may still read the answer; one that left in the middle of a request gets none.
        return self._exchange is not None and not self._exchange.more_body

    def data_received(self, data: bytes) -> None:
        if self._in_head or self._parsing is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
            if self._in_head and self._head_bytes > HEAD_BYTES:
                raise _HeadTooLarge
        except _HeadTooLarge:
            self._refuse(431, "the request's line and headers are larger than 64 KiB")
        except httptools.HttpParserUpgrade:
            pass  # nothing is upgraded: the request is answered as the HTTP that it is
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, _HeadTooLarge):
                self._refuse(431, "the request's line and headers are larger than 64 KiB")
            else:
                self._refuse(400, "this is not HTTP/1.1 as RFC 9112 has it")

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # Parser callbacks.

    def on_message_begin(self) -> None:
        self._url, self._headers, self._in_head = b"", [], True
        self._deadline = time.monotonic() + HEAD_SECONDS

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > HEAD_BYTES:
            raise _HeadTooLarge

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))
        if len(self._headers) > _HEADERS:
            raise _HeadTooLarge

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._deadline = 0.0
        scope, length, chunked, expects = self._scope()
        keep_alive = self._parser.should_keep_alive() and self._parser.get_http_version() == "1.1"
        exchange = HttpExchange(self, scope, keep_alive=keep_alive and not self._closing, expects_continue=expects)
        exchange.body_left = None if chunked else length
        if self._socket is not None and self._scheme == "http":
            scope["extensions"] = {EXTENSION: Mover(exchange)}
        self._parsing = exchange
        if self._exchange is None:
            self._start(exchange)
        else:
            self._pipeline.append(exchange)
            self._pause()
            if len(self._pipeline) > _PIPELINED:
                self._refuse(400, "too many requests are pipelined")

    def _scope(self) -> tuple[dict[str, Any], int, bool, bool]:
        url = httptools.parse_url(self._url)
        raw_path: bytes = url.path or b"/"
        length, chunked, expects = 0, False, False
        for name, value in self._headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                chunked = True
            elif name == b"expect" and value.lower() == b"100-continue":
                expects = True
        path = raw_path.decode("latin-1")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self._parser.get_http_version(),
            "server": self._server,
            "client": self._client,
            "scheme": self._scheme,
            "root_path": "",
            "method": self._parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": url.query or b"",
            "headers": self._headers,
        }
        return scope, length, chunked, expects

    def on_body(self, body: bytes) -> None:
        if self._parsing is None:
            return
        self._parsing.feed(body)
        if self._parsing.waiting_bytes > HIGH_WATER_BYTES:
            self._pause()

    def on_message_complete(self) -> None:
        if self._parsing is not None:
            self._parsing.end_body()
            self._parsing = None
            self._head_bytes = 0

    # What exchanges ask for.

    def _start(self, exchange: HttpExchange) -> None:
        self._exchange = exchange
        task = self._loop.create_task(exchange.run(self._app))
        exchange.task = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def write(self, data: bytes) -> None:
        """Write to the peer."""
        if not self._closing:
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait while the peer is slow to read."""
        if self._write_paused and not self._closing:
            self._writable = self._loop.create_future()
            await self._writable

    async def flushed(self) -> None:
        """Wait until the transport holds nothing back, so that a thread may write to the descriptor."""
        self._transport.set_write_buffer_limits(0)
        try:
            while not self._closing and self._transport.get_write_buffer_size():
                if self._write_paused:
                    await self.drain()
                else:
                    await asyncio.sleep(0)
        finally:
            if not self._closing:
                self._transport.set_write_buffer_limits()

    def duplicate(self) -> socket.socket:
        """The connection's socket under a descriptor of its own, which stays valid whatever the transport does."""
        return socket.fromfd(self._socket.fileno(), self._socket.family, self._socket.type)

    async def in_pool(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run blocking work on a body."""
        return await self._loop.run_in_executor(self._options.pool, partial(function, *args, **kwargs))

    async def writable(self, descriptor: socket.socket) -> None:
        """Wait until the peer takes more."""
        waiting = self._loop.create_future()
        self._loop.add_writer(descriptor.fileno(), _wake, waiting)
        try:
            await waiting
        finally:
            self._loop.remove_writer(descriptor.fileno())

    async def readable(self, descriptor: socket.socket) -> None:
        """Wait until the peer has sent more."""
        waiting = self._loop.create_future()
        self._loop.add_reader(descriptor.fileno(), _wake, waiting)
        try:
            await waiting
        finally:
            self._loop.remove_reader(descriptor.fileno())

    @contextlib.contextmanager
    def holding_reading(self) -> Iterator[None]:
        """Keep the event loop from reading while a thread works on the connection."""
        self.hold_reading()
        try:
            yield
        finally:
            self.release_reading()

    def hold_reading(self) -> None:
        """See `holding_reading`."""
        self._held += 1
        self._pause()

    def release_reading(self) -> None:
        """See `holding_reading`."""
        self._held -= 1
        self.resume_reading()

    def _pause(self) -> None:
        if not self._paused and not self._closing:
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on, unless a thread has the connection or requests wait for their turn."""
        if self._paused and not self._held and not self._pipeline and not self._closing:
            self._paused = False
            self._transport.resume_reading()

    def body_was_taken(self) -> None:
        """A thread has read the body to its end behind the parser's back: the next byte begins a new request."""
        if self._parsing is not None:
            self._parsing.more_body = False
            self._parsing = None
        self._parser = self._new_parser()
        self._head_bytes = 0

    def body_is_abandoned(self) -> None:
        """Nobody will read the rest of the body."""
        self._parser = self._new_parser()
        self._parsing = None
        self._drop_input()

    def _drop_input(self) -> None:
        """What still comes is dropped, for as long as a client needs to see the answer."""
        self.data_received = _dropping(self)  # type: ignore[method-assign,assignment]  # this connection has no other use for input

    def answered(self, exchange: HttpExchange) -> None:
        """A response is out: go on with the next request, or end."""
        self._state.total_requests += 1
        self._exchange = None
        if not exchange.keep_alive or self._closing:
            self._linger_or_close(exchange)
            return
        if self._pipeline:
            self._start(self._pipeline.popleft())
        else:
            self._deadline = time.monotonic() + KEEP_ALIVE_SECONDS
        self.resume_reading()

    def _linger_or_close(self, exchange: HttpExchange) -> None:
        """Close; a client that is still sending is given a moment to read the answer before it sees a reset."""
        if not exchange.more_body or self._closing:
            self._transport.close()
            return
        self._drop_input()
        self.resume_reading()
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._deadline = time.monotonic() + 2.0

    def abort(self) -> None:
        """End the connection at once."""
        if not self._closing:
            self._closing = True
            self._transport.abort()

    def date(self) -> bytes:
        """The Date header, made once a second."""
        return self._options.date()

    def observe(self, exchange: HttpExchange) -> None:
        """An exchange is over: tell the access hook."""
        scope = exchange.scope
        self._options.on_access(
            scope["method"],
            scope["raw_path"],
            exchange.status,
            exchange.received,
            exchange.sent,
            time.perf_counter() - exchange.started_at,
            self._client[0] if self._client else "",
        )

    # Uvicorn and time.

    def shutdown(self) -> None:
        """The server ends: close now, or after the response that is on its way."""
        if self._exchange is None:
            self._transport.close()
        else:
            self._exchange.keep_alive = False

    def check_time(self, now: float) -> None:
        """Called every few seconds: cut off a head that does not come, an idle connection, or one that lingers."""
        if self._deadline and now > self._deadline and self._exchange is None and not self._closing:
            self._transport.close()

    def _refuse(self, status: int, message: str) -> None:
        if self._closing:
            return
        body = message.encode() + b"\n"
        phrase = b"Bad Request" if status == 400 else b"Request Header Fields Too Large"
        if self._exchange is None or not self._exchange.status:
            self._transport.write(
                b"HTTP/1.1 %d %b\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
                % (status, phrase, len(body), body)
            )
        if self._exchange is not None:
            self._exchange.disconnect()
        self._drop_input()
        self._transport.close()
        self._closing = True


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _dropping(protocol: HttpProtocol) -> Callable[[bytes], None]:
    left = 64 * 1024 * 1024

    def drop(data: bytes) -> None:
        nonlocal left
        left -= len(data)
        if left < 0:
            protocol.abort()

    return drop


def http_date() -> bytes:
    """Now, as RFC 9110 writes it."""
    return formatdate(time.time(), usegmt=True).encode()
