"""Runs the HTTP server: listening sockets, TLS, signals, the sweep over connections, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from typing import Any

import uvicorn

from moorage.server.http.accepting import BACKLOG, Doors
from moorage.server.http.parser import RegistryHttpProtocol
from moorage.server.http.request_ids import RequestIds
from moorage.server.http.terms import HttpTerms, never_at_once

_log = logging.getLogger("moorage.server")


class StartupFailed(RuntimeError):
    """The application's start failed; its own log says why."""


class HttpConfig(uvicorn.Config):
    """uvicorn's configuration with the terms beside it."""

    def __init__(self, app: Callable[..., Any], terms: HttpTerms, grace_seconds: float) -> None:
        super().__init__(
            app,
            http=RegistryHttpProtocol,
            ws="none",
            lifespan="auto",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self.terms = terms
        self.ids = RequestIds()
        self.grace_seconds = grace_seconds
        self.on_lost: Callable[[], None] = _nobody_counts
        """Told of each connection that has ended."""


def _nobody_counts() -> None:
    """For protocols that are made without a server."""


class HttpServer(uvicorn.Server):
    """A running server. `serve` makes one; the object serves to listen on more sockets, and to stop.

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
        self._config = HttpConfig(app, terms, grace_seconds)
        super().__init__(self._config)
        # Before anything listens: connections that come early find it.
        self._config.load()
        self.lifespan = self._config.lifespan_class(self._config)
        self.servers = []
        self._doors = Doors(self._connections, terms.limits.connections)
        self._config.on_lost = self._doors.lost
        self._delay_seconds, self._on_stopping = delay_seconds, on_stopping
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

        Raises:
            StartupFailed: the application's lifespan refused to start.
        """
        with self._signals():
            await self.lifespan.startup()
            if self.lifespan.should_exit:
                raise StartupFailed
            try:
                self._tick()
                for listener in sockets:
                    await self.add_socket(listener, ssl_context)
                self.started = True
                if on_ready is not None:
                    on_ready(self)
                await self._run_until_stopped()
            finally:
                await self._end()

    async def add_socket(
        self, listener: socket.socket, ssl_context: ssl.SSLContext | None = None, app: Callable[..., Any] | None = None
    ) -> None:
        """Listen on one more bound socket, also while running. `app`: what is served there, if it is something else."""
        connect = self._connect if app is None else self._connect_to(app)
        self.servers.append(self._doors.add(listener, ssl_context, connect))  # type: ignore[arg-type]  # for uvicorn: they have sockets

    def _connect_to(self, app: Callable[..., Any]) -> Callable[[], asyncio.Protocol]:
        config = HttpConfig(app, replace(self._config.terms, at_once=never_at_once), self._config.grace_seconds)
        config.load()
        config.on_lost = self._doors.lost
        return partial(RegistryHttpProtocol, config, self.server_state, {})

    @property
    def addresses(self) -> list[tuple[Any, ...] | str]:
        """Where it listens, as `socket.getsockname` says it."""
        return [listener.getsockname() for server in self.servers for listener in server.sockets]

    @property
    def open_connections(self) -> int:
        """Connections that are open, idle ones included."""
        return len(self.server_state.connections)

    def stop(self) -> None:
        """Stop accepting after the delay, let running requests end within the grace time. From the loop's thread.

        `on_stopping` is called at once. Called again, the first of those times that still runs is over.
        """
        if self._stop.is_set():
            self.force_exit = True
            self._force.set()
        elif self.should_exit or not self._delay_seconds:
            self._stop.set()
        else:
            asyncio.get_running_loop().call_later(self._delay_seconds, self._stop.set)
        if not self.should_exit and self._on_stopping is not None:
            self._on_stopping()
        self.should_exit = True

    def _connect(self) -> asyncio.Protocol:
        return RegistryHttpProtocol(self._config, self.server_state, self.lifespan.state)

    async def _run_until_stopped(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            self._tick()
            self._sweep(loop.time())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._sweep_seconds)

    def _tick(self) -> None:
        self.server_state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]

    def _connections(self) -> list[RegistryHttpProtocol]:
        return list(self.server_state.connections)  # type: ignore[arg-type]  # all of them come from `_connect`

    def _sweep(self, now: float) -> None:
        for connection in self._connections():
            connection.sweep(now)
        self._doors.go_on()  # also where what was missing was not a connection's

    async def _end(self) -> None:
        """Close the listeners, wait for what runs, cut off the rest."""
        loop = asyncio.get_running_loop()
        self._doors.close()
        for connection in self._connections():
            connection.shutdown()
        until = loop.time() + self._config.grace_seconds
        while (self.server_state.connections or self.server_state.tasks) and loop.time() < until and not self.force_exit:
            self._tick()
            self._sweep(loop.time())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._force.wait(), 0.02)
        tasks = set(self.server_state.tasks)
        if tasks:
            _log.warning("cutting off %d running requests", len(tasks))
        for task in tasks:
            task.cancel("the server's time to shut down is over")
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        for left in self._connections():
            left.transport.abort()
        await asyncio.sleep(0)
        if self.started:
            await self.lifespan.shutdown()

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
