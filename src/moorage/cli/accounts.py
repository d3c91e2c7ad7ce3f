"""``moorage account`` and ``moorage key``: accounts, and access keys. Works beside a running server."""

from __future__ import annotations

import click

from moorage.cli.exits import fail
from moorage.cli.installed import opened
from moorage.cli.options import INSTALLATION, with_settings
from moorage.cli.output import show, with_output
from moorage.model.scope import is_account_id
from moorage.server.settings import Loaded

_ACCESS_ROLE = "OrganizationAccountAccessRole"
"""That of `moorage.operations.accounts.accounts`, which is imported when a command runs; a test holds them equal."""


def _a_name(_: click.Context, __: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("an account has a name that can be read")
    return value


def _an_id(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None and not is_account_id(value):
        raise click.BadParameter(f"an account's id is 12 digits, not {value!r}")
    return value


@click.group()
def account() -> None:
    """Accounts: each has registries of its own in every region."""


@account.command("create")
@click.argument("name", callback=_a_name)
@click.option("--id", "new_id", default=None, callback=_an_id, metavar="ID", help="12 digits; chosen at random if left out")
@click.option("--email", default=None, metavar="ADDRESS", help="address that no other account has")
@click.option(
    "--role-name",
    default=_ACCESS_ROLE,
    show_default=True,
    metavar="NAME",
    help="role that lets the default account administer it; empty: none",
)
@with_output
@with_settings(*INSTALLATION)
def create(loaded: Loaded, name: str, new_id: str | None, email: str | None, role_name: str, form: str) -> None:
    """Make an account and print the key of its root: it is shown this once."""
    from moorage.model.errors import AccountExists
    from moorage.operations.accounts import accounts

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
        except accounts.EmailTaken:
            fail(f"another account has the address {email}")
        show_key(form, made.account_id, None, made.access_key_id, made.secret)


@account.command("list")
@with_output
@with_settings(*INSTALLATION)
def list_accounts(loaded: Loaded, form: str) -> None:
    """Print accounts and their keys."""
    from moorage.operations.accounts import accounts

    with opened(loaded) as installation:
        found = installation.db.run_read(accounts.list_accounts)
    data = [
        {"account": account_id, "name": name, "keys": [{"id": key_id, "status": status} for key_id, status in keys]}
        for account_id, name, keys in found
    ]
    rows: list[dict[str, str | None]] = []
    lines = []
    for account_id, name, keys in found:
        lines.append(f"{account_id}  {name}")
        lines += [f"  {key_id}  {status}" for key_id, status in keys]
        rows += [{"account": account_id, "name": name, "key": key_id, "status": status} for key_id, status in keys]
        if not keys:
            rows.append({"account": account_id, "name": name})
    show(form, data, "\n".join(lines), rows)


@click.group()
def key() -> None:
    """Access keys of accounts' roots, and of users."""


@key.command("create")
@click.argument("owner", metavar="[ACCOUNT_ID]", required=False)
@click.option("--user", default=None, metavar="NAME", help="a user of the account, in place of its root")
@with_output
@with_settings(*INSTALLATION)
def create_key(loaded: Loaded, owner: str | None, user: str | None, form: str) -> None:
    """Make a further key for an account's root, the default account's if none is named, and print it: it is shown this once."""
    from moorage.model.errors import AccountNotFound
    from moorage.model.identity_errors import EntityNotFound
    from moorage.operations.accounts import accounts
    from moorage.operations.identity import access_keys

    account_id = owner or loaded.settings.account_id
    with opened(loaded) as installation:
        try:
            if user is None:
                made = installation.db.run_write(accounts.create_root_key, installation.root_key, account_id)
                show_key(form, account_id, None, made.access_key_id, made.secret)
            else:
                issued = installation.db.run_write(access_keys.create_key_for_user, installation.root_key, account_id, user)
                show_key(form, account_id, user, issued.id, issued.secret)
        except AccountNotFound:
            fail(f"there is no account {account_id}: see moorage account list")
        except EntityNotFound:
            fail(f"account {account_id} has no user {user}")


@key.command("disable")
@click.argument("access_key_id")
@with_settings(*INSTALLATION)
def disable(loaded: Loaded, access_key_id: str) -> None:
    """Refuse a key, and every token made with it, from the next request on."""
    _set_status(loaded, access_key_id, active=False)


@key.command("enable")
@click.argument("access_key_id")
@with_settings(*INSTALLATION)
def enable(loaded: Loaded, access_key_id: str) -> None:
    """Accept a disabled key again."""
    _set_status(loaded, access_key_id, active=True)


@key.command("delete")
@click.argument("access_key_id")
@with_settings(*INSTALLATION)
def delete(loaded: Loaded, access_key_id: str) -> None:
    """Delete a key: it, and every token made with it, is refused from the next request on."""
    from moorage.operations.accounts import accounts

    with opened(loaded) as installation:
        if not installation.db.run_write(accounts.delete_key, access_key_id):
            fail(f"there is no access key {access_key_id}: see moorage account list")


def _set_status(loaded: Loaded, access_key_id: str, *, active: bool) -> None:
    from moorage.operations.accounts import accounts

    with opened(loaded) as installation:
        if not installation.db.run_write(accounts.set_key_status, access_key_id, active=active):
            fail(f"there is no access key {access_key_id}: see moorage account list")


def show_key(form: str, account_id: str, user: str | None, key_id: str, secret: str) -> None:
    """Print a key; as text in the form that a shell takes."""
    of = f" user {user}" if user else ""
    text = f"# account {account_id}{of}\nexport AWS_ACCESS_KEY_ID={key_id}\nexport AWS_SECRET_ACCESS_KEY={secret}"
    show(form, {"account": account_id, "user": user, "accessKeyId": key_id, "secretAccessKey": secret}, text)
