"""Tags of users, roles, policies, instance profiles, providers and MFA devices: one set of functions for all.

Source: the operations Tag..., Untag..., List...Tags of IAM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from moorage.metadata.identity import identities
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.identity_errors import Unmodifiable
from moorage.model.principal import Caller
from moorage.operations.identity import aws_managed
from moorage.operations.identity.authorized import identity_for
from moorage.operations.identity.instance_profiles import profile_for
from moorage.operations.identity.managed_policies import policy_for
from moorage.operations.identity.mfa_devices import device_for
from moorage.operations.identity.paging import Key, Page, cut, short_key
from moorage.operations.identity.providers import provider_for
from moorage.operations.identity.tag_rules import add_tags, check_keys, check_tags

_Authorised = Callable[..., str]
"""Authorises an action on something that has tags, and says under which resource they are kept."""


def _user(tx: ReadTransaction, caller: Caller, action: str, name: str, **facts: Any) -> str:
    return identity_for(tx, caller, action, "user", name, **facts).id


def _role(tx: ReadTransaction, caller: Caller, action: str, name: str, **facts: Any) -> str:
    return identity_for(tx, caller, action, "role", name, **facts).id


def _policy(tx: ReadTransaction, caller: Caller, action: str, arn: str, **facts: Any) -> str:
    policy = policy_for(tx, caller, action, arn, **facts)
    if policy.account_id == aws_managed.AWS and not action.startswith("List"):
        raise Unmodifiable("policy", arn)
    return policy.id


def _instance_profile(tx: ReadTransaction, caller: Caller, action: str, name: str, **facts: Any) -> str:
    return profile_for(tx, caller, action, name, **facts).id


def _oidc(tx: ReadTransaction, caller: Caller, action: str, arn: str, **facts: Any) -> str:
    return provider_for(tx, caller, action, "oidc", arn, **facts).arn


def _saml(tx: ReadTransaction, caller: Caller, action: str, arn: str, **facts: Any) -> str:
    return provider_for(tx, caller, action, "saml", arn, **facts).arn


def _mfa(tx: ReadTransaction, caller: Caller, action: str, serial: str, **facts: Any) -> str:
    return device_for(tx, caller, action, serial, **facts).serial


TAGGED: Mapping[str, _Authorised] = {
    "User": _user,
    "Role": _role,
    "Policy": _policy,
    "InstanceProfile": _instance_profile,
    "OpenIDConnectProvider": _oidc,
    "SAMLProvider": _saml,
    "MFADevice": _mfa,
}
"""By the noun in the names of the actions."""


def tag(tx: Transaction, caller: Caller, noun: str, name: str, tags: Sequence[tuple[str, str]]) -> None:
    """Add tags, replacing those whose keys differ in case at most. Raises EntityNotFound, InputInvalid, LimitExceeded."""
    TAGGED[noun](tx, caller, f"Tag{noun}", name, tags=tags)
    checked = check_tags(tags)
    identities.touch(tx, caller.account_id)
    resource = TAGGED[noun](tx, caller, f"Tag{noun}", name, tags=tags)  # again: it may be gone, and would leave its tags
    add_tags(tx, resource, checked)


def untag(tx: Transaction, caller: Caller, noun: str, name: str, keys: Sequence[str]) -> None:
    """Remove tags; absent keys are no error. Raises EntityNotFound, InputInvalid."""
    TAGGED[noun](tx, caller, f"Untag{noun}", name, tag_keys=keys)
    check_keys(keys)
    identities.touch(tx, caller.account_id)
    resource = TAGGED[noun](tx, caller, f"Untag{noun}", name, tag_keys=keys)
    identity_tags.drop_tags(tx, resource, list(keys))


def list_tags(tx: ReadTransaction, caller: Caller, noun: str, name: str, after: Key, count: int) -> Page[tuple[str, str]]:
    """Keys and values, by key. Raises EntityNotFound."""
    resource = TAGGED[noun](tx, caller, f"List{noun}Tags", name)
    return cut(identity_tags.tags_of(tx, resource).items(), after, count, lambda tag: short_key(tag[0].lower()))
