"""``moorage policy``: policies for people who write them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from moorage.cli.access import read_file
from moorage.cli.exits import DONE, NO, USAGE, fail
from moorage.cli.installed import opened
from moorage.cli.options import INSTALLATION, with_settings
from moorage.cli.output import show, with_output
from moorage.policy.document import Kind
from moorage.server.settings import Loaded

_KINDS = {"identity": Kind.IDENTITY, "repository": Kind.REPOSITORY, "registry": Kind.REGISTRY, "trust": Kind.TRUST}


@click.group()
def policy() -> None:
    """Policies: from what was really done, and checked before they are put to use."""


@policy.command("suggest")
@click.option("--principal", required=True, metavar="ARN", help="user, role or root")
@click.option("--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="how far to look back")
@click.option("--generalise", is_flag=True, help="repositories below one prefix become prefix/*")
@with_settings(*INSTALLATION)
def suggest(loaded: Loaded, principal: str, days: int, generalise: bool) -> None:
    """Print the smallest policy for what a principal did: a running server writes that down every few seconds."""
    from moorage.operations.access.principals import QuestionInvalid
    from moorage.operations.access.suggesting import MOST, suggest_policy
    from moorage.policy import sizes

    with opened(loaded) as installation:
        try:
            found = installation.db.run_read(suggest_policy, principal, days, generalise=generalise)
        except QuestionInvalid as error:
            fail(str(error), USAGE)
    if not found.uses:
        fail(f"{principal} did nothing in {days} days that needs a policy", NO)
    if found.is_cut:
        click.echo(f"moorage: only the first {MOST} kinds of use were read: try --generalise, or fewer days", err=True)
    size = sizes.counted_size(found.text, Kind.IDENTITY)
    if size > sizes.MANAGED:
        click.echo(f"moorage: {size} characters are more than one managed policy may have ({sizes.MANAGED})", err=True)
    click.echo(found.text)


@policy.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(list(_KINDS)), default="identity", show_default=True, help="what it is used as")
@with_output
def check(file: Path, kind: str, form: str) -> None:
    """Print, by line, what is wrong with a policy and what is probably not meant. Exit status 1: something; 252: no file."""
    from moorage.policy.check import check_policy

    found = [
        {"line": problem.line, "level": "error" if problem.is_error else "finding", "text": problem.text}
        for problem in check_policy(read_file(file), _KINDS[kind])
    ]
    text = "\n".join(f"{file}:{problem['line']}: {problem['level']}: {problem['text']}" for problem in found)
    show(form, found, text)
    sys.exit(NO if found else DONE)
