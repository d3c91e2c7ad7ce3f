"""Queries over what identities may do: inline policies, attachments, and all of it for one principal."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, func, select, union_all
from sqlalchemy.sql.expression import ColumnElement

from moorage.metadata.identity import identities as identity_queries
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.identity.records import AttachedPolicy, Identity, InlinePolicy, PrincipalPolicies
from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import (
    attachments,
    group_members,
    identities,
    inline_policies,
    managed_policies,
    policy_versions,
)
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import String, among

_n, _a = inline_policies.c, attachments.c
_INLINE = Statement(lambda _: select(_n.identity_id, _n.name, _n.document).where(_n.identity_id == bindparam("identity")))
_INLINE_AMONG = Statement(lambda _: select(_n.identity_id, _n.name, _n.document).where(among(_n.identity_id, "ids")))
_FIND_INLINE = Statement(
    lambda _: select(_n.document).where(_n.identity_id == bindparam("identity"), _n.name == bindparam("name"))
)
_PUT_INLINE = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(index_elements=["identity_id", "name"], set_={"document": it.excluded.document})
    )(insert(inline_policies).values(identity_id=bindparam("identity"), name=bindparam("name"), document=bindparam("document")))
)
_DELETE_INLINE = Statement(
    lambda _: delete(inline_policies).where(_n.identity_id == bindparam("identity"), _n.name == bindparam("policy"))
)

_ATTACHED = Statement(lambda _: select(_a.identity_id, _a.policy_arn).where(_a.identity_id == bindparam("identity")))
_ATTACHED_AMONG = Statement(lambda _: select(_a.identity_id, _a.policy_arn).where(among(_a.identity_id, "ids")))
_ATTACH = Statement(
    lambda insert: (
        insert(attachments)
        .values(identity_id=bindparam("identity"), policy_arn=bindparam("policy"), attached_at=bindparam("now"))
        .on_conflict_do_nothing()
    )
)
_DETACH = Statement(
    lambda _: delete(attachments).where(_a.identity_id == bindparam("identity"), _a.policy_arn == bindparam("policy"))
)
_COUNTS = Statement(
    lambda _: (
        select(_a.policy_arn, func.count())
        .join_from(attachments, identities, identities.c.id == _a.identity_id)
        .where(among(_a.policy_arn, "arns"), identities.c.account_id == bindparam("account"))
        .group_by(_a.policy_arn)
    )
)
_IN_USE = Statement(
    lambda _: (
        select(_a.policy_arn)
        .distinct()
        .join_from(identities, attachments, identities.c.id == _a.identity_id)
        .where(identities.c.account_id == bindparam("account"))
    )
)


def _and_its_groups(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """The column holds a principal's id or that of one of its groups."""
    own = select(bindparam("identity", type_=String))
    groups = select(group_members.c.group_id).where(group_members.c.user_id == bindparam("identity", type_=String))
    return column.in_(union_all(own, groups))


_POLICY_TEXT = (
    managed_policies.c.arn,
    (policy_versions.c.policy_id == managed_policies.c.id) & (policy_versions.c.version == managed_policies.c.default_version),
)
_PRINCIPAL = Statement(
    lambda _: (
        select(*identity_queries.COLUMNS, policy_versions.c.document)
        .outerjoin_from(identities, managed_policies, _POLICY_TEXT[0] == identities.c.boundary_arn)
        .outerjoin(policy_versions, _POLICY_TEXT[1])
        .where(identities.c.id == bindparam("identity"))
    )
)
_ALL_INLINE = Statement(lambda _: select(_n.identity_id, _n.name, _n.document).where(_and_its_groups(_n.identity_id)))
_ALL_ATTACHED = Statement(
    lambda _: (
        select(_a.identity_id, _a.policy_arn, policy_versions.c.document)
        .outerjoin_from(attachments, managed_policies, _POLICY_TEXT[0] == _a.policy_arn)
        .outerjoin(policy_versions, _POLICY_TEXT[1])
        .where(_and_its_groups(_a.identity_id))
    )
)


def policies_of(tx: ReadTransaction, principal_id: str) -> PrincipalPolicies | None:
    """All that decides what a user or a role may do; None if it is gone."""
    row = tx.first(_PRINCIPAL, identity=principal_id)
    if row is None:
        return None
    identity = identity_queries.record(row)
    return PrincipalPolicies(
        identity=identity,
        tags=identity_tags.tags_of(tx, principal_id),
        inline=tuple(InlinePolicy(*found) for found in tx.all(_ALL_INLINE, identity=principal_id)),
        attached=tuple(AttachedPolicy(*found) for found in tx.all(_ALL_ATTACHED, identity=principal_id)),
        boundary=AttachedPolicy(identity.id, identity.boundary_arn, row[-1]) if identity.boundary_arn is not None else None,
    )


def inline_of(tx: ReadTransaction, identity: Identity) -> dict[str, str]:
    """An identity's inline policies: documents by name, in the order of the names."""
    return dict(sorted((row[1], row[2]) for row in tx.all(_INLINE, identity=identity.id)))


def inline_among(tx: ReadTransaction, ids: list[str]) -> list[InlinePolicy]:
    """The inline policies of several identities."""
    return [InlinePolicy(*row) for row in tx.all(_INLINE_AMONG, ids=ids)]


def find_inline(tx: ReadTransaction, identity: Identity, name: str) -> str | None:
    """The text of an inline policy."""
    row = tx.first(_FIND_INLINE, identity=identity.id, name=name)
    return str(row[0]) if row else None


def put_inline(tx: Transaction, identity: Identity, name: str, document: str) -> None:
    """Set or replace an inline policy."""
    tx.run(_PUT_INLINE, identity=identity.id, name=name, document=document)


def delete_inline(tx: Transaction, identity: Identity, name: str) -> bool:
    """Delete an inline policy; False if there is none."""
    return tx.run(_DELETE_INLINE, identity=identity.id, policy=name) == 1


def attached_to(tx: ReadTransaction, identity: Identity) -> list[str]:
    """ARNs of the managed policies attached to an identity."""
    return [row[1] for row in tx.all(_ATTACHED, identity=identity.id)]


def attached_among(tx: ReadTransaction, ids: list[str]) -> list[tuple[str, str]]:
    """Identity and policy ARN of every attachment of several identities."""
    return [(row[0], row[1]) for row in tx.all(_ATTACHED_AMONG, ids=ids)]


def attach(tx: Transaction, identity: Identity, policy_arn: str) -> bool:
    """Attach a managed policy; False if it is attached already."""
    return tx.run(_ATTACH, identity=identity.id, policy=policy_arn, now=tx.now) == 1


def detach(tx: Transaction, identity: Identity, policy_arn: str) -> bool:
    """Detach a managed policy; False if it is not attached."""
    return tx.run(_DETACH, identity=identity.id, policy=policy_arn) == 1


def attachment_counts(tx: ReadTransaction, account_id: str, arns: list[str]) -> dict[str, int]:
    """By policy ARN: to how many identities of the account it is attached."""
    return {row[0]: row[1] for row in tx.all(_COUNTS, account=account_id, arns=arns)}


def arns_in_use(tx: ReadTransaction, account_id: str) -> set[str]:
    """ARNs of all managed policies that are attached to something in the account."""
    return {row[0] for row in tx.all(_IN_USE, account=account_id)}
