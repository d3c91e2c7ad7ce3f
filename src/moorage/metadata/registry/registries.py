"""Queries over accounts, access keys and registries."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import bindparam, exists, select, update

from moorage.metadata.records import AccessKey
from moorage.metadata.statements import Statement
from moorage.metadata.tables.images import repositories
from moorage.metadata.tables.registries import access_keys, accounts, installation, registries
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import word
from moorage.model.scope import Scope

_ACCOUNT = Statement(lambda _: select(accounts.c.id, accounts.c.name).where(accounts.c.id == bindparam("id")))
_CREATED_AT = Statement(lambda _: select(accounts.c.created_at).where(accounts.c.id == bindparam("id")))
_ACCOUNTS = Statement(lambda _: select(accounts.c.id, accounts.c.name, accounts.c.created_at).order_by(accounts.c.id))
_INSERT_ACCOUNT = Statement(
    lambda insert: (
        insert(accounts)
        .values(id=bindparam("id"), name=bindparam("name"), created_at=bindparam("now"))
        .on_conflict_do_nothing(index_elements=["id"])
    )
)
_KEY = Statement(
    lambda _: select(
        access_keys.c.id, access_keys.c.account_id, access_keys.c.principal_id, access_keys.c.secret, access_keys.c.status
    ).where(access_keys.c.id == bindparam("id"))
)
_KEY_STATUS = Statement(
    lambda _: select(access_keys.c.account_id, access_keys.c.principal_id, access_keys.c.status).where(
        access_keys.c.id == bindparam("id")
    )
)
_KEYS_OF = Statement(
    lambda _: (
        select(access_keys.c.id, access_keys.c.status, access_keys.c.created_at)
        .where(access_keys.c.account_id == bindparam("account"))
        .order_by(access_keys.c.created_at, access_keys.c.id)
    )
)
_INSERT_KEY = Statement(
    lambda insert: (
        insert(access_keys)
        .values(
            id=bindparam("id"),
            account_id=bindparam("account"),
            principal_id=bindparam("principal"),
            secret=bindparam("secret"),
            status=bindparam("status"),
            created_at=bindparam("now"),
        )
        .on_conflict_do_nothing(index_elements=["id"])
    )
)
_SET_SECRET = Statement(
    lambda _: update(access_keys).where(access_keys.c.id == bindparam("key")).values(secret=bindparam("new_secret"))
)
_SET_STATUS = Statement(
    lambda _: update(access_keys).where(access_keys.c.id == bindparam("key")).values(status=bindparam("new_status"))
)
_DELETE_KEY = Statement(lambda _: access_keys.delete().where(access_keys.c.id == bindparam("key")))


def _registry_id() -> Any:
    return select(registries.c.id).where(
        registries.c.partition == bindparam("partition"),
        registries.c.region == bindparam("region"),
        registries.c.registry_id == bindparam("registry_id"),
    )


_REGISTRY = Statement(lambda _: _registry_id())
# Not against foreign keys: pushes go on meanwhile.
_HOLD_REGISTRY = Statement(lambda _: _registry_id().with_for_update(key_share=True))
_HAS_REPOSITORIES = exists().where(repositories.c.registry == registries.c.id, repositories.c.state == word("live"))
_USED = Statement(
    lambda _: (
        select(registries.c.region, registries.c.registry_id, registries.c.address)
        .where(registries.c.region != word(""), _HAS_REPOSITORIES)
        .order_by(registries.c.registry_id, registries.c.region)
    )
)
_ADDRESS_OF_USED = Statement(
    lambda _: select(registries.c.address).where(
        registries.c.partition == bindparam("partition"),
        registries.c.region == bindparam("region"),
        registries.c.registry_id == bindparam("registry_id"),
        _HAS_REPOSITORIES,
    )
)
_INSERT_REGISTRY = Statement(
    lambda insert: (
        insert(registries)
        .values(
            partition=bindparam("partition"),
            region=bindparam("region"),
            registry_id=bindparam("registry_id"),
            address=bindparam("address"),
            created_at=bindparam("now"),
        )
        .on_conflict_do_nothing()
    )
)
_BY_ADDRESS = Statement(
    lambda _: select(registries.c.region, registries.c.registry_id).where(registries.c.address == bindparam("address"))
)
_FACT = Statement(lambda _: select(installation.c.value).where(installation.c.key == bindparam("name")))
_INSERT_FACT = Statement(
    lambda insert: (
        insert(installation).values(key=bindparam("name"), value=bindparam("fact")).on_conflict_do_nothing(index_elements=["key"])
    )
)


def account_exists(tx: ReadTransaction, account_id: str) -> bool:
    """Tell whether the account is on this server."""
    return tx.first(_ACCOUNT, id=account_id) is not None


def account_created_at(tx: ReadTransaction, account_id: str) -> int | None:
    """When the account was created (microseconds); None for one that is not on this server."""
    row = tx.first(_CREATED_AT, id=account_id)
    return int(row[0]) if row else None


def list_accounts(tx: ReadTransaction) -> list[tuple[str, str, int]]:
    """Id, name and time of creation of every account, by id."""
    return [(row[0], row[1], row[2]) for row in tx.all(_ACCOUNTS)]


def insert_account(tx: Transaction, account_id: str, name: str) -> bool:
    """Add an account; False if it exists."""
    return tx.run(_INSERT_ACCOUNT, id=account_id, name=name, now=tx.now) == 1


def find_key(tx: ReadTransaction, access_key_id: str) -> AccessKey | None:
    """A key with its sealed secret, whatever its status."""
    row = tx.first(_KEY, id=access_key_id)
    return AccessKey(*row) if row else None


def key_status(tx: ReadTransaction, access_key_id: str) -> tuple[str, str, str] | None:
    """Account, principal and status of a key: what authorisation asks at every request."""
    row = tx.first(_KEY_STATUS, id=access_key_id)
    return (row[0], row[1], row[2]) if row else None


def list_keys(tx: ReadTransaction, account_id: str) -> list[tuple[str, str, int]]:
    """Id, status and time of creation of an account's keys, oldest first."""
    return [(row[0], row[1], row[2]) for row in tx.all(_KEYS_OF, account=account_id)]


