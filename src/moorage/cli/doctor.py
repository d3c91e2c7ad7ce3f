"""``moorage doctor``: what an operator should know before it matters."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from moorage.cli.exits import DONE, NO
from moorage.cli.installed import opened
from moorage.cli.options import BLOBS, INSTALLATION, with_settings
from moorage.cli.output import show, with_output
from moorage.server.settings import Loaded

if TYPE_CHECKING:
    from moorage.server.installation import Installation

_LOW_BYTES = 1024 * 1024 * 1024
_FULL_BYTES = 64 * 1024 * 1024
"""What `/readyz` calls too little."""

_Finding = tuple[str, str]


@click.command()
@with_output
@with_settings(*INSTALLATION, *BLOBS, "listen")
def doctor(loaded: Loaded, form: str) -> None:
    """Check the installation and say what to mend. Exit status 1 if something fails; warnings alone are status 0."""
    with opened(loaded) as installation:
        found = [*_failures(installation), *_warnings(installation)]
    text = "\n".join(f"{level}: {said}" for level, said in found) or "nothing to mend"
    show(form, [{"level": level, "text": said} for level, said in found], text)
    sys.exit(NO if any(level == "error" for level, _ in found) else DONE)


def _failures(installation: Installation) -> Iterator[_Finding]:
    """What fails already, or would at the next request."""
    from moorage.metadata import faults, sqlite_file
    from moorage.storage.probe import probe

    for fault in probe(installation.store):
        yield "error", f"the blob store: {fault}"
    path = sqlite_file.path_of(installation.settings.effective_database_url)
    if path is None:
        return
    if not sqlite_file.is_writable(path):
        yield "error", f"{path} cannot be written: its file system is read-only, or the folder is somebody else's"
    try:
        inner = sqlite_file.inner_faults(path, deep=False)
    except Exception as error:
        said = faults.in_words(error, str(path))
        if said is None:
            raise
        inner = [str(said)]
    if inner:
        yield "error", f"the database is damaged ({inner[0]}): see moorage fsck, and put a copy of it back"


def _warnings(installation: Installation) -> Iterator[_Finding]:
    """What will matter one day."""
    from moorage.metadata.jobs import administration
    from moorage.server.clock_skew import told_skew

    settings, key = installation.settings, installation.root_key
    if key.beside_data:
        yield (
            "warning",
            f"the root key lies beside the data it seals ({key.origin}): whoever copies the folder can read it. Move the file "
            "elsewhere and name it by MOORAGE_ROOT_KEY_FILE, or use a systemd credential; keep a copy: nothing opens without it",
        )
    if settings.data_folder.is_dir() and stat.S_IMODE(settings.data_folder.stat().st_mode) & 0o077:
        yield "warning", f"others can look into {settings.data_folder}: run chmod 700 {settings.data_folder}"
    host, _ = settings.host_and_port
    if host not in {"127.0.0.1", "::1", "localhost"} and not settings.tls_certificate and not settings.trusted_proxies:
        yield (
            "warning",
            f"{settings.listen} can be reached from other machines without TLS: tokens travel in the clear. See moorage tls "
            "init, or put a proxy in front and name it by trusted_proxies",
        )
    if skew := told_skew(installation.db):
        yield "warning", skew
    for load in installation.db.run_read(administration.loads):
        if load.failed:
            yield (
                "warning",
                f"jobs of the kind {load.kind} have failed for good ({load.failed}): see moorage jobs list --state failed",
            )
        if load.overdue:
            yield (
                "warning",
                f"jobs of the kind {load.kind} wait for a server ({load.overdue}), the oldest for "
                f"{load.oldest_due_seconds:.0f} s: does one run that knows them?",
            )
    free = _free_bytes(installation)
    if free is not None and free < _LOW_BYTES:
        yield "error" if free < _FULL_BYTES else "warning", f"the blob store has only {free // 2**20} MiB left"
    if os.environ.get("MOORAGE_ROOT_SECRET_ACCESS_KEY") and len(settings.root_secret_access_key) < 20:
        yield "warning", "the root secret of the settings is short: 20 characters or more are hard to guess"


def _free_bytes(installation: Installation) -> int | None:
    from moorage.storage.blob_store import StoreUnavailable

    try:
        return installation.store.free_bytes()
    except StoreUnavailable:  # said already
        return None
