"""``moorage account`` and ``moorage key``: accounts, and the access keys of their roots. Works beside a running server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click

from moorage.cli.options import fail, with_settings
from moorage.model.errors import AccountExists, AccountNotFound, InvalidValue
from moorage.operations import accounts
from moorage.operations.accounts import EmailTaken, NewKey
from moorage.server.installation import Installation, InstallationError, open_installation
from moorage.server.settings import Loaded


@contextmanager
def opened(loaded: Loaded, status: int = 1) -> Iterator[Installation]:
    """The installation, for one command; `status` is its exit status if that cannot be opened."""
    try:
        installation = open_installation(loaded.settings, os.environ, may_create=False)
    except InstallationError as error:
        fail(str(error), status)
    try:
        yield installation
    finally:
        installation.close()


@click.group()
def account() -> None:
    """Accounts: each has registries of its own in every region."""


@account.command("create")
@click.argument("name")
@click.option("--id", "new_id", default=None, metavar="ID", help="12 digits; chosen at random if left out")
@click.option("--email", default=None, metavar="ADDRESS", help="address that no other account has")
@click.option(
    "--role-name",
    default=accounts.ACCESS_ROLE,
    show_default=True,
    metavar="NAME",
    help="role that lets the default account administer it; empty: none",
)
@with_settings
def create(loaded: Loaded, name: str, new_id: str | None, email: str | None, role_name: str) -> None:
    """Make an account and print the key of its root: it is shown this once."""
    with opened(loaded) as installation:
        try:
            made = installation.db.run_write(
                accounts.create_account,
                installation.root_key,
                new_id,
                name,
                email=email,
                role_name=role_name,
                management_account=loaded.settings.account_id,
            )
        except AccountExists:
            fail(f"there is an account {new_id} already")
        except EmailTaken:
            fail(f"another account has the address {email}")
        except InvalidValue as error:
            fail(error.reason)
        show_key(made)


@account.command("list")
@with_settings
def list_accounts(loaded: Loaded) -> None:
    """Print accounts and their keys."""
    with opened(loaded) as installation:
        for account_id, name, keys in installation.db.run_read(accounts.list_accounts):
            click.echo(f"{account_id}  {name}")
            for key_id, status in keys:
                click.echo(f"  {key_id}  {status}")


@click.group()
def key() -> None:
    """Access keys of accounts' roots."""


@key.command("create")
@click.argument("owner", metavar="ACCOUNT_ID")
@with_settings
def create_key(loaded: Loaded, owner: str) -> None:
    """Make a further key for an account's root and print it: it is shown this once."""
    with opened(loaded) as installation:
        try:
            show_key(installation.db.run_write(accounts.create_root_key, installation.root_key, owner))
        except AccountNotFound:
            fail(f"there is no account {owner}: see moorage account list")


@key.command("disable")
@click.argument("access_key_id")
@with_settings
def disable(loaded: Loaded, access_key_id: str) -> None:
    """Refuse a key, and every token made with it, from the next request on."""
    _set_status(loaded, access_key_id, active=False)


@key.command("enable")
@click.argument("access_key_id")
@with_settings
def enable(loaded: Loaded, access_key_id: str) -> None:
    """Accept a disabled key again."""
    _set_status(loaded, access_key_id, active=True)


@key.command("delete")
@click.argument("access_key_id")
@with_settings
def delete(loaded: Loaded, access_key_id: str) -> None:
    """Delete a key: it, and every token made with it, is refused from the next request on."""
    with opened(loaded) as installation:
        if not installation.db.run_write(accounts.delete_key, access_key_id):
            fail(f"there is no access key {access_key_id}: see moorage account list")


def _set_status(loaded: Loaded, access_key_id: str, *, active: bool) -> None:
    with opened(loaded) as installation:
        if not installation.db.run_write(accounts.set_key_status, access_key_id, active=active):
            fail(f"there is no access key {access_key_id}: see moorage account list")


def show_key(made: NewKey) -> None:
    """Print a key in the form that a shell takes."""
    click.echo(f"# account {made.account_id}")
    click.echo(f"export AWS_ACCESS_KEY_ID={made.access_key_id}")
    click.echo(f"export AWS_SECRET_ACCESS_KEY={made.secret}")
