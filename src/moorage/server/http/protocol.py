"""HTTP/1.1 for the registry on one connection: requests in their order, each answered in its turn, and bounds for the client.

Beside what `parser` refuses, a client is bounded in how many requests it may pipeline and in the time for each head, and is told
what was wrong (400, 408, 414, 431, 503, 505) when its turn comes. Each request is reported, with the bytes that really moved.
"""

from __future__ import annotations

import asyncio
import logging
import time
import urllib.parse
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

from moorage.events.event import EVENT
from moorage.events.record import FinishedRequest
from moorage.model.shown import shown
from moorage.server.http.answer import STATUS_LINE, own_fields
from moorage.server.http.connection import Connection
from moorage.server.http.cycle import RequestCycle
from moorage.server.http.descriptor_channel import DescriptorChannel
from moorage.server.http.parser import BODY_END, Event, RequestHead, RequestParser
from moorage.server.http.site import Site
from moorage.transfer.handover import EXTENSION, Scope
from moorage.wire.http import REQUEST_ID, AnswerSoon, AtOnce

_log = logging.getLogger("moorage.server")

_FEED_BYTES = 32 * 1024
"""What is parsed before its requests have their turn: so a flood of small ones meets its bound before all are parsed."""
_REFUSED_LINGER_SECONDS = 2.0
"""How long a client may take to read that its request was refused."""
_ASGI = {"version": "3.0", "spec_version": "2.4"}


