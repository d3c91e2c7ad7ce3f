"""Managed policies: customers' own, and those of AWS beside them. Source: the operations of the same names of IAM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from moorage.metadata.identity import identities, managed_policies
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.identity.records import ManagedPolicy
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits, ids
from moorage.model.errors import LimitExceeded
from moorage.model.identity import arn_of, fold, parse_iam_arn
from moorage.model.identity_errors import DeleteConflict, EntityExists, EntityNotFound, InputInvalid, Unmodifiable
from moorage.model.principal import Caller
from moorage.operations.identity import aws_managed
from moorage.operations.identity.authorized import Tags, facts_of, permit
from moorage.operations.identity.documents import check_managed
from moorage.operations.identity.paging import Key, Page, page_of
from moorage.operations.identity.tag_rules import add_tags, check_tags

Origin = Literal["All", "AWS", "Local"]


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A managed policy as it is shown: with how often it is used in the account."""

    policy: ManagedPolicy
    attachments: int
    bounded: int
    is_attachable: bool
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class PolicyFilter:
    """What ListPolicies can be narrowed to."""

    origin: Origin = "All"
    prefix: str = "/"
    attached: bool = False
    bounding: bool = False


def require_policy_arn(text: str) -> None:
    """Raises InputInvalid: not the ARN of a policy."""
    parts = parse_iam_arn(text)
    if parts is None or parts.kind != "policy":
        raise InputInvalid(f"ARN {text[:256]} is not valid.")


def policy_for(
    tx: ReadTransaction, caller: Caller, action: str, arn: str, *, tags: Tags = (), tag_keys: Sequence[str] = ()
) -> ManagedPolicy:
    """The policy, of the account or of AWS, if the caller may do `action` on it. Raises EntityNotFound, InputInvalid."""
    of_aws = aws_managed.find(arn)
    policy = of_aws.policy if of_aws is not None else managed_policies.find(tx, caller.account_id, arn)
    own_tags = identity_tags.tags_of(tx, policy.id) if policy is not None else {}
    permit(tx, caller, action, arn, facts_of(resource_tags=own_tags, tags=tags, tag_keys=tag_keys))
    require_policy_arn(arn)
    if policy is None:
        raise EntityNotFound("policy", arn)
    return policy


def changing_policy(
    tx: Transaction, caller: Caller, action: str, arn: str, *, tags: Tags = (), tag_keys: Sequence[str] = ()
) -> ManagedPolicy:
    """`policy_for` of a customer's policy, as it is now that no other change of the account runs; the epoch is raised.

    Raises:
        Unmodifiable: it is AWS's.
    """
    found = policy_for(tx, caller, action, arn, tags=tags, tag_keys=tag_keys)
    if found.account_id == aws_managed.AWS:
        raise Unmodifiable("policy", arn)
    identities.touch(tx, caller.account_id)
    now = managed_policies.find(tx, caller.account_id, arn)
    if now is None:
        raise EntityNotFound("policy", arn)
    return now


def create_policy(
    tx: Transaction, caller: Caller, name: str, path: str, document: str, description: str | None, tags: Tags
) -> PolicyView:
    """Add a managed policy with its version 1.

    Raises:
        EntityExists, LimitExceeded, InputInvalid, MalformedPolicy
    """
    arn = arn_of(caller.account_id, "policy", path, name)
    facts = facts_of(tags=tags)
    permit(tx, caller, "CreatePolicy", arn, facts)
    if tags:
        permit(tx, caller, "TagPolicy", arn, facts)
    checked = check_tags(tags)
    check_managed(document)
    identities.touch(tx, caller.account_id)
    policy = ManagedPolicy(ids.unique_id("ANPA"), caller.account_id, name, path, arn, description, 1, 1, tx.now, tx.now)
    if not managed_policies.insert(tx, policy, document):
        raise EntityExists("policy", name)
    if managed_policies.count_in(tx, caller.account_id) > identity_limits.POLICIES:
        raise LimitExceeded(f"Cannot exceed quota for PoliciesPerAccount: {identity_limits.POLICIES}")
    add_tags(tx, policy.id, checked)
    return PolicyView(policy, 0, 0, True, checked)


def get_policy(tx: ReadTransaction, caller: Caller, arn: str) -> PolicyView:
    """A managed policy. Raises EntityNotFound, InputInvalid."""
    policy = policy_for(tx, caller, "GetPolicy", arn)
    (view,) = views(tx, caller.account_id, [policy], identity_tags.tags_among(tx, [policy.id]))
    return view


def list_policies(tx: ReadTransaction, caller: Caller, chosen: PolicyFilter, after: Key, count: int) -> Page[PolicyView]:
    """Managed policies by name: the account's own, then those of AWS."""
    permit(tx, caller, "ListPolicies", arn_of(caller.account_id, "policy", chosen.prefix, ""))
    section, name = (int(after[0]), str(after[1])) if after else (0, "")
    found: list[ManagedPolicy] = []
    if section == 0 and chosen.origin != "AWS":
        found += managed_policies.list_page(
            tx,
            caller.account_id,
            chosen.prefix,
            name,
            count + 1,
            attached=chosen.attached,
            bounding=chosen.bounding,
        )
    if len(found) <= count and chosen.origin != "Local":
        found += _of_aws(tx, caller.account_id, chosen, name if section == 1 else "")[: count + 1 - len(found)]
    page = page_of(found, count, lambda policy: [int(policy.account_id == aws_managed.AWS), fold(policy.name)])
    return Page(views(tx, caller.account_id, page.items, {}), page.last)


def delete_policy(tx: Transaction, caller: Caller, arn: str) -> None:
    """Delete a policy that nobody uses and that has one version.

    Raises:
        EntityNotFound, InputInvalid, DeleteConflict, Unmodifiable
    """
    policy = changing_policy(tx, caller, "DeletePolicy", arn)
    used = identity_policies.attachment_counts(tx, caller.account_id, [arn]).get(arn, 0)
    if used or arn in identities.boundary_counts(tx, caller.account_id):
        raise DeleteConflict("Cannot delete a policy attached to entities.")
    if len(managed_policies.versions_of(tx, policy)) > 1:
        raise DeleteConflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )
    identity_tags.drop_all(tx, policy.id)
    managed_policies.remove(tx, policy)


def views(
    tx: ReadTransaction, account_id: str, policies: Sequence[ManagedPolicy], tags: Mapping[str, dict[str, str]]
) -> list[PolicyView]:
    """Policies with how often they are used in the account."""
    attached = identity_policies.attachment_counts(tx, account_id, [policy.arn for policy in policies])
    bounded = identities.boundary_counts(tx, account_id)
    return [
        PolicyView(
            policy,
            attached.get(policy.arn, 0),
            bounded.get(policy.arn, 0),
            (of_aws := aws_managed.find(policy.arn)) is None or of_aws.is_attachable,
            tags.get(policy.id, {}),
        )
        for policy in policies
    ]


def _of_aws(tx: ReadTransaction, account_id: str, chosen: PolicyFilter, after: str) -> list[ManagedPolicy]:
    """The policies of AWS that a filter lets through, by name, after the folded name `after`."""
    attached = identity_policies.arns_in_use(tx, account_id) if chosen.attached else None
    bounding = identities.boundary_counts(tx, account_id) if chosen.bounding else None
    return [
        found.policy
        for found in aws_managed.list_all()
        if fold(found.policy.name) > after
        and found.policy.path.startswith(chosen.prefix)
        and (attached is None or found.arn in attached)
        and (bounding is None or found.arn in bounding)
    ]
