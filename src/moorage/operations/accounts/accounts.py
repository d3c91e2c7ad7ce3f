"""Accounts and the keys of their roots: made at the first start, on the command line, and by organizations."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass

from moorage.auth.credentials import Credential
from moorage.keys.root_key import RootKey
from moorage.metadata.identity import credentials, identities, organizations
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity.records import Identity
from moorage.metadata.records import AccessKey
from moorage.metadata.registry import registries
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import ids
from moorage.model.errors import AccountExists, AccountNotFound, Conflict, InvalidValue
from moorage.model.principal import root_arn
from moorage.model.scope import is_account_id

ACCESS_ROLE = "OrganizationAccountAccessRole"
"""How the role is named by which an organization's management account reaches a new account."""

_ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_ROLE_SECONDS = 3600


class EmailTaken(Conflict):
    """Another account has this address."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown once. `secret` is nowhere else in the clear."""

    account_id: str
    access_key_id: str
    secret: str


def create_account(
    tx: Transaction,
    root_key: RootKey,
    account_id: str | None,
    name: str,
    *,
    email: str | None = None,
    role_name: str | None = None,
    management_account: str | None = None,
) -> NewKey:
    """`add_account`, with a key for its root. Raises AccountExists, EmailTaken, InvalidValue."""
    added = add_account(tx, account_id, name, email=email, role_name=role_name, management_account=management_account)
    return create_root_key(tx, root_key, added)


def add_account(
    tx: Transaction,
    account_id: str | None,
    name: str,
    *,
    email: str | None = None,
    role_name: str | None = None,
    management_account: str | None = None,
) -> str:
    """Add an account and return its id.

    Args:
        account_id: None: one is chosen at random.
        email: no two accounts have the same.
        role_name: a role of the new account that lets those into it, as administrators, whom `management_account` allows.

    Raises:
        AccountExists, EmailTaken, InvalidValue
    """
    chosen = account_id if account_id is not None else f"{secrets.randbelow(9 * 10**11) + 10**11:012d}"
    if not is_account_id(chosen):
        raise InvalidValue(chosen[:20], "an account id has 12 digits")
    if email is not None:
        organizations.hold(tx)
        if organizations.email_is_taken(tx, email):
            raise EmailTaken(email)
    if not registries.insert_account(tx, chosen, name):
        raise AccountExists(chosen)
    if email is not None:
        organizations.set_email(tx, chosen, email)
    if role_name and management_account:
        _add_access_role(tx, chosen, role_name, management_account)
    return chosen


def _add_access_role(tx: Transaction, account_id: str, name: str, management_account: str) -> None:
    """The role by which the management account reaches an account. Source: AWS Organizations, "Accessing member accounts"."""
    if _ROLE_NAME.fullmatch(name) is None:
        raise InvalidValue(name[:64], "the name of a role has at most 64 letters, digits and +=,.@_-")
    trusted = root_arn(management_account)
    statement = {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}
    role = Identity(
        id=ids.unique_id("AROA"),
        account_id=account_id,
        kind="role",
        name=name,
        path="/",
        created_at=tx.now,
        trust_policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        trust_bindings=json.dumps({trusted: management_account}),
        max_session_seconds=_ROLE_SECONDS,
    )
    identities.insert(tx, role)
    identity_policies.attach(tx, role, "arn:aws:iam::aws:policy/AdministratorAccess")


def create_root_key(tx: Transaction, root_key: RootKey, account_id: str, given: tuple[str, str] | None = None) -> NewKey:
    """Add a key for an account's root: a fresh one, or one that the operator chose. Raises AccountNotFound, InvalidValue."""
    if not registries.account_exists(tx, account_id):
        raise AccountNotFound(account_id)
    key_id, secret = given or (ids.access_key_id(), ids.secret_access_key())
    sealed = root_key.seal_secret(secret.encode(), {"access-key": key_id})
    if not registries.insert_key(tx, AccessKey(key_id, account_id, account_id, sealed, "Active")):
        raise InvalidValue(key_id, f"an access key {key_id} exists")
    return NewKey(account_id, key_id, secret)


