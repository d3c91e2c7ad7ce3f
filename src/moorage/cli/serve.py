"""``moorage serve``: the server."""

from __future__ import annotations

import os
import socket
import sys

import click

from moorage.cli.options import fail, with_settings
from moorage.model.errors import InvalidValue
from moorage.operations import accounts, garbage
from moorage.operations.accounts import NewKey
from moorage.server import logs, tls
from moorage.server.ephemeral import as_ephemeral
from moorage.server.installation import InstallationError, exclusive, open_installation
from moorage.server.run import listen
from moorage.server.seeds import SeedInvalid
from moorage.server.settings import Loaded, Settings
from moorage.server.shared_counts import SharedCounts
from moorage.server.worker import run_worker
from moorage.server.workers import supervise


@click.command()
@with_settings
def serve(loaded: Loaded) -> None:
    """Serve the registry until SIGTERM."""
    settings = loaded.settings
    logs.configure(settings.log_format, settings.log_level)
    if settings.ephemeral:
        _serve_ephemerally(as_ephemeral(settings))
        return
    try:
        tls.check(settings)
        with exclusive(settings.data_folder):
            made = _prepare(settings)
            listening = _listen(settings)
            _banner(settings, listening, made)
            if settings.workers == 1:
                run_worker(settings, listening)
            else:
                counts = SharedCounts(settings.workers)
                sys.exit(supervise(settings.workers, lambda slot: run_worker(settings, listening, counts, slot)))
    except (InstallationError, tls.TlsError) as error:
        fail(str(error))


def _listen(settings: Settings) -> list[socket.socket]:
    host, port = settings.host_and_port
    try:
        return listen(host, port)
    except OSError as error:
        fail(f"cannot listen on {settings.listen}: {error.strerror}; choose another with --listen")


def _serve_ephemerally(settings: Settings) -> None:
    """Serve out of memory, until the end of everything that was pushed."""
    try:
        tls.check(settings)
        listening = _listen(settings)
        assert settings.root_key_pair is not None, "an ephemeral server chooses its key beforehand"
        _banner(settings, listening, NewKey(settings.account_id, *settings.root_key_pair))
        run_worker(settings, listening)
    except (InstallationError, SeedInvalid, tls.TlsError) as error:
        fail(str(error))


def _prepare(settings: Settings) -> NewKey | None:
    """Make what the first start makes, before anybody is served."""
    installation = open_installation(settings, os.environ)
    try:
        if not settings.database_url:  # the folder is held, so nobody else works on its database
            installation.db.run_write(garbage.release_leases)
        return installation.db.run_write(
            accounts.ensure_bootstrap, installation.root_key, settings.account_id, "default", settings.root_key_pair
        )
    except InvalidValue as error:
        raise InstallationError(str(error)) from None
    finally:
        installation.close()


def _banner(settings: Settings, listening: list[socket.socket], made: NewKey | None) -> None:
    host, _ = settings.host_and_port
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104  # compared, not bound
    place = f"{f'[{shown}]' if ':' in shown else shown}:{listening[0].getsockname()[1]}"
    scheme = "https" if settings.tls_certificate else "http"
    source = "memory: everything ends with it" if settings.ephemeral else str(settings.data_folder)
    lines = [f"Moorage serves {scheme}://{place} from {source}"]
    if made is not None and (settings.root_key_pair is None or settings.ephemeral):
        shown_once = "" if settings.ephemeral else " It is shown this once; keep it."
        lines += [
            "",
            f"First start: account {made.account_id} has this root access key.{shown_once}",
            "",
            f"  export AWS_ACCESS_KEY_ID={made.access_key_id} AWS_SECRET_ACCESS_KEY={made.secret}",
            f"  export AWS_DEFAULT_REGION={settings.region} AWS_ENDPOINT_URL={scheme}://{place}",
            "  aws ecr create-repository --repository-name hello",
            f"  aws ecr get-login-password | docker login --username AWS --password-stdin {place}",
            "",
            f"Then: docker tag IMAGE {place}/hello:v1 && docker push {place}/hello:v1",
        ]
    click.echo("\n".join(lines))
    sys.stdout.flush()
