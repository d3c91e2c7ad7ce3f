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

from moorage.model import engines
from moorage.server import descriptors, tls
from moorage.server.access_log import AccessLog
from moorage.server.app import Application
from moorage.server.ephemeral import EphemeralApplication
from moorage.server.finished_requests import FinishedRequests
from moorage.server.further_addresses import FurtherAddresses
from moorage.server.http.limits import HttpLimits
from moorage.server.http.terms import HttpTerms
from moorage.server.installation import Installation, InstallationError, open_installation
from moorage.server.metrics_app import MetricsApplication
from moorage.server.run import HttpServer, listen
from moorage.server.settings import Settings
from moorage.server.shared_counts import SharedCounts
from moorage.storage.blob_store import BlobStore
from moorage.storage.probe import probe
from moorage.wire.web.metrics import Metrics

logger = logging.getLogger("moorage.server")


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
    descriptors.raise_limit()  # before anything is opened
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


def _listening_for_metrics(settings: Settings) -> list[socket.socket]:
    if settings.metrics_place is None:
        return []
    try:
        return listen(*settings.metrics_place, share=settings.workers > 1)
    except OSError as error:
        raise InstallationError(f"cannot listen on metrics_listen={settings.metrics_listen}: {error.strerror}") from None


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
    access_log = AccessLog(settings.log_format) if settings.access_log and logger.isEnabledFor(logging.INFO) else None
    finished = FinishedRequests(metrics, access_log)
    reloading = tls.Reloading(settings) if settings.tls_certificate else None
    context = reloading.context if reloading is not None else None
    descriptors_in_all = descriptors.raise_limit()
    limits = HttpLimits(connections=descriptors.most_connections(descriptors_in_all))
    terms = HttpTerms(transfers=app.pools.transfers, limits=limits, on_finished=finished.add, at_once=app.at_once)
    server = HttpServer(
        app,
        terms,
        grace_seconds=settings.shutdown_seconds,
        delay_seconds=settings.shutdown_delay_seconds,
        on_stopping=app.end,
    )
    host, port = listening[0].getsockname()[:2]
    if slot == 0 and (notice := engines.notice()):
        logger.info("kept and not acted upon in this version: %s", notice)
    also = FurtherAddresses(server, context, host, port, descriptors.most_addresses(descriptors_in_all))
    await app.start(also.listen)
    for listener in _listening_for_metrics(settings):
        await server.add_socket(listener, None, MetricsApplication(metrics, settings.metrics_password))
    watching = asyncio.create_task(reloading.watch()) if reloading is not None else None
    noting = asyncio.create_task(finished.run())
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
        for task in (watching, sharing, noting):
            if task is not None:
                task.cancel()
        finished.flush()  # what memory holds is written when the application stops
        await app.stop()
        finished.flush()
        if access_log is not None:
            access_log.close()
        logger.info("stopped")
        if counts is not None:
            counts.put(slot, metrics.packed())
