"""What the server's operator decides about public registries: aliases, and which accounts are verified.

These are not part of any API: whoever runs the command line on the server's installation may do it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from moorage.metadata.registry import public_registries, registries
from moorage.metadata.registry.public_registries import PublicRegistry
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import limits
from moorage.model.errors import AccountNotFound, AliasTaken, InvalidValue, LimitExceeded
from moorage.model.scope import Scope
from moorage.operations.public.registries import ensure

_PATTERN = re.compile(r"[a-z][a-z0-9]+(?:[._-][a-z0-9]+)*")
_MIN, _MAX = 2, 50


@dataclass(frozen=True, slots=True)
class ListedRegistry:
    """A public registry and whose it is."""

    account_id: str
    registry: PublicRegistry


def check_alias(text: str) -> str:
    """`text`, if it may be an alias. Raises InvalidValue. Source: the model's `RegistryAliasName`."""
    if not _MIN <= len(text) <= _MAX or _PATTERN.fullmatch(text) is None:
        raise InvalidValue(text[:_MAX], f"an alias has {_MIN} to {_MAX} lower-case letters and digits, single ._- between them")
    return text


def add_alias(tx: Transaction, account_id: str, alias: str) -> None:
    """Give an account's public registry an alias, which becomes its primary one. Those it has stay good.

    Raises:
        AccountNotFound
        InvalidValue: not an alias.
        AliasTaken: it is another registry's, or this one's already.
        LimitExceeded
    """
    _registry(tx, account_id)
    registry = registries.hold(tx, Scope.public(account_id))
    known = public_registries.find(tx, registry)
    if known is not None and len(known.aliases) > limits.PUBLIC_ALIASES_PER_REGISTRY:
        raise LimitExceeded(f"a public registry has at most {limits.PUBLIC_ALIASES_PER_REGISTRY} aliases beside its default one")
    if not public_registries.add_alias(tx, registry, check_alias(alias), is_default=False):
        raise AliasTaken(alias)


def remove_alias(tx: Transaction, account_id: str, alias: str) -> bool:
    """Take an alias away: it is anybody's from now on. False if the registry has it not, or as its default one."""
    return public_registries.drop_alias(tx, _registry(tx, account_id), alias)


def set_verified(tx: Transaction, account_id: str, *, is_verified: bool) -> None:
    """Mark an account as verified, or no more. Raises AccountNotFound."""
    public_registries.set_verified(tx, _registry(tx, account_id), is_verified=is_verified)


def list_registries(tx: ReadTransaction) -> list[ListedRegistry]:
    """Every public registry that was ever used, by account."""
    found = []
    for registry, account_id in public_registries.list_all(tx):
        known = public_registries.find(tx, registry)
        if known is not None:
            found.append(ListedRegistry(account_id, known))
    return found


def _registry(tx: Transaction, account_id: str) -> int:
    if not registries.account_exists(tx, account_id):
        raise AccountNotFound(account_id)
    return ensure(tx, Scope.public(account_id))
