"""``moorage public``: what the operator decides about public registries. Works beside a running server."""

from __future__ import annotations

import click

from moorage.cli.exits import fail
from moorage.cli.installed import opened
from moorage.cli.options import INSTALLATION, with_settings
from moorage.cli.output import show, with_output
from moorage.server.settings import Loaded


@click.group()
def public() -> None:
    """Public registries: their aliases, and which accounts are verified."""


@public.command("list")
@with_output
@with_settings(*INSTALLATION)
def list_registries(loaded: Loaded, form: str) -> None:
    """Print public registries: the account, whether it is verified, and its aliases, the primary one first."""
    from moorage.operations.public import aliases

    with opened(loaded) as installation:
        found = installation.db.run_read(aliases.list_registries)
    data = [
        {
            "account": listed.account_id,
            "verified": listed.registry.is_verified,
            "displayName": listed.registry.display_name,
            "aliases": [alias.name for alias in listed.registry.aliases],
            "defaultAlias": next((alias.name for alias in listed.registry.aliases if alias.is_default), None),
        }
        for listed in found
    ]
    lines = []
    for listed in found:
        mark = "  verified" if listed.registry.is_verified else ""
        name = f"  {listed.registry.display_name}" if listed.registry.display_name else ""
        lines.append(f"{listed.account_id}{mark}{name}")
        lines += [f"  {alias.name}{'  (default)' if alias.is_default else ''}" for alias in listed.registry.aliases]
    show(form, data, "\n".join(lines))


@public.command("alias")
@click.argument("owner", metavar="ACCOUNT_ID")
@click.argument("name")
@click.option("--remove", is_flag=True, help="take the alias away instead; its default one every registry keeps")
@with_settings(*INSTALLATION)
def alias(loaded: Loaded, owner: str, name: str, *, remove: bool) -> None:
    """Give an account's public registry an alias, its primary one from now on: images are then at <public host>/NAME/..."""
    from moorage.model.errors import AccountNotFound, AliasTaken
    from moorage.operations.public import aliases

    with opened(loaded) as installation:
        try:
            if not remove:
                installation.db.run_write(aliases.add_alias, owner, name)
            elif not installation.db.run_write(aliases.remove_alias, owner, name):
                fail(f"{name} is no alias that was given to {owner}: see moorage public list")
        except AccountNotFound:
            fail(f"there is no account {owner}: see moorage account list")
        except AliasTaken:
            fail(f"the alias {name} is taken: see moorage public list")


@public.command("verify")
@click.argument("owner", metavar="ACCOUNT_ID")
@click.option("--withdraw", is_flag=True, help="take the mark away instead")
@with_settings(*INSTALLATION)
def verify(loaded: Loaded, owner: str, *, withdraw: bool) -> None:
    """Mark an account as verified: its registry's name and logos are then its own beyond doubt."""
    from moorage.model.errors import AccountNotFound
    from moorage.operations.public import aliases

    with opened(loaded) as installation:
        try:
            installation.db.run_write(aliases.set_verified, owner, is_verified=not withdraw)
        except AccountNotFound:
            fail(f"there is no account {owner}: see moorage account list")
