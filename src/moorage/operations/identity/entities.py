"""What users, groups and roles have in common: made, listed, renamed, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from moorage.metadata.identity import account_facts, credentials, identities, instance_profiles, memberships, mfa_devices
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.identity.records import Identity
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits
from moorage.model.errors import LimitExceeded
from moorage.model.identity import Kind, arn_of, fold
from moorage.model.identity_errors import DeleteConflict, EntityExists
from moorage.model.principal import Caller
from moorage.operations.identity import policy_documents
from moorage.operations.identity.authorized import changing, identity_for, permit, renewed
from moorage.operations.identity.login_profiles import HISTORY
from moorage.operations.identity.paging import Key, Page, after_text, page_of
from moorage.operations.identity.signin import change_signin_seconds, signin_seconds
from moorage.operations.identity.tag_rules import add_tags

PREFIXES: dict[Kind, str] = {"user": "AIDA", "group": "AGPA", "role": "AROA"}
"""How unique ids begin."""


@dataclass(frozen=True, slots=True)
class Described:
    """An identity with its tags, as Get... shows it."""

    identity: Identity
    tags: dict[str, str]
    signin_seconds: int | None = None
    """Of a role: MaxSigninSessionDuration."""


def described(tx: ReadTransaction, identity: Identity) -> Described:
    """An identity with what belongs to it."""
    seconds = signin_seconds(tx, "role", identity) if identity.kind == "role" else None
    return Described(identity, identity_tags.tags_of(tx, identity.id), seconds)


def add(tx: Transaction, identity: Identity, tags: dict[str, str]) -> Described:
    """Add an identity that may be added. The epoch has been raised.

    Raises:
        EntityExists, LimitExceeded
    """
    if not identities.insert(tx, identity):
        raise EntityExists(identity.kind, identity.name)
    limit = identity_limits.IDENTITIES[identity.kind]
    if identities.counts(tx, identity.account_id)[identity.kind] > limit:
        raise LimitExceeded(f"Cannot exceed quota for {identity.kind.capitalize()}sPerAccount: {limit}")
    add_tags(tx, identity.id, tags)
    return Described(identity, tags)


def get_identity(tx: ReadTransaction, caller: Caller, kind: Kind, name: str) -> Described:
    """GetUser with a name, GetRole. In a trust policy unique ids stand for principals that are gone."""
    found = identity_for(tx, caller, f"Get{kind.capitalize()}", kind, name)
    if found.trust_policy is not None:
        found = replace(found, trust_policy=policy_documents.shown(tx, found.trust_policy, found.trust_bindings))
    return described(tx, found)


def list_identities(tx: ReadTransaction, caller: Caller, kind: Kind, prefix: str, after: Key, count: int) -> Page[Identity]:
    """ListUsers, ListGroups, ListRoles: those below the path `prefix`, by name."""
    permit(tx, caller, f"List{kind.capitalize()}s", arn_of(caller.account_id, kind, prefix, ""))
    found = identities.list_page(tx, caller.account_id, kind, prefix, after_text(after), count + 1)
    return page_of(found, count, lambda identity: [fold(identity.name)])


def update_identity(tx: Transaction, caller: Caller, kind: Kind, name: str, new_name: str | None, new_path: str | None) -> None:
    """UpdateUser, UpdateGroup: another name or path. It takes the right to do so on the old ARN and on the new one.

    Raises:
        EntityNotFound, EntityExists
    """
    action = f"Update{kind.capitalize()}"
    found = identity_for(tx, caller, action, kind, name)
    target = arn_of(caller.account_id, kind, new_path or found.path, new_name or found.name)
    if target != found.arn:
        permit(tx, caller, action, target, shown=arn_of(caller.account_id, kind, new_path or "/", new_name or name))
    now = renewed(tx, found)
    other = identities.find(tx, caller.account_id, kind, new_name or now.name)
    if other is not None and (other.id != now.id or (new_name is not None and new_name != now.name)):
        raise EntityExists(kind, new_name or now.name)  # a name that differs from the present one by case alone is taken, too
    identities.move(tx, now, new_name or now.name, new_path or now.path)


def delete_identity(tx: Transaction, caller: Caller, kind: Kind, name: str) -> None:
    """DeleteUser, DeleteGroup, DeleteRole. Nothing goes with it: what it has must be taken from it before.

    Whatever is bound to its unique id ends: sessions, tokens, grants in policies.

    Raises:
        EntityNotFound, DeleteConflict, Unmodifiable
    """
    end(tx, changing(tx, caller, f"Delete{kind.capitalize()}", kind, name))


def end(tx: Transaction, identity: Identity) -> None:
    """Delete an identity that has nothing left. Raises DeleteConflict."""
    for what in _obstacles(tx, identity):
        raise DeleteConflict(f"Cannot delete entity, must {what} first.")
    identity_tags.drop_all(tx, identity.id)
    account_facts.drop_document(tx, identity.account_id, HISTORY + identity.id)
    change_signin_seconds(tx, "role", identity, None, reset=True)
    identities.remove(tx, identity)


def _obstacles(tx: ReadTransaction, identity: Identity) -> Sequence[str]:
    """What has to be done before the identity can go, in the order in which IAM asks for it."""
    found = []
    if identity_policies.attached_to(tx, identity):
        found.append("detach all policies")
    if identity_policies.inline_of(tx, identity):
        found.append("delete policies")
    if identity.kind == "user":
        if credentials.count_keys(tx, identity.id):
            found.append("delete access keys")
        if credentials.find_profile(tx, identity.id) is not None:
            found.append("delete login profile")
        if memberships.count_groups(tx, identity):
            found.append("remove users from group")
        if mfa_devices.of_user(tx, identity.id):
            found.append("delete MFA device")
    elif identity.kind == "group" and memberships.has_members(tx, identity):
        found.append("remove users from group")
    elif identity.kind == "role" and instance_profiles.is_held(tx, identity.id):
        found.append("remove roles from instance profile")
    return found
