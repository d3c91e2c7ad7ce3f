"""HTTP/1.1 for the registry: uvicorn's protocol with bounds on everything a client decides, and bodies moved by threads.

What uvicorn's `HttpToolsProtocol` does not do and this one does:

* offers the extension `moorage.transfer.handover.EXTENSION` on plain sockets;
* bounds head, target, trailers, pipelining, and the time for each; answers 400, 408, 414, 431, 505 itself, in their turn;
* reads and drops a bounded rest of a body that was answered early, so that clients see the answer;
* keeps path and query as they came, tolerates ``Upgrade`` (h2c from Java clients) also on requests with a body;
* reports each request, with the bytes that really moved.

Timing needs no timers per request: each connection has one `deadline`, and the server sweeps over all connections now and then.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from moorage.events.event import EVENT
from moorage.events.record import FinishedRequest
from moorage.server.http.exchange import Exchange
from moorage.server.http.framing import is_framed, is_host
from moorage.server.http.request_ids import RequestIds
from moorage.server.http.socket_io import BrokenFraming, unacknowledged_bytes
from moorage.server.http.terms import HttpTerms
from moorage.transfer.handover import EXTENSION
from moorage.wire.http import REQUEST_ID

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import HTTPScope
    from uvicorn.config import Config
    from uvicorn.server import ServerState

_READ_AHEAD_BYTES = 256 * 1024
"""Reading pauses when more of a body than this waits for the application."""
_REFUSED_LINGER_SECONDS = 2.0
"""How long a client may take to read that its request was refused."""
_ASGI = {"version": "3.0", "spec_version": "2.4"}


class _Refused(Exception):
    """Raised in a parser's callback to stop it; the status is kept in the protocol."""


class _Flow(FlowControl):
    """Flow control whose reading stays paused while a thread has the descriptor."""

    held = False

    def resume_reading(self) -> None:
        if not self.held and not self._transport.is_closing():
            super().resume_reading()

    def pause_reading(self) -> None:
        if not self._transport.is_closing():
            super().pause_reading()


