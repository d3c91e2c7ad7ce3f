"""Accounts and the keys of their roots. Made on the command line and at the first start, not through an API."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from moorage.auth.credentials import Credential
from moorage.keys.root_key import RootKey
from moorage.metadata import identities, registries
from moorage.metadata.records import AccessKey
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import ids
from moorage.model.errors import AccountExists, AccountNotFound, InvalidValue
from moorage.model.principal import root_arn
from moorage.model.scope import is_account_id


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown once. `secret` is nowhere else in the clear."""

    account_id: str
    access_key_id: str
    secret: str


def create_account(tx: Transaction, root_key: RootKey, account_id: str | None, name: str) -> NewKey:
    """Add an account with a root and a key for it. Raises AccountExists, InvalidValue."""
    chosen = account_id if account_id is not None else f"{secrets.randbelow(9 * 10**11) + 10**11:012d}"
    if not is_account_id(chosen):
        raise InvalidValue(chosen[:20], "an account id has 12 digits")
    if not registries.insert_account(tx, chosen, name):
        raise AccountExists(chosen)
    return create_root_key(tx, root_key, chosen)


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

    Returns the new key at the first start, else None.
    """
    is_new = registries.insert_account(tx, account_id, name)
    if given is None:
        return create_root_key(tx, root_key, account_id) if is_new else None
    existing = registries.find_key(tx, given[0])
    if existing is None:
        return create_root_key(tx, root_key, account_id, given)
    if existing.account_id != account_id:
        raise InvalidValue(given[0], f"the access key {given[0]} of the settings belongs to account {existing.account_id}")
    if root_key.open_secret(existing.secret, {"access-key": given[0]}) != given[1].encode():
        registries.set_key_secret(tx, given[0], root_key.seal_secret(given[1].encode(), {"access-key": given[0]}))
    return None


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
