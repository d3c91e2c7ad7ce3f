"""Access keys of users and of roots. Source: the operations of the same names of IAM."""

from __future__ import annotations

from dataclasses import dataclass

from moorage.keys.root_key import RootKey
from moorage.metadata.identity import credentials, identities
from moorage.metadata.identity.records import Identity, KeyUse
from moorage.metadata.records import AccessKey
from moorage.metadata.registry import registries
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits, ids
from moorage.model.errors import InvalidValue, LimitExceeded
from moorage.model.identity import arn_of
from moorage.model.identity_errors import EntityNotFound, InputInvalid
from moorage.model.principal import Caller, root_arn
from moorage.operations.identity.authorized import changing_user_or_self, permit, user_or_self
from moorage.operations.identity.paging import Key, Page, cut

ACTIVE, INACTIVE = "Active", "Inactive"


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key as it is shown once. `user_name` is None for a root."""

    user_name: str | None
    id: str
    secret: str
    created_at: int


def create_access_key(
    tx: Transaction, root_key: RootKey, caller: Caller, user_name: str | None, given: tuple[str, str] | None = None
) -> IssuedKey:
    """Give a user a key, the caller itself where none is named. Raises EntityNotFound, LimitExceeded.

    Args:
        given: id and secret, of the seed of a test server; else they are random.
    """
    user = changing_user_or_self(tx, caller, "CreateAccessKey", user_name)
    key_id, secret = _issue(tx, root_key, caller.account_id, _owner(caller, user), given)
    return IssuedKey(user.name if user else None, key_id, secret, tx.now)


def create_key_for_user(tx: Transaction, root_key: RootKey, account_id: str, user_name: str) -> IssuedKey:
    """Give a user a key because the operator of the server says so. Raises EntityNotFound, LimitExceeded."""
    user = identities.find(tx, account_id, "user", user_name)
    if user is None:
        raise EntityNotFound("user", user_name)
    return IssuedKey(user.name, *_issue(tx, root_key, account_id, user.id, None), tx.now)


def _issue(tx: Transaction, root_key: RootKey, account_id: str, owner: str, given: tuple[str, str] | None) -> tuple[str, str]:
    if credentials.count_keys(tx, owner) >= identity_limits.ACCESS_KEYS:
        raise LimitExceeded(f"Cannot exceed quota for AccessKeysPerUser: {identity_limits.ACCESS_KEYS}")
    key_id, secret = given or (ids.access_key_id(), ids.secret_access_key())
    sealed = root_key.seal_secret(secret.encode(), {"access-key": key_id})
    inserted = registries.insert_key(tx, AccessKey(key_id, account_id, owner, sealed, ACTIVE))
    assert inserted or given is not None, "ids of keys are random"
    if not inserted:
        raise InvalidValue(key_id, f"an access key {key_id} exists")
    return key_id, secret


def list_access_keys(
    tx: ReadTransaction, caller: Caller, user_name: str | None, after: Key, count: int
) -> tuple[str | None, Page[KeyUse]]:
    """Name of the user (None: a root) and its keys, oldest first. Raises EntityNotFound."""
    user = user_or_self(tx, caller, "ListAccessKeys", user_name)
    keys = credentials.keys_of(tx, _owner(caller, user))
    return user.name if user else None, cut(keys, after, count, lambda key: [key.created_at, key.id])


def update_access_key(tx: Transaction, caller: Caller, user_name: str | None, access_key_id: str, status: str) -> None:
    """Make a key count or not, from the next request on. Raises EntityNotFound, InputInvalid: a status that none is given."""
    user = changing_user_or_self(tx, caller, "UpdateAccessKey", user_name)
    if status not in {ACTIVE, INACTIVE}:
        raise InputInvalid(f"The status of an access key is {ACTIVE} or {INACTIVE}")
    registries.set_key_status(tx, _key_of(tx, _owner(caller, user), access_key_id).id, status)


def delete_access_key(tx: Transaction, caller: Caller, user_name: str | None, access_key_id: str) -> None:
    """Delete a key; what was made with it ends. Raises EntityNotFound."""
    user = changing_user_or_self(tx, caller, "DeleteAccessKey", user_name)
    registries.delete_key(tx, _key_of(tx, _owner(caller, user), access_key_id).id)


def get_access_key_last_used(tx: ReadTransaction, caller: Caller, access_key_id: str) -> tuple[str | None, KeyUse]:
    """Name of the user whose key it is (None: a root), and the key with its last use. Raises EntityNotFound."""
    key = credentials.find_key(tx, access_key_id)
    if key is not None and key.account_id != caller.account_id:
        key = None
    user = identities.find_by_id(tx, key.principal_id) if key is not None else None
    any_user = arn_of(caller.account_id, "user", "/", "*")
    owner = user.arn if user is not None else any_user if key is None else root_arn(caller.account_id)
    permit(tx, caller, "GetAccessKeyLastUsed", owner, shown=any_user)
    if key is None:
        raise EntityNotFound("access key", access_key_id)
    return user.name if user else None, key


def _owner(caller: Caller, user: Identity | None) -> str:
    return user.id if user is not None else caller.account_id


def _key_of(tx: ReadTransaction, principal_id: str, access_key_id: str) -> KeyUse:
    key = credentials.find_key(tx, access_key_id)
    if key is None or key.principal_id != principal_id:
        raise EntityNotFound("access key", access_key_id)
    return key
