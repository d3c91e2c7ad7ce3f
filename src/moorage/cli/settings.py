"""``moorage settings``: what is in force, and from where."""

from __future__ import annotations

import click

from moorage.cli.options import ALL, with_settings
from moorage.cli.output import show, with_output
from moorage.server.settings import Loaded, shown


@click.command()
@with_output
@with_settings(*ALL)
def settings(loaded: Loaded, form: str) -> None:
    """Print every setting: its value, where that came from, and what it means."""
    rows = shown(loaded)
    width = max(len(name) for name, *_ in rows)
    text = "\n".join(f"{name:{width}}  {value}\n{'':{width}}  from {origin}; {meaning}" for name, value, origin, meaning in rows)
    show(
        form,
        [{"name": name, "value": value, "origin": origin, "meaning": meaning} for name, value, origin, meaning in rows],
        text,
    )
