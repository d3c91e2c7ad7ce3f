"""Options that stand for settings: each setting is a flag of every command that opens the installation."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from moorage.server.settings import FIELDS, Loaded, SettingsError, load

_DEFAULT_FILE = Path("/etc/moorage/moorage.toml")


WRONG_INPUT = 2
"""Exit status of commands whose status 1 is an answer: what they were given makes no sense."""


def with_settings(command: Callable[..., Any], *, status: int = 1) -> Callable[..., Any]:
    """Add the flags and hand the command what is in force as its first argument. `status`: that of wrong settings."""

    @functools.wraps(command)
    def run(config: Path | None, **arguments: Any) -> Any:
        flags = {name: arguments.pop(name) for name in FIELDS}
        named = config or (Path(os.environ["MOORAGE_CONFIG"]) if os.environ.get("MOORAGE_CONFIG") else None)
        file = named or (_DEFAULT_FILE if _DEFAULT_FILE.exists() else None)
        try:
            loaded: Loaded = load(file, os.environ, flags)
        except SettingsError as error:
            fail(str(error), status)
        return command(loaded, **arguments)

    decorated: Callable[..., Any] = run
    for name, entry in reversed(FIELDS.items()):
        flag = f"--{name.replace('_', '-')}"
        if isinstance(entry.default, bool):
            decorated = click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=entry.metadata["meaning"])(decorated)
        else:
            decorated = click.option(flag, name, default=None, metavar="VALUE", help=entry.metadata["meaning"])(decorated)
    return click.option("--config", type=click.Path(path_type=Path), default=None, help="TOML file of settings")(decorated)


def answering(command: Callable[..., Any]) -> Callable[..., Any]:
    """`with_settings` for commands whose exit status is an answer."""
    return with_settings(command, status=WRONG_INPUT)


def fail(message: str, status: int = 1) -> NoReturn:
    """Say what is wrong and end with a status that scripts see."""
    click.echo(f"moorage: {message}", err=True)
    sys.exit(status)
