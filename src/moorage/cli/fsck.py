"""``moorage fsck``."""

from __future__ import annotations

import click


@click.command()
def fsck() -> None:
    """wip"""
