"""All of an account's identities and policies in one list. Source: GetAccountAuthorizationDetails of IAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from moorage.metadata.identity import identities, instance_profiles, managed_policies, memberships
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.identity.records import Identity, InstanceProfile, ManagedPolicy, PolicyVersion
from moorage.metadata.transaction import ReadTransaction
from moorage.model.identity import KINDS, Kind, fold, parse_iam_arn
from moorage.model.principal import Caller
from moorage.operations.identity import aws_managed
from moorage.operations.identity.authorized import permit
from moorage.operations.identity.instance_profiles import ProfileView
from moorage.operations.identity.managed_policies import PolicyView, views
from moorage.operations.identity.paging import Key, Page, page_of

_LOCAL, _AWS = len(KINDS), len(KINDS) + 1
SECTIONS = {"User": 0, "Group": 1, "Role": 2, "LocalManagedPolicy": _LOCAL, "AWSManagedPolicy": _AWS}
"""By the filter's name: the order of the list."""


@dataclass(slots=True)
class IdentityDetail:
    """A user, group or role with all that it has. Policies are names with documents, or with ARNs."""

    identity: Identity
    tags: dict[str, str] = field(default_factory=dict)
    inline: list[tuple[str, str]] = field(default_factory=list)
    attached: list[tuple[str, str]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    profiles: list[ProfileView] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PolicyDetail:
    """A managed policy with its versions, newest first."""

    view: PolicyView
    versions: list[PolicyVersion]


@dataclass(frozen=True, slots=True)
class Details:
    """A page: identities of all kinds, then policies."""

    identities: list[IdentityDetail]
    policies: list[PolicyDetail]
    last: Key | None


_Entry = Identity | ManagedPolicy


def get_account_authorization_details(
    tx: ReadTransaction, caller: Caller, sections: Sequence[int], after: Key, count: int
) -> Details:
    """A page of what `sections` name: users, groups, roles, customers' policies, then policies of AWS that are in use."""
    permit(tx, caller, "GetAccountAuthorizationDetails", "*")
    account = caller.account_id
    first, name = (int(after[0]), str(after[1])) if after else (0, "")
    found: list[_Entry] = []
    for section in sorted(set(sections)):
        if section >= first and len(found) <= count:
            found += _section(tx, account, section, name if section == first else "", count + 1 - len(found))
    page: Page[_Entry] = page_of(found, count, _key_of)
    people = [entry for entry in page.items if isinstance(entry, Identity)]
    policies = [entry for entry in page.items if isinstance(entry, ManagedPolicy)]
    return Details(_details(tx, people), _policy_details(tx, account, policies), page.last)


def _section(tx: ReadTransaction, account_id: str, section: int, after: str, count: int) -> Sequence[_Entry]:
    if section < _LOCAL:
        kind: Kind = KINDS[section]
        return identities.list_page(tx, account_id, kind, "/", after, count)
    if section == _LOCAL:
        return managed_policies.list_page(tx, account_id, "/", after, count)
    in_use = identity_policies.arns_in_use(tx, account_id) | identities.boundary_counts(tx, account_id).keys()
    policies = [each.policy for each in aws_managed.list_all() if each.arn in in_use and fold(each.policy.name) > after]
    return policies[:count]


def _key_of(entry: _Entry) -> Key:
    if isinstance(entry, Identity):
        return [KINDS.index(entry.kind), fold(entry.name)]
    return [_AWS if entry.account_id == aws_managed.AWS else _LOCAL, fold(entry.name)]


def _details(tx: ReadTransaction, people: Sequence[Identity]) -> list[IdentityDetail]:
    """Identities with all that they have, in a few statements for all of them."""
    details = {identity.id: IdentityDetail(identity) for identity in people}
    ids = list(details)
    for resource, tags in identity_tags.tags_among(tx, ids).items():
        details[resource].tags = tags
    for policy in identity_policies.inline_among(tx, ids):
        details[policy.owner_id].inline.append((policy.name, policy.document))
    for owner, arn in identity_policies.attached_among(tx, ids):
        parts = parse_iam_arn(arn)
        details[owner].attached.append((parts.name if parts is not None else arn, arn))
    for user, group in memberships.group_names_among(tx, ids):
        details[user].groups.append(group)
    for profile in instance_profiles.among_roles(tx, ids):
        details[_holder(profile)].profiles.append(ProfileView(profile, details[_holder(profile)].identity, {}))
    for detail in details.values():
        detail.inline.sort()
        detail.attached.sort()
        detail.groups.sort(key=str.lower)
    return list(details.values())


def _holder(profile: InstanceProfile) -> str:
    assert profile.role_id is not None
    return profile.role_id


def _policy_details(tx: ReadTransaction, account_id: str, policies: Sequence[ManagedPolicy]) -> list[PolicyDetail]:
    details = []
    for view in views(tx, account_id, policies, {}):
        of_aws = aws_managed.find(view.policy.arn)
        versions = [of_aws.version] if of_aws is not None else managed_policies.versions_of(tx, view.policy)
        details.append(PolicyDetail(view, versions))
    return details
