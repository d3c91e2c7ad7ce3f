"""``moorage fsck``: check metadata against bytes."""

from __future__ import annotations

import sys

import click

from moorage.cli.accounts import opened
from moorage.cli.options import with_settings
from moorage.jobs.fsck import check
from moorage.keys.registry_keys import LocalKeyring
from moorage.server.settings import Loaded


@click.command()
@click.option("--deep", is_flag=True, help="read every blob again and compare its digest")
@with_settings
def fsck(loaded: Loaded, deep: bool) -> None:
    """Check that everything the database promises is there and whole. Exit status 1 if anything is not."""
    faults = 0
    with opened(loaded) as installation:
        for line in check(installation.db, installation.store, LocalKeyring(installation.root_key), deep=deep):
            click.echo(line)
            faults += 1
    click.echo(f"{faults} faults" if faults else "no faults")
    sys.exit(1 if faults else 0)