def ensure_bootstrap(
    tx: Transaction, root_key: RootKey, account_id: str, name: str, given: tuple[str, str] | None
) -> NewKey | None:
    """At each start: make the default account and its first key, and obey a key that the settings name.

    Returns the key that is to be shown: at the first start the new one, and later the same one for as long as no start has lived
    to show it (`note_first_key_shown`). Else None.
    """
    is_new = registries.insert_account(tx, account_id, name)
    if given is None:
        return _make_first_key(tx, root_key, account_id) if is_new else _unseen_first_key(tx, root_key, account_id)
    existing = registries.find_key(tx, given[0])
    if existing is None:
        identities.touch(tx, account_id)  # of several nodes that start with a new key one adds it
        existing = registries.find_key(tx, given[0])
    if existing is None:
        return create_root_key(tx, root_key, account_id, given)
    if existing.account_id != account_id:
        raise InvalidValue(given[0], f"the access key {given[0]} of the settings belongs to account {existing.account_id}")
    if root_key.open_secret(existing.secret, {"access-key": given[0]}) != given[1].encode():
        registries.set_key_secret(tx, given[0], root_key.seal_secret(given[1].encode(), {"access-key": given[0]}))
    return None


def _make_first_key(tx: Transaction, root_key: RootKey, account_id: str) -> NewKey:
    made = create_root_key(tx, root_key, account_id)
    registries.set_installation_fact(tx, f"first-key/{account_id}", made.access_key_id)
    return made


def _unseen_first_key(tx: Transaction, root_key: RootKey, account_id: str) -> NewKey | None:
    key_id = registries.installation_fact(tx, f"first-key/{account_id}")
    if key_id is None or registries.installation_fact(tx, f"first-key-shown/{account_id}") is not None:
        return None
    key = registries.find_key(tx, key_id)
    return None if key is None else NewKey(account_id, key.id, root_key.open_secret(key.secret, {"access-key": key.id}).decode())


def note_first_key_shown(tx: Transaction, account_id: str) -> None:
    """The first key was shown: no later start shows it again."""
    registries.set_installation_fact(tx, f"first-key-shown/{account_id}", "1")


def root_was_used(tx: ReadTransaction, account_id: str) -> bool:
    """Tell whether any key that an account's root has now was ever used."""
    return any(key.last_used_at is not None for key in credentials.keys_of(tx, account_id))


def find_active_key(tx: ReadTransaction, access_key_id: str) -> tuple[AccessKey, str] | None:
    """A key that counts, and the ARN of its user or root; None for one that is unknown or inactive: nobody is told which."""
    key = registries.find_key(tx, access_key_id)
    if key is None or key.status != "Active":
        return None
    if key.principal_id == key.account_id:
        return key, root_arn(key.account_id)
    user = identities.find_by_id(tx, key.principal_id)
    return (key, user.arn) if user is not None else None


def open_credential(root_key: RootKey, key: AccessKey, arn: str) -> Credential:
    """A key with its opened secret, for verifying signatures; `arn` is that of the user or root who has it."""
    secret = root_key.open_secret(key.secret, {"access-key": key.id}).decode()
    return Credential(key.id, secret, key.account_id, arn, key.principal_id)


def set_key_status(tx: Transaction, access_key_id: str, *, active: bool) -> bool:
    """Enable or disable a key; False if there is none. Tokens made with it obey from the next request on."""
    return registries.set_key_status(tx, access_key_id, "Active" if active else "Inactive")


def delete_key(tx: Transaction, access_key_id: str) -> bool:
    """Delete a key; False if there is none."""
    return registries.delete_key(tx, access_key_id)


def list_accounts(tx: ReadTransaction) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Id, name and keys (id, status) of every account."""
    return [
        (account, name, [(key, status) for key, status, _ in registries.list_keys(tx, account)])
        for account, name, _ in registries.list_accounts(tx)
    ]
