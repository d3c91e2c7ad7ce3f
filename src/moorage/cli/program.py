"""The frame around all commands: each is imported when it is called, and whatever goes wrong in it becomes one line and a status.

A traceback is for whoever looks for a fault in Moorage: ``moorage --debug COMMAND`` shows it.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from moorage.cli.exits import ENVIRONMENT, FAILED, INTERRUPTED, REFUSED, USAGE, fail

_COLLECTOR_THRESHOLDS = 20_000, 50, 50
"""Importing makes much and drops little. Looking for what was dropped costs a short command an eighth of its time meanwhile, and
a fifth at its end, where the interpreter looks at everything that is not frozen."""


class Program(click.Group):
    """A group of commands by name: the module and variable of each, and its line of help.

    Args:
        lazily: ``name: ("module:variable", "line of help")``. The server alone takes over a second to import.
    """

    def __init__(self, *args: Any, lazily: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.lazily = lazily

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of ``--help``."""
        return sorted(self.lazily)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self.lazily:
            return None
        module, _, variable = self.lazily[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), variable)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``, without importing what is listed."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.lazily[name][1]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is named. Whoever reads our output may have seen enough: click would call that a no."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(FAILED)

    def main(  # type: ignore[override]  # which overload it is depends on an option that is ours here
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **options: Any
    ) -> Any:
        """Run a command line and end the process."""
        gc.set_threshold(*_COLLECTOR_THRESHOLDS)
        atexit.register(gc.freeze)
        debug = "--debug" in (sys.argv[1:] if args is None else args)
        try:
            options["standalone_mode"] = False
            status = super().main(args, prog_name, **options)
        except click.exceptions.Abort:
            sys.exit(INTERRUPTED)
        except click.UsageError as error:
            error.show()
            sys.exit(USAGE)
        except click.ClickException as error:
            error.show()
            sys.exit(FAILED)
        except Exception as error:
            if debug:
                raise
            _tell(error)
        sys.exit(status if isinstance(status, int) else 0)


def _tell(error: Exception) -> NoReturn:
    """End with what an error means to whoever called the command."""
    # Imported here: a command that goes well needs none of it.
    from moorage.keys.root_key import RootKeyError
    from moorage.metadata import faults
    from moorage.metadata.database import DatabaseUnavailable, DatabaseUnusable
    from moorage.model.errors import DomainError, InvalidValue, StorageFull
    from moorage.server.installation import InstallationError
    from moorage.server.seeds import SeedInvalid
    from moorage.server.tls import TlsError
    from moorage.storage.blob_store import StoreUnavailable

    stored = (DatabaseUnavailable, DatabaseUnusable, StorageFull, StoreUnavailable)
    surroundings = (InstallationError, RootKeyError, SeedInvalid, TlsError, *stored)
    if isinstance(error, surroundings):
        fail(faults.one_line(error), ENVIRONMENT)
    if (said := faults.in_words(error)) is not None:
        fail(faults.one_line(said), ENVIRONMENT)
    if isinstance(error, InvalidValue):
        fail(error.reason, REFUSED)
    if isinstance(error, DomainError):
        fail(faults.one_line(error) or type(error).__name__, REFUSED)
    if isinstance(error, OSError):
        fail(f"{error.filename}: {error.strerror}" if error.filename else faults.one_line(error), FAILED)
    fail(f"a fault of Moorage: {type(error).__name__}: {faults.one_line(error)} (moorage --debug ... shows where)", FAILED)
