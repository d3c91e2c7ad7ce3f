"""What ``moorage serve`` does: listen, prepare the installation, serve, say so."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from moorage.cli.banner import Banner
from moorage.cli.exits import ENVIRONMENT, FAILED, fail
from moorage.metadata.jobs import claims
from moorage.model.errors import InvalidValue
from moorage.operations.accounts import accounts
from moorage.operations.accounts.accounts import NewKey
from moorage.operations.images import garbage
from moorage.server import logs, tls
from moorage.server.ephemeral import as_ephemeral
from moorage.server.installation import InstallationError, exclusive, open_installation, telling
from moorage.server.run import listen
from moorage.server.seeds import SeedInvalid
from moorage.server.settings import Settings
from moorage.server.shared_counts import SharedCounts
from moorage.server.worker import run_worker
from moorage.server.workers import supervise

logger = logging.getLogger("moorage.server")


def run(settings: Settings) -> None:
    """Serve until a signal ends it; what keeps it from that ends the process with a line and a status."""
    logs.configure(settings.log_format, settings.log_level)
    try:
        tls.check(settings)
        if settings.ephemeral:
            _serve_ephemerally(as_ephemeral(settings))
        else:
            _serve(settings)
    except (InstallationError, SeedInvalid, tls.TlsError) as error:
        fail(str(error), ENVIRONMENT)
    except Exception:
        logger.exception("the server ended by a fault of its own")
        sys.exit(FAILED)


def _serve(settings: Settings) -> None:
    """Listen first: a start that cannot serve makes nothing, least of all a key that it could not show."""
    with _listening(settings) as listening, exclusive(settings.data_folder):
        made, is_unused = _prepare(settings)
        banner = Banner(settings, listening, made, is_unused=is_unused)
        if settings.workers == 1:
            run_worker(settings, listening, banner.show)
            return
        counts = SharedCounts(settings.workers)

        def work(slot: int) -> None:
            try:
                run_worker(settings, listening, banner.show, counts, slot)
            except InstallationError as error:  # it went away since it was prepared
                logger.error("%s", error)
                sys.exit(FAILED)

        sys.exit(FAILED if supervise(settings.workers, work) else 0)


def _serve_ephemerally(settings: Settings) -> None:
    """Serve out of memory, until the end of everything that was pushed."""
    assert settings.root_key_pair is not None, "an ephemeral server chooses its key beforehand"
    made = NewKey(settings.account_id, *settings.root_key_pair)
    with _listening(settings) as listening:
        run_worker(settings, listening, Banner(settings, listening, made, is_unused=False).show)


@contextmanager
def _listening(settings: Settings) -> Iterator[list[socket.socket]]:
    host, port = settings.host_and_port
    try:
        bound = listen(host, port)
    except OSError as error:
        fail(f"cannot listen on {settings.listen}: {error.strerror}; choose another with --listen", ENVIRONMENT)
    try:
        yield bound
    finally:
        for listener in bound:
            listener.close()


def _prepare(settings: Settings) -> tuple[NewKey | None, bool]:
    """Make what the first start makes, before anybody is served. Returns the key to show, and whether none was ever used."""
    installation = open_installation(settings, os.environ)
    try:
        with telling():
            if not settings.database_url:  # the folder is held, so nobody else works on its database
                installation.db.run_write(garbage.release_leases)
                installation.db.run_write(claims.end_all_leases)
            made = installation.db.run_write(
                accounts.ensure_bootstrap, installation.root_key, settings.account_id, "default", settings.root_key_pair
            )
            return made, not installation.db.run_read(accounts.root_was_used, settings.account_id)
    except InvalidValue as error:
        raise InstallationError(error.reason) from None
    finally:
        installation.close()
