"""Instance profiles, each of which holds at most one role. Source: the operations of the same names of IAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moorage.metadata.identity import identities, instance_profiles
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.identity.records import Identity, InstanceProfile
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits, ids
from moorage.model.errors import LimitExceeded
from moorage.model.identity import arn_of, fold
from moorage.model.identity_errors import DeleteConflict, EntityExists, EntityNotFound, Unmodifiable
from moorage.model.principal import Caller
from moorage.operations.identity.authorized import Tags, facts_of, identity_for, permit
from moorage.operations.identity.paging import Key, Page, after_text, cut, page_of
from moorage.operations.identity.tag_rules import add_tags, check_tags

_KIND = "instance-profile"
_COMPUTE = "ec2.amazonaws.com"


@dataclass(frozen=True, slots=True)
class ProfileView:
    """An instance profile as it is shown."""

    profile: InstanceProfile
    role: Identity | None
    tags: dict[str, str]


def profile_for(
    tx: ReadTransaction, caller: Caller, action: str, name: str, *, tags: Tags = (), tag_keys: Sequence[str] = ()
) -> InstanceProfile:
    """The profile, if the caller may do `action` on it. Raises EntityNotFound."""
    found = instance_profiles.find(tx, caller.account_id, name)
    named = arn_of(caller.account_id, _KIND, "/", name)
    own_tags = identity_tags.tags_of(tx, found.id) if found is not None else {}
    facts = facts_of(resource_tags=own_tags, tags=tags, tag_keys=tag_keys)
    permit(tx, caller, action, found.arn if found else named, facts, shown=named)
    if found is None:
        raise EntityNotFound(_KIND, name)
    return found


def create_instance_profile(tx: Transaction, caller: Caller, name: str, path: str, tags: Tags) -> ProfileView:
    """Add a profile without a role. Raises EntityExists, LimitExceeded, InputInvalid."""
    arn = arn_of(caller.account_id, _KIND, path, name)
    facts = facts_of(tags=tags)
    permit(tx, caller, "CreateInstanceProfile", arn, facts)
    if tags:
        permit(tx, caller, "TagInstanceProfile", arn, facts)
    checked = check_tags(tags)
    identities.touch(tx, caller.account_id)
    profile = InstanceProfile(ids.unique_id("AIPA"), caller.account_id, name, path, tx.now, None)
    if not instance_profiles.insert(tx, profile):
        raise EntityExists(_KIND, name)
    if instance_profiles.count_in(tx, caller.account_id) > identity_limits.INSTANCE_PROFILES:
        raise LimitExceeded(f"Cannot exceed quota for InstanceProfilesPerAccount: {identity_limits.INSTANCE_PROFILES}")
    add_tags(tx, profile.id, checked)
    return ProfileView(profile, None, checked)


def get_instance_profile(tx: ReadTransaction, caller: Caller, name: str) -> ProfileView:
    """A profile with its role and its tags. Raises EntityNotFound."""
    profile = profile_for(tx, caller, "GetInstanceProfile", name)
    (view,) = views(tx, [profile])
    return ProfileView(profile, view.role, identity_tags.tags_of(tx, profile.id))


def list_instance_profiles(tx: ReadTransaction, caller: Caller, prefix: str, after: Key, count: int) -> Page[ProfileView]:
    """The profiles below the path `prefix`, by name, without tags."""
    permit(tx, caller, "ListInstanceProfiles", arn_of(caller.account_id, _KIND, prefix, ""))
    found = instance_profiles.list_page(tx, caller.account_id, prefix, after_text(after), count + 1)
    page = page_of(found, count, lambda profile: [fold(profile.name)])
    return Page(views(tx, page.items), page.last)


def list_instance_profiles_for_role(
    tx: ReadTransaction, caller: Caller, role_name: str, after: Key, count: int
) -> Page[ProfileView]:
    """The profiles that hold a role, by name, without tags. Raises EntityNotFound."""
    role = identity_for(tx, caller, "ListInstanceProfilesForRole", "role", role_name)
    page = cut(instance_profiles.of_role(tx, role.id), after, count, lambda profile: [fold(profile.name)])
    return Page([ProfileView(profile, role, {}) for profile in page.items], page.last)


def delete_instance_profile(tx: Transaction, caller: Caller, name: str) -> None:
    """Delete a profile that holds no role. Raises EntityNotFound, DeleteConflict."""
    profile = _renewed(tx, profile_for(tx, caller, "DeleteInstanceProfile", name))
    if profile.role_id is not None:
        raise DeleteConflict("Cannot delete entity, must remove roles from instance profile first.")
    identity_tags.drop_all(tx, profile.id)
    instance_profiles.remove(tx, profile)


def add_role_to_instance_profile(tx: Transaction, caller: Caller, name: str, role_name: str) -> None:
    """Put a role into a profile; it takes the right to pass the role to machines as well.

    Raises:
        EntityNotFound
        LimitExceeded: the profile holds a role.
        Unmodifiable: the role belongs to a service.
    """
    found = profile_for(tx, caller, "AddRoleToInstanceProfile", name)
    role = identity_for(tx, caller, "PassRole", "role", role_name, extra={"iam:passedtoservice": _COMPUTE})
    profile = _renewed(tx, found)
    if role.linked_service is not None:
        raise Unmodifiable("role", role.name)
    if identities.find_by_id(tx, role.id) is None:
        raise EntityNotFound("role", role_name)
    if profile.role_id is not None:
        raise LimitExceeded("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
    instance_profiles.set_role(tx, profile, role.id)


def remove_role_from_instance_profile(tx: Transaction, caller: Caller, name: str, role_name: str) -> None:
    """Take a role out of a profile. Raises EntityNotFound, also for a role that it does not hold."""
    profile = _renewed(tx, profile_for(tx, caller, "RemoveRoleFromInstanceProfile", name))
    role = identities.find(tx, caller.account_id, "role", role_name)
    if role is None or profile.role_id != role.id:
        raise EntityNotFound("role", role_name)
    instance_profiles.set_role(tx, profile, None)


def views(tx: ReadTransaction, profiles: Sequence[InstanceProfile]) -> list[ProfileView]:
    """Profiles with their roles, without tags."""
    roles = identities.find_among(tx, [profile.role_id for profile in profiles if profile.role_id is not None])
    return [ProfileView(profile, roles.get(profile.role_id or ""), {}) for profile in profiles]


def _renewed(tx: Transaction, found: InstanceProfile) -> InstanceProfile:
    """The profile as it is now that no other change of the account runs."""
    identities.touch(tx, found.account_id)
    now = instance_profiles.find(tx, found.account_id, found.name)
    if now is None or now.id != found.id:
        raise EntityNotFound(_KIND, found.name)
    return now
