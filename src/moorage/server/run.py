"""Runs the HTTP server: listening sockets, TLS, signals, the sweep over connections, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from moorage.server.http.accepting import BACKLOG, Doors
from moorage.server.http.protocol import HttpProtocol
from moorage.server.http.site import ServerState, Site
from moorage.server.http.terms import HttpTerms, never_at_once

_log = logging.getLogger("moorage.server")


class HttpServer:
    """A running server. `serve` makes one; the object serves to listen on more sockets, and to stop.

    Args:
        grace_seconds: how long running requests may take once it stops.
        delay_seconds: how long it goes on as before when it is told to stop, until balancers have noticed.
        on_stopping: called when it is told to stop, before that delay.

    Example:
        server = HttpServer(app, HttpTerms(transfers=Pool("bytes")))
        task = asyncio.create_task(server.serve_sockets([listener]))
    """

    def __init__(
        self,
        app: Callable[..., Any],
        terms: HttpTerms,
        *,
        grace_seconds: float = 30.0,
        delay_seconds: float = 0.0,
        on_stopping: Callable[[], None] | None = None,
    ) -> None:
        self._state = ServerState()
        self._site = Site(app, terms, self._state)
        self._doors = Doors(lambda: list(self._state.connections), terms.limits.connections)
        self._state.on_lost = self._doors.lost
        self._grace_seconds, self._delay_seconds, self._on_stopping = grace_seconds, delay_seconds, on_stopping
        self._is_told = False
        self._stop = asyncio.Event()
        self._force = asyncio.Event()
        shortest = min(terms.limits.head_seconds, terms.limits.keep_alive_seconds, terms.limits.stall_seconds)
        self._sweep_seconds = max(0.02, min(1.0, shortest / 4))

    async def serve_sockets(
        self,
        sockets: Sequence[socket.socket],
        ssl_context: ssl.SSLContext | None = None,
        on_ready: Callable[[HttpServer], None] | None = None,
    ) -> None:
        """Serve on bound `sockets` until `stop` or a signal, then end in order. The sockets are closed at the end.

        `on_ready` is called once everything listens. With a `ssl_context` the sockets speak TLS; when its `load_cert_chain` is
        called again, connections made after that get the new certificate.
        """
        with self._signals():
            try:
                self._state.tick()
                for listener in sockets:
                    await self.add_socket(listener, ssl_context)
                if on_ready is not None:
                    on_ready(self)
                await self._run_until_stopped()
            finally:
                await self._end()

    async def add_socket(
        self, listener: socket.socket, ssl_context: ssl.SSLContext | None = None, app: Callable[..., Any] | None = None
    ) -> None:
        """Listen on one more bound socket, also while running. `app`: what is served there, if it is something else."""
        site = self._site
        if app is not None:
            site = Site(app, replace(site.terms, at_once=never_at_once), self._state)
        self._doors.add(listener, ssl_context, partial(HttpProtocol, site))

    @property
    def addresses(self) -> list[tuple[Any, ...] | str]:
        """Where it listens, as `socket.getsockname` says it."""
        return self._doors.addresses

    @property
    def open_connections(self) -> int:
        """Connections that are open, idle ones included."""
        return len(self._state.connections)

    @property
    def running_requests(self) -> int:
        """Requests that the application works on."""
        return len(self._state.tasks)

    def stop(self) -> None:
        """Stop accepting after the delay, let running requests end within the grace time. From the loop's thread.

        `on_stopping` is called at once. Called again, the first of those times that still runs is over.
        """
        if self._stop.is_set():
            self._force.set()
        elif self._is_told or not self._delay_seconds:
            self._stop.set()
        else:
            asyncio.get_running_loop().call_later(self._delay_seconds, self._stop.set)
        if not self._is_told and self._on_stopping is not None:
            self._on_stopping()
        self._is_told = True

    async def _run_until_stopped(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            self._state.tick()
            self._sweep(loop.time())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._sweep_seconds)

    def _sweep(self, now: float) -> None:
        for connection in list(self._state.connections):
            connection.sweep(now)
        self._doors.go_on()  # also where what was missing was not a connection's

    async def _end(self) -> None:
        """Close the listeners, wait for what runs, cut off the rest."""
        loop = asyncio.get_running_loop()
        state = self._state
        self._doors.close()
        state.is_stopping = True
        for connection in list(state.connections):
            connection.shutdown()
        until = loop.time() + self._grace_seconds
        while (state.connections or state.tasks) and loop.time() < until and not self._force.is_set():
            state.tick()
            self._sweep(loop.time())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._force.wait(), 0.02)
        tasks = set(state.tasks)
        if tasks:
            _log.warning("cutting off %d running requests", len(tasks))
        for task in tasks:
            task.cancel("the server's time to shut down is over")
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        for left in list(state.connections):
            left.abort()
        await asyncio.sleep(0)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT stop the server while it runs. Elsewhere than in the main thread signals are not ours to take."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        taken = (signal.SIGTERM, signal.SIGINT)
        for number in taken:
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in taken:
                loop.remove_signal_handler(number)


def listen(host: str, port: int, *, share: bool = False) -> list[socket.socket]:
    """Listen on `host` (every address it stands for) and `port` (0: any free one). Raises OSError.

    Args:
        share: several processes of ours may have the address.
    """
    bound: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            listener = socket.socket(family, kind, protocol)
            bound.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if share:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(address)
            listener.listen(BACKLOG)  # whoever comes before the server is ready waits instead of being refused
    except OSError:
        for listener in bound:
            listener.close()
        raise
    return bound


async def serve(
    app: Callable[..., Any],
    *,
    terms: HttpTerms,
    sockets: Sequence[socket.socket] = (),
    host: str | None = None,
    port: int = 0,
    ssl_context: ssl.SSLContext | None = None,
    grace_seconds: float = 30.0,
    on_ready: Callable[[HttpServer], None] | None = None,
) -> None:
    """Serve `app` on `sockets`, and on `host` and `port` where a host is given, until SIGTERM or SIGINT (twice: at once).

    Run it on uvloop: ``uvloop.run(serve(...))``. The pool of `terms` stays open; who made it closes it.
    """
    listeners = [*sockets, *(listen(host, port) if host is not None else ())]
    await HttpServer(app, terms, grace_seconds=grace_seconds).serve_sockets(listeners, ssl_context, on_ready)
