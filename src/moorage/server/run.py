"""Run an application on listening sockets until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Generator, Sequence
from typing import Any

import uvicorn

from moorage.server.http_options import HttpOptions
from moorage.server.http_protocol import HttpProtocol

logger = logging.getLogger("moorage.server")

_BACKLOG = 2048
_TICK_SECONDS = 2.0


class _Config(uvicorn.Config):
    """Uvicorn's configuration, with what our protocol shares between connections and a TLS context that can change."""

    def __init__(self, app: Any, options: HttpOptions, context: ssl.SSLContext | None, grace_seconds: int) -> None:
        super().__init__(
            app,
            http=HttpProtocol,
            ws="none",
            loop="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=grace_seconds,
        )
        self.moorage = options
        self._context = context

    def load(self) -> None:
        """Uvicorn builds a context from files; ours is built already, and is renewed in place."""
        super().load()
        self.ssl = self._context


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to us."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals are handled by `serve`."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


async def serve(
    app: Any,
    sockets: Sequence[socket.socket],
    options: HttpOptions,
    *,
    context: ssl.SSLContext | None,
    grace_seconds: int,
    on_ready: Callable[[], None],
) -> None:
    """Serve until SIGTERM or SIGINT: then accept no more, let what runs finish within the grace, and return.

    A second signal ends at once.
    """
    server = Server(_Config(app, options, context, grace_seconds), on_ready)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, server)
    ticking = loop.create_task(_tick(options))
    try:
        await server.serve(sockets=list(sockets))
    finally:
        ticking.cancel()


def _stop(server: Server) -> None:
    if server.should_exit:
        server.force_exit = True
    server.should_exit = True


async def _tick(options: HttpOptions) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        options.tick()
