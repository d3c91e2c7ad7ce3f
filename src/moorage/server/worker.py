"""One process that answers requests."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import threading
from collections.abc import Callable, Sequence

import uvloop

from moorage.server import tls
from moorage.server.app import Application
from moorage.server.ephemeral import EphemeralApplication
from moorage.server.http_terms import Access, HttpTerms
from moorage.server.installation import Installation, open_installation
from moorage.server.run import HttpServer, listen
from moorage.server.settings import Settings
from moorage.server.shared_counts import SharedCounts
from moorage.storage.blob_store import BlobStore
from moorage.storage.probe import probe
from moorage.wire.web.metrics import Metrics

logger = logging.getLogger("moorage.server")
access_logger = logging.getLogger("moorage.access")


_COLLECTOR_THRESHOLDS = 10_000, 20, 20
"""Nearly nothing here is cyclic garbage, and much is kept (compiled policies, answers): Python's own thresholds made it look
through all of that again and again, 0.2 s each time with a thousand users."""
_SHARE_SECONDS = 0.5
"""What a worker that is killed has counted since its last share is lost."""


OnReady = Callable[[Installation | None], None]
"""Called when a worker serves; an ephemeral server has no installation to show."""


def run_worker(
    settings: Settings,
    listening: Sequence[socket.socket],
    on_ready: OnReady,
    counts: SharedCounts | None = None,
    slot: int = 0,
) -> None:
    """Open the installation and serve on sockets until a signal ends it.

    Args:
        counts: where this worker, one of several, puts what it counts: into its `slot`.
    """
    if settings.ephemeral:
        uvloop.run(_run(settings, None, listening, on_ready, None, 0))
        return
    installation = open_installation(settings, os.environ)
    try:
        uvloop.run(_run(settings, installation, listening, on_ready, counts, slot))
    finally:
        installation.close()


async def _share(metrics: Metrics, counts: SharedCounts, slot: int) -> None:
    while True:
        counts.put(slot, metrics.packed())
        await asyncio.sleep(_SHARE_SECONDS)


def _probe(store: BlobStore) -> None:
    """Say what will fail, beside the serving: a store that is away keeps a registry neither from starting nor from ending."""
    for fault in probe(store):
        logger.warning("the blob store: %s", fault)


async def _run(
    settings: Settings,
    installation: Installation | None,
    listening: Sequence[socket.socket],
    on_ready: OnReady,
    counts: SharedCounts | None,
    slot: int,
) -> None:
    metrics = Metrics() if counts is None else Metrics(lambda: counts.others(slot))
    sharing = None
    if counts is not None:
        if before := counts.reset(slot):
            metrics.add(before)
        sharing = asyncio.create_task(_share(metrics, counts, slot))
    app: Application | EphemeralApplication
    if installation is None:
        app = EphemeralApplication(settings, metrics)
    else:
        app = Application(settings, installation.db, installation.store, installation.root_key, metrics)
    log_requests = access_logger.isEnabledFor(logging.INFO)

    def on_access(access: Access) -> None:
        metrics.observe(access.method, access.raw_path, access.status, access.bytes_in, access.bytes_out, access.seconds)
        if log_requests:
            access_logger.info(
                "%s %s %s %d %d %d %.1fms",
                access.client[0] if access.client else "-",
                access.method,
                access.raw_path.decode("latin-1"),
                access.status,
                access.bytes_in,
                access.bytes_out,
                access.seconds * 1000,
            )

    reloading = tls.Reloading(settings) if settings.tls_certificate else None
    context = reloading.context if reloading is not None else None
    terms = HttpTerms(transfers=app.pools.transfers, on_access=on_access, at_once=app.at_once)
    server = HttpServer(app, terms, grace_seconds=settings.shutdown_seconds)
    host, port = listening[0].getsockname()[:2]

    async def listen_also(address: str) -> bool:
        # Whoever listens on all addresses has these as well; whoever listens on one address of a network wants no other.
        if host == "0.0.0.0":  # noqa: S104  # compared, not bound
            return True
        if not host.startswith("127."):
            return False
        try:
            (further,) = listen(address, port, share=True)
        except OSError as error:
            logger.debug("cannot listen on %s: %s", address, error)
            return False
        await server.add_socket(further, context)
        return True

    await app.start(listen_also)
    watching = asyncio.create_task(reloading.watch()) if reloading is not None else None
    gc.freeze()  # what is here now stays: no collection needs to look at it
    gc.set_threshold(*_COLLECTOR_THRESHOLDS)

    def ready(_: HttpServer) -> None:
        logger.info("ready")
        on_ready(installation)
        if installation is not None and slot == 0:
            threading.Thread(target=_probe, args=(installation.store,), name="store-probe", daemon=True).start()

    try:
        await server.serve_sockets(listening, context, ready)
    finally:
        for task in (watching, sharing):
            if task is not None:
                task.cancel()
        await app.stop()
        if counts is not None:
            counts.put(slot, metrics.packed())
