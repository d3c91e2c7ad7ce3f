"""Queries over instance profiles."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, exists, func, select, update

from moorage.metadata.identity.records import InstanceProfile
from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import instance_profiles
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among
from moorage.model.identity import fold

_p = instance_profiles.c
_COLUMNS = (_p.id, _p.account_id, _p.name, _p.path, _p.created_at, _p.role_id)
_BY_NAME = Statement(
    lambda _: select(*_COLUMNS).where(_p.account_id == bindparam("account"), _p.folded_name == bindparam("name"))
)
_PAGE = Statement(
    lambda _: (
        select(*_COLUMNS)
        .where(
            _p.account_id == bindparam("account"),
            _p.folded_name > bindparam("after"),
            func.substr(_p.path, 1, bindparam("length")) == bindparam("prefix"),
        )
        .order_by(_p.folded_name)
        .limit(bindparam("count"))
    )
)
_OF_ROLE = Statement(lambda _: select(*_COLUMNS).where(_p.role_id == bindparam("role")))
_AMONG_ROLES = Statement(lambda _: select(*_COLUMNS).where(among(_p.role_id, "roles")))
_HOLDS = Statement(lambda _: select(exists().where(_p.role_id == bindparam("role"))))
_COUNT = Statement(lambda _: select(func.count()).select_from(instance_profiles).where(_p.account_id == bindparam("account")))
_INSERT = Statement(
    lambda insert: (
        insert(instance_profiles)
        .values(
            id=bindparam("id"),
            account_id=bindparam("account"),
            name=bindparam("name"),
            folded_name=bindparam("folded"),
            path=bindparam("path"),
            created_at=bindparam("now"),
        )
        .on_conflict_do_nothing(index_elements=["account_id", "folded_name"])
    )
)
_SET_ROLE = Statement(
    lambda _: update(instance_profiles).where(_p.id == bindparam("profile")).values(role_id=bindparam("new_role"))
)
_DELETE = Statement(lambda _: delete(instance_profiles).where(_p.id == bindparam("profile")))


def find(tx: ReadTransaction, account_id: str, name: str) -> InstanceProfile | None:
    """A profile by name, whatever its case."""
    row = tx.first(_BY_NAME, account=account_id, name=fold(name))
    return InstanceProfile(*row) if row else None


def list_page(tx: ReadTransaction, account_id: str, prefix: str, after: str, count: int) -> list[InstanceProfile]:
    """Profiles below the path `prefix`, by folded name, after the folded name `after`."""
    rows = tx.all(_PAGE, account=account_id, prefix=prefix, length=len(prefix), after=after, count=count)
    return [InstanceProfile(*row) for row in rows]


def of_role(tx: ReadTransaction, role_id: str) -> list[InstanceProfile]:
    """The profiles that hold a role."""
    return [InstanceProfile(*row) for row in tx.all(_OF_ROLE, role=role_id)]


def among_roles(tx: ReadTransaction, role_ids: list[str]) -> list[InstanceProfile]:
    """The profiles that hold one of several roles."""
    return [InstanceProfile(*row) for row in tx.all(_AMONG_ROLES, roles=role_ids)]


def is_held(tx: ReadTransaction, role_id: str) -> bool:
    """Tell whether a profile holds the role."""
    row = tx.first(_HOLDS, role=role_id)
    return bool(row and row[0])


def count_in(tx: ReadTransaction, account_id: str) -> int:
    """How many profiles the account has."""
    row = tx.first(_COUNT, account=account_id)
    assert row is not None
    return int(row[0])


def insert(tx: Transaction, profile: InstanceProfile) -> bool:
    """Add a profile without a role; False if the name is taken."""
    inserted = tx.run(
        _INSERT,
        id=profile.id,
        account=profile.account_id,
        name=profile.name,
        folded=fold(profile.name),
        path=profile.path,
        now=profile.created_at,
    )
    return inserted == 1


def set_role(tx: Transaction, profile: InstanceProfile, role_id: str | None) -> None:
    """Put a role into a profile; None: take it out."""
    tx.run(_SET_ROLE, profile=profile.id, new_role=role_id)


def remove(tx: Transaction, profile: InstanceProfile) -> None:
    """Delete a profile."""
    tx.run(_DELETE, profile=profile.id)
