"""Inline policies of users, groups and roles. Source: the operations Put..., Get..., List..., Delete{User,Group,Role}Policy."""

from __future__ import annotations

from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity.records import Identity
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import LimitExceeded
from moorage.model.identity import Kind
from moorage.model.identity_errors import EntityNotFound
from moorage.model.principal import Caller
from moorage.operations.identity import documents
from moorage.operations.identity.authorized import changing, identity_for
from moorage.operations.identity.paging import Key, Page, cut
from moorage.policy import sizes

_SIZES: dict[Kind, int] = {"user": sizes.INLINE_OF_USER, "group": sizes.INLINE_OF_GROUP, "role": sizes.INLINE_OF_ROLE}
"""Of all inline policies of one identity together."""


def put_policy(tx: Transaction, caller: Caller, kind: Kind, name: str, policy_name: str, document: str) -> None:
    """Set or replace an inline policy. Raises EntityNotFound, MalformedPolicy, LimitExceeded, Unmodifiable."""
    identity = changing(tx, caller, f"Put{kind.capitalize()}Policy", kind, name)
    documents.check_inline(document)
    others = (text for other, text in identity_policies.inline_of(tx, identity).items() if other != policy_name)
    limit = _SIZES[kind]
    if documents.size_of(document) + sum(map(documents.size_of, others)) > limit:
        raise LimitExceeded(f"Maximum policy size of {limit} bytes exceeded for {kind} {identity.name}")
    identity_policies.put_inline(tx, identity, policy_name, document)


def get_policy(tx: ReadTransaction, caller: Caller, kind: Kind, name: str, policy_name: str) -> tuple[Identity, str]:
    """The identity and the text of one of its inline policies. Raises EntityNotFound."""
    identity = identity_for(tx, caller, f"Get{kind.capitalize()}Policy", kind, name)
    document = identity_policies.find_inline(tx, identity, policy_name)
    if document is None:
        raise EntityNotFound(f"{kind} policy", policy_name)
    return identity, document


def list_policies(tx: ReadTransaction, caller: Caller, kind: Kind, name: str, after: Key, count: int) -> Page[str]:
    """Names of an identity's inline policies. Raises EntityNotFound."""
    identity = identity_for(tx, caller, f"List{kind.capitalize()}Policies", kind, name)
    return cut(identity_policies.inline_of(tx, identity), after, count, lambda policy_name: [policy_name])


def delete_policy(tx: Transaction, caller: Caller, kind: Kind, name: str, policy_name: str) -> None:
    """Delete an inline policy. Raises EntityNotFound, Unmodifiable."""
    identity = changing(tx, caller, f"Delete{kind.capitalize()}Policy", kind, name)
    if not identity_policies.delete_inline(tx, identity, policy_name):
        raise EntityNotFound(f"{kind} policy", policy_name)
