"""``moorage fsck``: check metadata against bytes."""

from __future__ import annotations

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


@click.command()
@click.option("--deep", is_flag=True, help="read every blob again and compare its digest")
@with_output
@with_settings(*INSTALLATION, *BLOBS)
def fsck(loaded: Loaded, deep: bool, form: str) -> None:
    """Check that everything the database promises is there and whole. Exit status 1 if anything is not."""
    faults = []
    with opened(loaded) as installation:
        for line in _faults(installation, deep=deep):
            faults.append(line)
            if form == "text":
                click.echo(line)
    show(form, [{"fault": fault} for fault in faults], f"{len(faults)} faults" if faults else "no faults")
    sys.exit(NO if faults else DONE)


def _faults(installation: Installation, *, deep: bool) -> Iterator[str]:
    import asyncio

    from moorage.jobs.fsck import check
    from moorage.keys.data_keys import DataKeys
    from moorage.keys.local_keyring import LocalKeyring
    from moorage.metadata import faults, sqlite_file
    from moorage.metadata.database import DatabaseUnusable
    from moorage.model.seal import AES256

    path = sqlite_file.path_of(installation.settings.effective_database_url)
    try:
        if path is not None:
            for fault in sqlite_file.inner_faults(path, deep=deep):
                yield f"database: {fault}"
        keys = DataKeys({AES256: LocalKeyring(installation.root_key)})
        lines = check(installation.db, installation.store, keys, deep=deep)

        async def following() -> str | None:
            return await anext(lines, None)

        with asyncio.Runner() as runner:  # line by line: each is shown when it is found
            while (line := runner.run(following())) is not None:
                yield line
    except Exception as error:  # a file so damaged that it cannot be read to its end is a fault, and not the end of this command
        said = faults.in_words(error, str(path))
        if not isinstance(said, DatabaseUnusable):
            raise
        yield f"database: {said}"