def insert_key(tx: Transaction, key: AccessKey) -> bool:
    """Add a key; False if the id is taken."""
    inserted = tx.run(
        _INSERT_KEY,
        id=key.id,
        account=key.account_id,
        principal=key.principal_id,
        secret=key.secret,
        status=key.status,
        now=tx.now,
    )
    return inserted == 1


def set_key_secret(tx: Transaction, access_key_id: str, sealed_secret: bytes) -> None:
    """Replace a key's sealed secret."""
    tx.run(_SET_SECRET, key=access_key_id, new_secret=sealed_secret)


def set_key_status(tx: Transaction, access_key_id: str, status: str) -> bool:
    """Make a key Active or Inactive; False if there is none."""
    return tx.run(_SET_STATUS, key=access_key_id, new_status=status) == 1


def delete_key(tx: Transaction, access_key_id: str) -> bool:
    """Remove a key; False if there is none."""
    return tx.run(_DELETE_KEY, key=access_key_id) == 1


def find_registry(tx: ReadTransaction, scope: Scope) -> int | None:
    """The id of a registry, None before its first repository."""
    row = tx.first(_REGISTRY, partition=scope.partition, region=scope.region, registry_id=scope.registry_id)
    return int(row[0]) if row else None


def list_used(tx: ReadTransaction) -> list[tuple[Scope, str]]:
    """Every private registry that has repositories, with its loopback address."""
    return [(Scope.of(row[0], row[1]), row[2]) for row in tx.all(_USED)]


def address_of_used(tx: ReadTransaction, scope: Scope) -> str | None:
    """The loopback address that a registry was given, if it has repositories."""
    row = tx.first(_ADDRESS_OF_USED, partition=scope.partition, region=scope.region, registry_id=scope.registry_id)
    return str(row[0]) if row else None


def ensure_registry(tx: Transaction, scope: Scope) -> int:
    """The id of a registry, made on first use. Its account must exist."""
    attempt = 0
    while (registry := find_registry(tx, scope)) is None:
        tx.run(
            _INSERT_REGISTRY,
            partition=scope.partition,
            region=scope.region,
            registry_id=scope.registry_id,
            # Public registries have one address together; what stands here is none and taken by nobody else.
            address=f"public:{scope.registry_id}" if scope.is_public else _loopback_address(scope, attempt),
            now=tx.now,
        )
        attempt += 1  # the address was taken, or another transaction was first
    return registry


def hold(tx: Transaction, scope: Scope) -> int:
    """The id of a registry, made on first use, holding it: whatever it is set to as a whole is changed by one at a time.

    First statement of every such change, after the caller's right to it and before anything is read that decides about it.
    """
    place = {"partition": scope.partition, "region": scope.region, "registry_id": scope.registry_id}
    row = tx.first(_HOLD_REGISTRY, **place)
    if row is None:
        ensure_registry(tx, scope)
        row = tx.first(_HOLD_REGISTRY, **place)
    assert row is not None, "a registry is never deleted"
    return int(row[0])


def _loopback_address(scope: Scope, attempt: int) -> str:
    """An address of 127.64.0.0/10 for a registry: the same one on each node, and another one for each attempt."""
    seed = hashlib.sha256(f"{scope.partition}|{scope.region}|{scope.registry_id}|{attempt}".encode()).digest()
    return f"127.{64 + seed[0] % 64}.{seed[1]}.{1 + seed[2] % 254}"


def find_by_address(tx: ReadTransaction, address: str) -> Scope | None:
    """The registry that a loopback address was given to."""
    row = tx.first(_BY_ADDRESS, address=address)
    return Scope.of(row[0], row[1]) if row else None


def installation_fact(tx: ReadTransaction, name: str) -> str | None:
    """A fact about the installation."""
    row = tx.first(_FACT, name=name)
    return str(row[0]) if row else None


def set_installation_fact(tx: Transaction, name: str, fact: str) -> None:
    """Record a fact that is not known yet; an older one stays."""
    tx.run(_INSERT_FACT, name=name, fact=fact)
