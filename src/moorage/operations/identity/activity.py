"""Writes down what was counted of principals' doings."""

from __future__ import annotations

from collections.abc import Mapping

from moorage.events.activity import KeyUsed, Use, UseKey
from moorage.metadata.transaction import Transaction
from moorage.metadata.usage import activity


def record_uses(tx: Transaction, uses: Mapping[UseKey, Use]) -> None:
    """Add what `events.activity.Activity` has gathered of uses of actions."""
    roles: dict[str, Use] = {}
    for (principal_id, action, resource), use in sorted(uses.items()):
        activity.add(tx, principal_id, action, resource, use.account_id, use.region, use.first_at, use.last_at, use.uses)
        if principal_id.startswith("AROA") and (principal_id not in roles or roles[principal_id].last_at < use.last_at):
            roles[principal_id] = use
    for role_id, use in sorted(roles.items()):
        activity.role_used(tx, role_id, use.last_at, use.region)


def record_keys(tx: Transaction, keys: Mapping[str, KeyUsed]) -> None:
    """Note the last use of long-term keys."""
    for key_id, used in sorted(keys.items()):
        activity.key_used(tx, key_id, used.at, used.service, used.region)
