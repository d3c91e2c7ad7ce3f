"""One process that answers requests."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from functools import partial

import uvloop

from moorage.server import tls
from moorage.server.app import Application
from moorage.server.http_options import HttpOptions
from moorage.server.installation import Installation, open_installation
from moorage.server.run import Server, serve
from moorage.server.settings import Settings
from moorage.wire.web.metrics import Metrics

logger = logging.getLogger("moorage.server")
access_logger = logging.getLogger("moorage.access")


def run_worker(settings: Settings, listening: socket.socket) -> None:
    """Open the installation and serve on a socket until a signal ends it."""
    installation = open_installation(settings, os.environ)
    try:
        uvloop.run(_run(settings, installation, listening))
    finally:
        installation.close()


async def _run(settings: Settings, installation: Installation, listening: socket.socket) -> None:
    metrics = Metrics()
    app = Application(settings, installation.db, installation.store, installation.root_key, metrics)
    log_requests = access_logger.isEnabledFor(logging.INFO)

    def on_access(method: str, path: bytes, status: int, received: int, sent: int, seconds: float, client: str) -> None:
        metrics.observe(method, path, status, received, sent, seconds)
        if log_requests:
            access_logger.info(
                "%s %s %s %d %d %d %.1f", client, method, path.decode("latin-1"), status, received, sent, seconds * 1000
            )

    host, port = listening.getsockname()[:2]

    async def listen_also(server: Server, address: str) -> bool:
        # Whoever listens on all addresses has these as well; whoever listens on one address of a network wants no other.
        return host == "0.0.0.0" or (host.startswith("127.") and await server.listen_also(address, port))  # noqa: S104  # compared

    async def on_ready(server: Server) -> None:
        await app.addressing.start(partial(listen_also, server))
        logger.info("ready")

    options = HttpOptions(app.pools.turns, on_access)
    context = tls.Reloading(settings) if settings.tls_certificate else None
    app.start()
    watching = asyncio.create_task(context.watch()) if context is not None else None
    try:
        await serve(
            app,
            [listening],
            options,
            context=context.context if context is not None else None,
            grace_seconds=settings.shutdown_seconds,
            on_ready=on_ready,
        )
    finally:
        if watching is not None:
            watching.cancel()
        await app.stop()
        app.pools.close()
