"""``moorage serve``: its options; what it does is in `moorage.cli.serving`, which takes a second to import."""

from __future__ import annotations

import click

from moorage.cli.options import ALL, with_settings
from moorage.server.settings import Loaded


@click.command()
@with_settings(*ALL)
def serve(loaded: Loaded) -> None:
    """Serve the registry until SIGTERM."""
    from moorage.cli.serving import run

    run(loaded.settings)
