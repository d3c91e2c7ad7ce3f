"""Options that stand for settings: all of them for ``serve``, for other commands those that they need."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from moorage.cli.exits import ENVIRONMENT, USAGE, fail
from moorage.server.settings import FIELDS, SettingsError, load

_DEFAULT_FILE = Path("/etc/moorage/moorage.toml")

INSTALLATION = ("data", "database_url")
"""What every command needs that opens the installation."""
BLOBS = ("blob_store_url", "blob_store_access_key_id", "blob_store_secret_access_key")
ALL = tuple(FIELDS)


def with_settings(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add flags for these settings, and ``--config``, and hand the command what is in force as its first argument.

    Settings without a flag come from the file and the environment all the same.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def run(config: Path | None, **arguments: Any) -> Any:
            flags = {name: arguments.pop(name) for name in names}
            named = config or (Path(os.environ["MOORAGE_CONFIG"]) if os.environ.get("MOORAGE_CONFIG") else None)
            file = named or (_DEFAULT_FILE if os.path.exists(_DEFAULT_FILE) else None)  # noqa: PTH110  # False without rights
            try:
                loaded = load(file, os.environ, flags)
            except SettingsError as error:
                fail(str(error), USAGE if _is_right_without_flags(file) else ENVIRONMENT)
            for warning in loaded.warnings:
                click.echo(f"moorage: warning: {warning}", err=True)
            return command(loaded, **arguments)

        decorated: Callable[..., Any] = run
        for name in reversed(names):
            decorated = _option(name)(decorated)
        return click.option("--config", type=click.Path(path_type=Path), default=None, help="TOML file of settings")(decorated)

    return decorate


def _is_right_without_flags(file: Path | None) -> bool:
    try:
        load(file, os.environ, {})
    except SettingsError:
        return False
    return True


def _option(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    entry = FIELDS[name]
    flag = f"--{name.replace('_', '-')}"
    if isinstance(entry.default, bool):
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=entry.metadata["meaning"])
    return click.option(flag, name, default=None, metavar="VALUE", help=entry.metadata["meaning"])
