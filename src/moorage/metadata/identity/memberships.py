"""Queries over who is in which group."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, exists, func, select

from moorage.metadata.identity.identities import COLUMNS, record
from moorage.metadata.identity.records import Identity
from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import group_members, identities
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among

_m = group_members.c
_ADD = Statement(
    lambda insert: (
        insert(group_members)
        .values(group_id=bindparam("group"), user_id=bindparam("user"), joined_at=bindparam("now"))
        .on_conflict_do_nothing()
    )
)
_REMOVE = Statement(lambda _: delete(group_members).where(_m.group_id == bindparam("group"), _m.user_id == bindparam("user")))
_MEMBERS = Statement(
    lambda _: (
        select(*COLUMNS)
        .join_from(group_members, identities, identities.c.id == _m.user_id)
        .where(_m.group_id == bindparam("group"), _m.user_id > bindparam("after"))
        .order_by(_m.user_id)
        .limit(bindparam("count"))
    )
)
_HAS_MEMBERS = Statement(lambda _: select(exists().where(_m.group_id == bindparam("group"))))
_GROUPS = Statement(
    lambda _: (
        select(*COLUMNS)
        .join_from(group_members, identities, identities.c.id == _m.group_id)
        .where(_m.user_id == bindparam("user"))
    )
)
_GROUP_NAMES = Statement(
    lambda _: (
        select(_m.user_id, identities.c.name)
        .join_from(group_members, identities, identities.c.id == _m.group_id)
        .where(among(_m.user_id, "ids"))
    )
)
_COUNT = Statement(lambda _: select(func.count()).select_from(group_members).where(_m.user_id == bindparam("user")))


def add(tx: Transaction, group: Identity, user: Identity) -> bool:
    """Put a user into a group; False if it is there already."""
    return tx.run(_ADD, group=group.id, user=user.id, now=tx.now) == 1


def remove(tx: Transaction, group: Identity, user: Identity) -> bool:
    """Take a user out of a group; False if it is not in it."""
    return tx.run(_REMOVE, group=group.id, user=user.id) == 1


def members_of(tx: ReadTransaction, group: Identity, after: str, count: int) -> list[Identity]:
    """Users of a group by unique id, after the id `after`."""
    return [record(row) for row in tx.all(_MEMBERS, group=group.id, after=after, count=count)]


def has_members(tx: ReadTransaction, group: Identity) -> bool:
    """Tell whether anybody is in a group."""
    row = tx.first(_HAS_MEMBERS, group=group.id)
    return bool(row and row[0])


def groups_of(tx: ReadTransaction, user: Identity) -> list[Identity]:
    """A user's groups, by name."""
    return sorted((record(row) for row in tx.all(_GROUPS, user=user.id)), key=lambda group: group.name.lower())


def group_names_among(tx: ReadTransaction, ids: list[str]) -> list[tuple[str, str]]:
    """User and name of the group of every membership of several users."""
    return [(row[0], row[1]) for row in tx.all(_GROUP_NAMES, ids=ids)]


def count_groups(tx: ReadTransaction, user: Identity) -> int:
    """In how many groups a user is."""
    row = tx.first(_COUNT, user=user.id)
    assert row is not None
    return int(row[0])
