"""``moorage doctor``: what an operator should know before it matters."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator

import click

from moorage.cli.accounts import opened
from moorage.cli.options import with_settings
from moorage.server.clock_skew import told_skew
from moorage.server.installation import Installation
from moorage.server.settings import Loaded

_LOW_BYTES = 1024 * 1024 * 1024


@click.command()
@with_settings
def doctor(loaded: Loaded) -> None:
    """Check the installation and say what to mend. Exit status 1 if something has to be."""
    with opened(loaded) as installation:
        warnings = list(_examine(installation))
    for warning in warnings:
        click.echo(f"warning: {warning}")
    if not warnings:
        click.echo("nothing to mend")
    sys.exit(1 if warnings else 0)


def _examine(installation: Installation) -> Iterator[str]:
    settings, key = installation.settings, installation.root_key
    if key.beside_data:
        yield (
            f"the root key lies beside the data it seals ({key.origin}): whoever copies the folder can read it. Move the file "
            "elsewhere and name it by MOORAGE_ROOT_KEY_FILE, or use a systemd credential; keep a copy: nothing opens without it"
        )
    if stat.S_IMODE(settings.data_folder.stat().st_mode) & 0o077:
        yield f"others can look into {settings.data_folder}: run chmod 700 {settings.data_folder}"
    host, _ = settings.host_and_port
    if host not in {"127.0.0.1", "::1", "localhost"} and not settings.tls_certificate and not settings.trusted_proxies:
        yield (
            f"{settings.listen} can be reached from other machines without TLS: tokens travel in the clear. See moorage tls "
            "init, or put a proxy in front and name it by trusted_proxies"
        )
    if skew := told_skew(installation.db):
        yield skew
    free = installation.store.free_bytes()
    if free is not None and free < _LOW_BYTES:
        yield f"the blob store has only {free // 2**20} MiB left"
    if os.environ.get("MOORAGE_ROOT_SECRET_ACCESS_KEY") and len(settings.root_secret_access_key) < 20:
        yield "the root secret of the settings is short: 20 characters or more are hard to guess"
    try:
        installation.store.check()
    except Exception as error:  # whatever it is, the operator should hear it
        yield f"the blob store does not answer: {error}"