class HttpProtocol(asyncio.Protocol):
    """One connection to a site."""

    __slots__ = (
        "_connection",
        "_fault",
        "_fault_agent",
        "_is_idle",
        "_last",
        "_limits",
        "_running",
        "_site",
        "_waiting",
        "parser",
    )

    _connection: Connection

    def __init__(self, site: Site) -> None:
        self._site = site
        self._limits = site.terms.limits
        self.parser = RequestParser(site.terms.limits)
        self._running: RequestCycle | None = None
        self._last: RequestCycle | None = None  # whose head has come: not always the one that is running
        self._waiting: deque[RequestCycle] = deque()
        self._is_idle = False  # between two requests, of which the next has not begun
        self._fault = 0  # the status to answer with once its turn comes
        self._fault_agent = b""

    # Called by the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as asyncio documents it
        """Listen to a client."""
        loop = asyncio.get_running_loop()
        self._connection = Connection(transport, loop, self._limits, handover=self._site.terms.handover)
        self._site.state.connections.add(self)
        self._connection.expect(self._limits.head_seconds)
        if self._site.state.is_stopping or transport.is_closing():
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._site.state.connections.discard(self)
        self._site.state.on_lost()
        self._waiting.clear()
        for cycle in {self._running, self._last} - {None}:
            assert cycle is not None
            cycle.lost()
        self._connection.lost()
        if self._running is None:
            self._last = None
        self.parser.close()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        if len(data) <= _FEED_BYTES:
            self._take(data)
            return
        view = memoryview(data)
        for start in range(0, len(data), _FEED_BYTES):
            self._take(view[start : start + _FEED_BYTES])

    def pause_writing(self) -> None:
        """The transport holds more than it likes to."""
        self._connection.write_paused()

    def resume_writing(self) -> None:
        """The transport takes more."""
        self._connection.write_resumed()
        self._connection.expect_nothing()

    # Called by the server

    def sweep(self, now: float) -> None:
        """Act if the client is late."""
        connection = self._connection
        if not connection.is_late(now) or connection.cut_off_if_stuck():
            return
        if self._running is not None:
            connection.abort()
        elif self._is_idle or not self.parser.quiet_bytes:
            connection.close()
        else:
            self.refuse(408, self.parser.agent, in_body=False)

    def shutdown(self) -> None:
        """The server is stopping: close, unless a response is under way."""
        if self._running is None and not self._connection.is_lingering:
            self._connection.transport.close()

    def abort(self) -> None:
        """End at once."""
        self._connection.abort()

    @property
    def deadline(self) -> float | None:
        """When the client is late, in the loop's time; None: it is not waited for."""
        return self._connection.deadline

    @property
    def source(self) -> str:
        """The address at the other end."""
        return self._connection.source

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return self._running is not None and not self._connection.is_lingering

    def make_room(self) -> None:
        """Others need this connection's place."""
        if self._is_idle and self._connection.scheme != "https":
            self._connection.transport.close()
        else:
            self._connection.abort()

    # Called by the request whose turn it is (`cycle.Pipeline`)

    @property
    def is_closing(self) -> bool:
        """Whether the response under way is the last."""
        return self._site.state.is_stopping

    def completed(self, cycle: RequestCycle) -> None:
        """Its response is whole: the next one's turn."""
        connection = self._connection
        if not cycle.keep_alive:
            self._waiting.clear()
            connection.end(rest_comes=self._last is not None and self._last.more_body)
        self._running = None
        if connection.is_closing or connection.is_lingering:
            return
        if self._waiting:
            connection.resume_reading()
            self._run(self._waiting.popleft())
        elif self._fault:
            self._answer_fault()
        elif self.is_closing:
            connection.transport.close()
        else:
            self._wait_for_request()
            connection.resume_reading()

    def returned(self, cycle: RequestCycle) -> None:
        """Its application has returned."""
        if cycle.is_disconnected and self._running is cycle:
            self._running = self._last = None

    def came_behind(self, events: Sequence[Event]) -> None:
        """A thread that read its body has come upon what follows."""
        self._handle(events)

    def refuse(self, status: int, agent: bytes, *, in_body: bool) -> None:
        """What came is not acceptable HTTP: say so when its turn comes, then close."""
        self._fault, self._fault_agent = status, agent
        self._connection.is_discarding = True
        if self._running is None:
            self._answer_fault()
        elif in_body and self._last is not None and self._last.more_body:
            self._last.break_off()

    # Inside

    def _take(self, data: bytes | memoryview) -> None:
        connection = self._connection
        if connection.is_discarding:
            connection.discard(len(data))
            return
        events = self.parser.feed(data)
        if self._is_idle:
            self._is_idle = False
            if not events:
                connection.expect(self._limits.head_seconds)
        self._handle(events)

    def _handle(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, RequestHead):
                self._begin(event)
                if self._fault:
                    return
            elif isinstance(event, bytes):
                assert self._last is not None
                self._last.take(event)
            elif event is BODY_END:
                assert self._last is not None
                self._last.take_end()
                if self._last.is_complete:
                    self._wait_for_request()
            else:
                self.refuse(event.status, event.agent, in_body=event.in_body)

    def _begin(self, head: RequestHead) -> None:
        """A request has come: answer it, or let it wait for its turn."""
        connection, site = self._connection, self._site
        if len(self._waiting) >= self._limits.pipelined_requests:
            self.refuse(503, head.agent, in_body=False)
            return
        path = head.raw_path.decode("ascii")
        extensions: dict[str, Any] = {}
        scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": head.version,
            "server": connection.server,
            "client": connection.client,
            "scheme": connection.scheme,
            "method": head.method,
            "root_path": "",
            "path": urllib.parse.unquote(path) if "%" in path else path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "headers": head.fields,
            "extensions": extensions,
            REQUEST_ID: site.ids.next(),
        }
        begun = time.perf_counter()
        quick = self._ask_at_once(head, scope)
        if isinstance(quick, AtOnce):
            self._answer_quickly(head, scope, begun, quick)
            self._wait_for_request()
            return
        cycle = RequestCycle(connection, self, site, head, scope)
        extensions[EXTENSION] = offer = {"pool": site.terms.transfers, "may_begin_anew": cycle.may_begin_anew}
        if connection.has_descriptor:
            offer["channel"] = DescriptorChannel(cycle)
        self._last = cycle
        if self._running is not None:
            connection.pause_reading()
            self._waiting.append(cycle)
        else:
            connection.deadline = None
            if quick is None:
                self._run(cycle)
            else:
                self._running = cycle
                quick.then = partial(self._answer_later, cycle, begun)

    def _ask_at_once(self, head: RequestHead, scope: dict[str, Any]) -> AtOnce | AnswerSoon | None:
        """An answer without a task, if the application has one and no other request is before it."""
        connection, site = self._connection, self._site
        if (
            self._running is not None
            or head.length != 0
            or not head.keep_alive
            or head.method not in {"GET", "HEAD"}
            or head.asks_upgrade
            or head.expects_continue
            or connection.is_writing_paused
            or site.state.is_stopping
            or connection.transport.is_closing()
        ):
            return None
        try:
            return site.terms.at_once(scope)
        except Exception:  # the long way may know better, and has an answer for what it does not know
            where = head.method, shown(head.raw_path)
            _log.exception("unhandled error in %s %s", *where, extra={"request_id": scope[REQUEST_ID].decode()})
            return None

    def _answer_quickly(self, head: RequestHead, scope: Scope, begun: float, answer: AtOnce) -> None:
        site, request_id = self._site, scope[REQUEST_ID]
        own = own_fields(site.state.date, request_id)
        self._connection.transport.write(b"".join((STATUS_LINE[answer.status], own, answer.head, b"\r\n", answer.body)))
        who = scope["client"], head.agent, scope.get(EVENT)
        times = begun, time.perf_counter()
        site.terms.on_finished(
            FinishedRequest(head.method, head.raw_path, answer.status, 0, len(answer.body), True, *who, *times, request_id)
        )

    def _answer_later(self, cycle: RequestCycle, begun: float, answer: AtOnce | None) -> None:
        """What was asked at once is known now."""
        if cycle.is_disconnected:
            self.returned(cycle)
        elif answer is None or self._site.state.is_stopping or self._connection.is_writing_paused:
            self._run(cycle)
        else:
            self._answer_quickly(cycle.head, cycle.scope, begun, answer)
            cycle.answered()

    def _run(self, cycle: RequestCycle) -> None:
        self._running = cycle
        tasks = self._site.state.tasks
        task = self._connection.loop.create_task(cycle.run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def _wait_for_request(self) -> None:
        limits, parser = self._limits, self.parser
        seconds = limits.stall_seconds
        if parser.in_head:
            self._is_idle = not parser.quiet_bytes
            seconds = limits.keep_alive_seconds if self._is_idle else limits.head_seconds
        self._connection.expect(seconds)

    def _answer_fault(self) -> None:
        connection, site = self._connection, self._site
        if connection.is_closing or connection.is_lingering:
            return
        status = self._fault
        line = STATUS_LINE[status]
        text = line[9:-2] + b"\n"
        head = b"content-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(text)
        request_id = site.ids.next()
        connection.transport.write(line + own_fields(site.state.date, request_id) + head + text)
        now = time.perf_counter()
        who = connection.client, self._fault_agent, None
        site.terms.on_finished(FinishedRequest("", b"", status, 0, len(text), True, *who, now, now, request_id))
        if status == 408:
            connection.close()  # it has had its time
        else:
            self._waiting.clear()
            connection.end(rest_comes=True)
            connection.expect(min(_REFUSED_LINGER_SECONDS, self._limits.linger_seconds))
