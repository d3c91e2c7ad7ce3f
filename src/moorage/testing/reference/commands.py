"""docs/reference/commands.md: what the moorage command can do, from click itself."""

from __future__ import annotations

from collections.abc import Iterator

import click

from moorage.cli.main import main
from moorage.server.settings import FIELDS
from moorage.testing.reference.markdown import code, document, table


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by the words that name it, in the order of ``--help``."""
    yield from _below("moorage", main)


def _below(words: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=words)
        for name in sorted(command.list_commands(context)):
            child = command.get_command(context, name)
            assert child is not None
            yield from _below(f"{words} {name}", child)
    else:
        yield words, command


_FOR_ALL = """`serve` takes all [settings](settings.md) as flags, other commands those that they need, and each of them
`--config FILE`; they are left out below. The file and the environment count for all commands.

What prints data takes `--output text|json|table`.

| exit status | meaning |
| --- | --- |
| 0 | done |
| 1 | the answer is no: not allowed, faults found, something to mend |
| 130 | ended by Ctrl-C |
| 252 | the command line makes no sense |
| 253 | settings, data folder, keys, database or blob store cannot be used |
| 254 | what was asked for cannot be done: no such account, the name is taken |
| 255 | anything else; `moorage --debug COMMAND` shows a traceback |

They are those of the `aws` command line, version 2. Errors are one line on standard error; a command line that makes
no sense is told how the command is called as well.

Completion of the shell: `eval "$(_MOORAGE_COMPLETE=bash_source moorage)"`, or `zsh_source`; for fish
`_MOORAGE_COMPLETE=fish_source moorage | source`."""


def page() -> str:
    """The page."""
    blocks = [f"{main.help}\n\n`moorage --version` prints the version; `--help` (`-h`) explains every command."]
    for words, command in commands():
        own = [parameter for parameter in command.params if parameter.name not in FIELDS and parameter.name != "config"]
        takes_settings = any(parameter.name == "config" for parameter in command.params)
        context = click.Context(command, info_name=words)
        usage = f"{words} {' '.join(command.collect_usage_pieces(context))}"
        options = [
            [code(" ".join([*parameter.opts, parameter.metavar or ""]).strip()), parameter.help or ""]
            for parameter in own
            if isinstance(parameter, click.Option)
        ]
        blocks += [
            f"## {words}",
            f"```text\n{usage}\n```",
            (command.help or "") + ("" if takes_settings else "\n\nTakes no settings."),
            table(["option", "meaning"], options) if options else "",
        ]
    blocks.insert(1, _FOR_ALL)
    return document("Commands", *blocks)
