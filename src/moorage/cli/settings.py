"""``moorage settings``: what is in force, and from where."""

from __future__ import annotations

import click

from moorage.cli.options import with_settings
from moorage.server.settings import Loaded, shown


@click.command()
@with_settings
def settings(loaded: Loaded) -> None:
    """Print every setting: its value, where that came from, and what it means."""
    rows = shown(loaded)
    width = max(len(name) for name, *_ in rows)
    for name, value, origin, meaning in rows:
        click.echo(f"{name:{width}}  {value}\n{'':{width}}  from {origin}; {meaning}")
