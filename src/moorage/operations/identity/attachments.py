"""Managed policies attached to users, groups and roles. Source: the operations Attach..., Detach..., ListAttached... of IAM."""

from __future__ import annotations

from typing import Literal

from moorage.metadata.identity import identities
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity.records import Identity
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits
from moorage.model.errors import LimitExceeded
from moorage.model.identity import KINDS, Kind, fold, parse_iam_arn
from moorage.model.identity_errors import EntityNotFound
from moorage.model.principal import Caller
from moorage.operations.identity.authorized import changing, identity_for
from moorage.operations.identity.boundaries import require_attachable
from moorage.operations.identity.managed_policies import policy_for, require_policy_arn
from moorage.operations.identity.paging import Key, Page, cut, page_of, short_key

Usage = Literal["PermissionsPolicy", "PermissionsBoundary"]


def attach_policy(tx: Transaction, caller: Caller, kind: Kind, name: str, policy_arn: str) -> None:
    """AttachUserPolicy, AttachGroupPolicy, AttachRolePolicy; one that is attached already stays.

    Raises:
        EntityNotFound, NotAttachable, LimitExceeded, Unmodifiable
        InputInvalid: not the ARN of a policy.
    """
    identity = changing(tx, caller, f"Attach{kind.capitalize()}Policy", kind, name, extra={"iam:policyarn": policy_arn})
    require_policy_arn(policy_arn)
    require_attachable(tx, caller.account_id, policy_arn)
    if identity_policies.attach(tx, identity, policy_arn):
        count = len(identity_policies.attached_to(tx, identity))
        if count > identity_limits.ATTACHED_POLICIES:
            raise LimitExceeded(f"Cannot exceed quota for PoliciesPer{kind.capitalize()}: {identity_limits.ATTACHED_POLICIES}")


def detach_policy(tx: Transaction, caller: Caller, kind: Kind, name: str, policy_arn: str) -> None:
    """DetachUserPolicy, DetachGroupPolicy, DetachRolePolicy.

    Raises:
        EntityNotFound: also for a policy that is not attached.
        InputInvalid, Unmodifiable
    """
    identity = changing(tx, caller, f"Detach{kind.capitalize()}Policy", kind, name, extra={"iam:policyarn": policy_arn})
    require_policy_arn(policy_arn)
    if not identity_policies.detach(tx, identity, policy_arn):
        raise EntityNotFound("policy", policy_arn)


def list_attached_policies(
    tx: ReadTransaction, caller: Caller, kind: Kind, name: str, prefix: str, after: Key, count: int
) -> Page[tuple[str, str]]:
    """ListAttachedUserPolicies and its kin: name and ARN of the policies below the path `prefix`. Raises EntityNotFound."""
    identity = identity_for(tx, caller, f"ListAttached{kind.capitalize()}Policies", kind, name)
    found = []
    for arn in identity_policies.attached_to(tx, identity):
        parts = parse_iam_arn(arn)
        if parts is not None and parts.path.startswith(prefix):
            found.append((parts.name, arn))
    return cut(found, after, count, lambda item: [fold(item[0]), *short_key(item[1])])


def list_entities_for_policy(
    tx: ReadTransaction,
    caller: Caller,
    policy_arn: str,
    kinds: tuple[Kind, ...],
    usage: Usage | None,
    prefix: str,
    after: Key,
    count: int,
) -> Page[Identity]:
    """Who has a policy attached, or is bounded by it: groups, users, then roles, each by name.

    Raises:
        EntityNotFound, InputInvalid
    """
    policy_for(tx, caller, "ListEntitiesForPolicy", policy_arn)
    first, name = (int(after[0]), str(after[1])) if after else (0, "")
    found: list[Identity] = []
    for position, kind in enumerate(KINDS):
        if position < first or kind not in kinds:
            continue
        found += identities.list_holders(
            tx,
            caller.account_id,
            kind,
            policy_arn,
            attached=usage != "PermissionsBoundary",
            bounded=usage != "PermissionsPolicy",
            prefix=prefix,
            after=name if position == first else "",
            count=count + 1 - len(found),
        )
        if len(found) > count:
            break
    return page_of(found, count, lambda identity: [KINDS.index(identity.kind), fold(identity.name)])
