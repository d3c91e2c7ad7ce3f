"""``moorage tls``."""

from __future__ import annotations

import click


@click.command()
def tls() -> None:
    """wip"""
