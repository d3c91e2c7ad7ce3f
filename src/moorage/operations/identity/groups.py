"""Groups and who is in them. Source: the operations of the same names of IAM."""

from __future__ import annotations

from moorage.metadata.identity import identities, memberships
from moorage.metadata.identity.records import Identity
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits, ids
from moorage.model.errors import LimitExceeded
from moorage.model.identity import arn_of, fold
from moorage.model.identity_errors import EntityNotFound
from moorage.model.principal import Caller
from moorage.operations.identity.authorized import changing, identity_for, permit
from moorage.operations.identity.entities import PREFIXES, Described, add
from moorage.operations.identity.paging import Key, Page, after_text, cut, page_of


def create_group(tx: Transaction, caller: Caller, name: str, path: str) -> Described:
    """Add a group without members. Raises EntityExists, LimitExceeded."""
    permit(tx, caller, "CreateGroup", arn_of(caller.account_id, "group", path, name))
    identities.touch(tx, caller.account_id)
    group = Identity(ids.unique_id(PREFIXES["group"]), caller.account_id, "group", name, path, tx.now)
    return add(tx, group, {})


def get_group(tx: ReadTransaction, caller: Caller, name: str, after: Key, count: int) -> tuple[Identity, Page[Identity]]:
    """A group and its users, by unique id. Raises EntityNotFound."""
    group = identity_for(tx, caller, "GetGroup", "group", name)
    members = memberships.members_of(tx, group, after_text(after), count + 1)
    return group, page_of(members, count, lambda user: [user.id])


def add_user_to_group(tx: Transaction, caller: Caller, group_name: str, user_name: str) -> None:
    """Put a user into a group; one who is in it already stays. Raises EntityNotFound, LimitExceeded."""
    group = changing(tx, caller, "AddUserToGroup", "group", group_name)
    user = _member(tx, caller, user_name)
    memberships.add(tx, group, user)
    if memberships.count_groups(tx, user) > identity_limits.GROUPS_PER_USER:
        raise LimitExceeded(f"Cannot exceed quota for GroupsPerUser: {identity_limits.GROUPS_PER_USER}")


def remove_user_from_group(tx: Transaction, caller: Caller, group_name: str, user_name: str) -> None:
    """Take a user out of a group. Raises EntityNotFound, also for one who is not in it."""
    group = changing(tx, caller, "RemoveUserFromGroup", "group", group_name)
    user = _member(tx, caller, user_name)
    if not memberships.remove(tx, group, user):
        raise EntityNotFound("member", user.name, group.name)


def list_groups_for_user(tx: ReadTransaction, caller: Caller, name: str, after: Key, count: int) -> Page[Identity]:
    """The groups that a user is in, by name. Raises EntityNotFound."""
    user = identity_for(tx, caller, "ListGroupsForUser", "user", name)
    return cut(memberships.groups_of(tx, user), after, count, lambda group: [fold(group.name)])


def _member(tx: ReadTransaction, caller: Caller, name: str) -> Identity:
    user = identities.find(tx, caller.account_id, "user", name)
    if user is None:
        raise EntityNotFound("user", name)
    return user