class RegistryHttpProtocol(HttpToolsProtocol):
    """One connection. `config` is the `HttpConfig` of `moorage.server.run`, which carries the terms."""

    flow: _Flow
    cycle: Exchange  # the last one whose head has come: not always the one that is running

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        terms: HttpTerms = cast("Any", config).terms
        self._ids: RequestIds = cast("Any", config).ids
        self.terms = terms
        self.limits = terms.limits
        self.pool = terms.transfers
        self.on_finished = terms.on_finished
        self._on_lost: Callable[[], None] = cast("Any", config).on_lost
        self.running: Exchange | None = None
        self.deadline: float | None = None
        """When to look at this connection again, in the loop's time; None: it waits for the application."""
        self.closing = False
        """The server shuts down: the response under way is the last."""
        self._has_descriptor = False
        self._discarding = False
        self._lingering = False
        self._discard_left = terms.limits.linger_bytes
        self._fault = 0
        self._unsent = 0
        # Of the request whose head or body is being parsed:
        self._idle = False
        self._in_head = True
        self._head_ended = False  # during the current piece of data, so that it is not counted as part of the next head
        self._quiet_bytes = 0  # received since the parser last had something to show for it
        self._head_bytes = 0
        self.agent = b""
        self._hosts: tuple[bytes, ...] = ()
        self._codings: tuple[bytes, ...] = ()
        self._lengths: tuple[bytes, ...] = ()
        self._length: int | None = 0  # None: chunked
        self._upgrading = False
        self._answered = False  # at once: nothing is left to do at its end
        self._priming = False
        self._body_seen = False
        self._broken_late = False

    # Transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn: transports differ by kind
        super().connection_made(transport)
        self.flow = _Flow(transport)
        self.deadline = self.loop.time() + self.limits.head_seconds
        plain = self.terms.handover and self.scheme == "http"
        self._has_descriptor = plain and transport.get_extra_info("socket") is not None
        if self.closing or transport.is_closing():
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self)
        self._on_lost()
        self.deadline = None
        self.pipeline.clear()
        for exchange in {self.running, self.cycle} - {None}:
            cast("Exchange", exchange).lost()
        self.flow.resume_writing()
        if self.running is None:
            self.cycle = None  # type: ignore[assignment]  # uvicorn starts with None as well; this breaks a reference cycle
        self.parser = None  # type: ignore[assignment]  # as in uvicorn: it holds callbacks of this object

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            self._discard(len(data))
            return
        if self._idle:
            self._idle = False
            self.deadline = self.loop.time() + self.limits.head_seconds
        self._head_ended = self._body_seen = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.refuse(self._fault or 400)
        else:
            if not self._count_quiet(len(data)):
                self.refuse(431 if self._in_head else 400)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unsent = self._unsent_bytes()
        self.expect_progress()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.expect_nothing()

    # Parser

    def restart_parser(self) -> None:
        """A thread has taken the rest of the body from the socket: what comes next is a new request."""
        self.parser = httptools.HttpRequestParser(self)
        self._in_head = True
        self._quiet_bytes = 0

    def feed_in_thread(self, data: memoryview) -> bool:
        """Feed the parser in the thread that has the descriptor; True when the body is complete. See `ReceivingChunks`."""
        exchange = self.running
        assert exchange is not None
        self._head_ended = self._body_seen = False
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if exchange.more_body:
                raise BrokenFraming from None
            self._broken_late = True
        if exchange.sink_error is not None:
            raise exchange.sink_error
        if exchange.more_body and not self._count_quiet(len(data)):
            raise BrokenFraming
        return not exchange.more_body

    def fed_in_thread(self) -> None:
        """Back on the loop: what the thread has seen behind the body."""
        if self._broken_late:
            self._broken_late = False
            self.refuse(self._fault or 400)

    def on_message_begin(self) -> None:
        if self._priming:
            return
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._head_bytes = 0
        self.agent = b""
        self._hosts = self._codings = self._lengths = ()
        self._length = 0

    def on_url(self, url: bytes) -> None:
        if self._priming:
            return
        self.url += url
        if len(self.url) > self.limits.target_bytes:
            self._stop(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._priming or not self._in_head:
            return  # trailers are not header fields (RFC 9110, 6.5)
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes + len(self.url) > self.limits.head_bytes or len(self.headers) >= self.limits.header_fields:
            self._stop(431)
        name = name.lower()
        if name == b"host":
            self._hosts += (value,)
        elif name == b"content-length":
            self._lengths += (value,)
        elif name == b"transfer-encoding":
            self._codings += (value,)
        elif name == b"user-agent":
            self.agent = value
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_ended = True
        self._quiet_bytes = 0
        if self._priming:
            self._priming = False
            return
        parser = self.parser
        version = parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            self._stop(505)
        hosts = self._hosts
        if len(hosts) != 1 if version == "1.1" else len(hosts) > 1:
            self._stop(400)  # RFC 9112, 3.2
        if hosts and not is_host(hosts[0]):
            self._stop(400)
        if self._codings or self._lengths:
            self._expect_body(version)
        if len(self.pipeline) >= self.limits.pipelined_requests:
            self._stop(503)
        self._upgrading = parser.should_upgrade()
        keep_alive = version == "1.1" and parser.should_keep_alive()
        method = parser.get_method().decode("ascii")
        self.scope = self._new_scope(method, version)
        cast("Any", self.scope)[REQUEST_ID] = self._ids.next()
        if keep_alive and method in {"GET", "HEAD"} and self._answer_at_once():
            return
        exchange = Exchange(self, self.scope, self.expect_100_continue, keep_alive, self._length)
        offer: dict[str, Any] = {"pool": self.pool, "may_begin_anew": exchange.may_begin_anew}
        if self._has_descriptor:
            offer["channel"] = exchange
        cast("Any", self.scope)["extensions"] = {EXTENSION: offer}
        waiting = self.running is not None
        self.cycle = exchange
        if waiting:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, self.app))
        else:
            self.deadline = None
            self._run(exchange)

    def _answer_at_once(self) -> bool:
        """Answer without a task or an `Exchange`, if the application can and no other request is before it."""
        if (
            self.running is not None
            or self._length != 0
            or self._upgrading
            or self.expect_100_continue
            or self.closing
            or self.flow.write_paused
            or self.transport.is_closing()
        ):
            return False
        begun = time.perf_counter()
        scope = cast("Any", self.scope)
        answer = self.terms.at_once(scope)
        if answer is None:
            return False
        request_id: bytes = scope[REQUEST_ID]
        self.transport.write(b"".join((STATUS_LINE[answer.status], self._fields(request_id), answer.head, b"\r\n", answer.body)))
        self._answered = True
        self.server_state.total_requests += 1
        who = scope["client"], self.agent, scope.get(EVENT)
        times = begun, time.perf_counter()
        self.on_finished(
            FinishedRequest(
                scope["method"], scope["raw_path"], answer.status, 0, len(answer.body), True, *who, *times, request_id
            )
        )
        return True

    def _fields(self, request_id: bytes) -> bytes:
        """What every answer carries: its Date, and the request's id. No application sets them."""
        return b"date: %b\r\nx-request-id: %b\r\n" % (self.server_state.default_headers[0][1], request_id)

    def on_body(self, body: bytes) -> None:
        self._body_seen = True
        exchange = self.cycle
        if exchange.response_complete:
            return
        exchange.bytes_in += len(body)
        if exchange.gathering is not None:
            if exchange.sink_error is None:
                try:
                    exchange.gathering.copy(body)
                except Exception as error:  # it must not pass through the parser, which would swallow it
                    exchange.sink_error = error
            return
        exchange.body += body
        if len(exchange.body) > _READ_AHEAD_BYTES:
            self.flow.pause_reading()
        exchange.message_event.set()

    def on_message_complete(self) -> None:
        if self._upgrading:
            return  # it is complete for a parser that believes in the upgrade
        self._in_head = True
        self._head_ended = True
        self._quiet_bytes = 0
        if self._answered:
            self._answered = False
            self._wait_for_request()
            return
        exchange = self.cycle
        exchange.more_body = False
        if exchange.response_complete:
            self._wait_for_request()
        elif exchange.gathering is None:
            exchange.message_event.set()

    # Exchanges

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self.running = None
        if self.transport.is_closing() or self._lingering:
            return
        if self.pipeline:
            exchange, _ = self.pipeline.pop()
            self.flow.resume_reading()
            self._run(cast("Exchange", exchange))
        elif self._fault:
            self._answer_fault()
        elif self.closing:
            self.transport.close()
        else:
            self._wait_for_request()
            self.flow.resume_reading()

    def ended(self, exchange: Exchange) -> None:
        """The application has returned."""
        if exchange.disconnected and self.running is exchange:
            self.running = None
            self.cycle = None  # type: ignore[assignment]  # as in `connection_lost`

    def expect_progress(self) -> None:
        """The client has to move: if it does not, the sweep closes the connection."""
        self.deadline = self.loop.time() + self.limits.stall_seconds

    def expect_nothing(self) -> None:
        """The application has to move."""
        if not self._lingering and not self.flow.write_paused and not self.transport.is_closing():
            self.deadline = None

    @contextlib.contextmanager
    def reading_held(self) -> Iterator[None]:
        """Leave the incoming bytes in the socket. Reading goes on with the next `receive`, or after the response."""
        self.flow.held = True
        self.flow.pause_reading()
        try:
            yield
        finally:
            self.flow.held = False

    @contextlib.contextmanager
    def descriptor(self) -> Iterator[socket.socket]:
        """A duplicate of the connection's descriptor, for a thread."""
        original = self.transport.get_extra_info("socket")
        duplicate = socket.socket(original.family, original.type, original.proto, fileno=os.dup(original.fileno()))
        try:
            yield duplicate
        finally:
            duplicate.close()

    async def drained(self) -> None:
        """Wait until the transport has nothing left to write, so that a thread's bytes cannot overtake it."""
        if self.transport.get_write_buffer_size() and not self.transport.is_closing():
            self.transport.set_write_buffer_limits(0)
            await self.flow.drain()
            if not self.transport.is_closing():
                self.transport.set_write_buffer_limits()

    def abort(self) -> None:
        """End the connection at once, dropping what is buffered."""
        if self.transport is not None:
            self.transport.abort()

    def end_connection(self) -> None:
        """The last response has been written. What is left of the request is dropped for a while, then the connection closes."""
        if self.transport.is_closing() or self._lingering:
            return
        if not self._discarding and not self.cycle.more_body:
            self.transport.close()
            self.expect_progress()  # until the last bytes are taken
            return
        self._discarding = self._lingering = True
        self.pipeline.clear()
        self.deadline = self.loop.time() + self.limits.linger_seconds
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def discard_rest(self) -> None:
        """The rest of what comes on this connection is of no use."""
        self._discarding = True

    def refuse(self, status: int) -> None:
        """What came is not acceptable HTTP: say so when its turn comes, then close."""
        self._fault = status
        self._discarding = True
        exchange = self.running
        if exchange is None:
            self._answer_fault()
            return
        if self.cycle.more_body and not self._in_head:
            self.cycle.break_off()

    def shutdown(self) -> None:
        """Called by the server once: finish the response under way, take no further request."""
        self.closing = True
        if self.running is None and not self._lingering:
            self.transport.close()

    def sweep(self, now: float) -> None:
        """Called by the server every now and then: act if the client is late."""
        if self.deadline is None or now < self.deadline:
            return
        if self.transport.is_closing() or self._lingering:
            self.transport.abort()
        elif self.flow.write_paused:
            left = self._unsent_bytes()
            if left < self._unsent:
                self._unsent = left
                self.expect_progress()
            else:
                self.transport.abort()
        elif self.running is not None:
            self.transport.abort()
        elif self._idle or not self._quiet_bytes:
            self.transport.close()
            self.expect_progress()
        else:
            self.refuse(408)

    @property
    def source(self) -> str:
        """The address at the other end."""
        return self.client[0] if self.client else ""

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return self.running is not None and not self._lingering

    def make_room(self) -> None:
        """Called by the server: others need this connection's place."""
        if self._idle and self.scheme != "https":
            self.transport.close()
        else:
            self.transport.abort()

    # Inside

    def _run(self, exchange: Exchange) -> None:
        self.running = exchange
        self._start_asgi_task(exchange, self.app)

    def _new_scope(self, method: str, version: str) -> HTTPScope:
        target = self.url
        if not target.startswith(b"/"):
            # RFC 9112, 3.2.2: absolute-form must be accepted. Authority-form and asterisk-form have no use here.
            parsed = httptools.parse_url(target)
            if not parsed.schema:
                self._stop(400)
            target = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
        raw_path, _, query = target.partition(b"?")
        if b"#" in target:
            self._stop(400)
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": cast("Any", _ASGI),
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme or "http",
            "method": method,
            "root_path": "",
            "path": urllib.parse.unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": self.app_state.copy(),
            "extensions": {},
        }

    def _expect_body(self, version: str) -> None:
        """Believe what the head says of the body's end, if it says one thing. See `moorage.server.http.framing`."""
        if not is_framed(version, self._codings, self._lengths):
            self._stop(400)
        self._length = None if self._codings else int(self._lengths[0])

    def _stop(self, status: int) -> None:
        self._fault = status
        raise _Refused

    def _count_quiet(self, count: int) -> bool:
        """Bound what the parser swallows without showing anything: endless heads, trailers, chunk extensions."""
        if self._body_seen or self._head_ended:
            self._quiet_bytes = 0
            return True
        self._quiet_bytes += count
        return self._quiet_bytes <= self.limits.head_bytes

    def _wait_for_request(self) -> None:
        self._idle = not self._quiet_bytes
        if self._in_head:
            seconds = self.limits.keep_alive_seconds if self._idle else self.limits.head_seconds
        else:
            self._idle = False
            seconds = self.limits.stall_seconds
        self.deadline = self.loop.time() + seconds

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Go on in HTTP/1.1 (RFC 9110, 7.8). The parser has given up; a new one is told where in the request it stands."""
        self._upgrading = False
        length = self._length
        self.restart_parser()
        self._priming = True
        framing = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
        self.parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        if rest:
            self.data_received(rest)

    def _answer_fault(self) -> None:
        if self.transport.is_closing() or self._lingering:
            return
        line = STATUS_LINE[self._fault]
        text = line[9:-2] + b"\n"
        head = b"content-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(text)
        request_id = self._ids.next()
        self.transport.write(line + self._fields(request_id) + head + text)
        now = time.perf_counter()
        self.on_finished(
            FinishedRequest("", b"", self._fault, 0, len(text), True, self.client, self.agent, None, now, now, request_id)
        )
        if self._fault == 408:
            self.transport.close()  # it has had its time
            self.expect_progress()
        else:
            self.end_connection()
            self.deadline = self.loop.time() + min(_REFUSED_LINGER_SECONDS, self.limits.linger_seconds)

    def _discard(self, count: int) -> None:
        self._discard_left -= count
        if self._discard_left < 0:
            if self._lingering:
                self.transport.abort()
            else:
                self.flow.pause_reading()

    def _unsent_bytes(self) -> int:
        waiting = self.transport.get_write_buffer_size()
        original = self.transport.get_extra_info("socket")
        return waiting + (unacknowledged_bytes(original.fileno()) if original is not None else 0)
