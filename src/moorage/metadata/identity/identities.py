"""Queries over users, groups and roles, and the epoch that every change of who may do what raises."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, exists, func, or_, select, update

from moorage.metadata.identity.records import Identity
from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import attachments, identities
from moorage.metadata.tables.registries import access_keys, accounts
from moorage.metadata.transaction import ReadTransaction, Row, Transaction
from moorage.metadata.types import among
from moorage.model.identity import Kind, fold

_i = identities.c
COLUMNS = (
    _i.id, _i.account_id, _i.kind, _i.name, _i.path, _i.created_at, _i.description, _i.boundary_arn, _i.trust_policy,
    _i.trust_bindings, _i.max_session_seconds, _i.linked_service, _i.last_used_at, _i.last_used_region,
)  # fmt: skip

_TOUCH = Statement(
    lambda _: (
        update(accounts)
        .where(accounts.c.id == bindparam("account"))
        .values(identity_epoch=accounts.c.identity_epoch + 1)
        .returning(accounts.c.identity_epoch)
    )
)
_STATUS = Statement(
    lambda _: (
        select(accounts.c.identity_epoch, access_keys.c.account_id, access_keys.c.principal_id, access_keys.c.status)
        .outerjoin_from(accounts, access_keys, access_keys.c.id == bindparam("key"))
        .where(accounts.c.id == bindparam("account"))
    )
)
_BY_ID = Statement(lambda _: select(*COLUMNS).where(_i.id == bindparam("id")))
_AMONG = Statement(lambda _: select(*COLUMNS).where(among(_i.id, "ids")))


def _of_kind() -> Any:
    return select(*COLUMNS).where(_i.account_id == bindparam("account"), _i.kind == bindparam("kind"))


_BY_NAME = Statement(lambda _: _of_kind().where(_i.folded_name == bindparam("name")))
_PAGE = Statement(
    lambda _: (
        _of_kind()
        .where(_i.folded_name > bindparam("after"), func.substr(_i.path, 1, bindparam("length")) == bindparam("prefix"))
        .order_by(_i.folded_name)
        .limit(bindparam("count"))
    )
)
_HOLDERS = Statement(
    lambda _: (
        _of_kind()
        .where(
            _i.folded_name > bindparam("after"),
            func.substr(_i.path, 1, bindparam("length")) == bindparam("prefix"),
            or_(
                (bindparam("attached") == 1)
                & exists().where(attachments.c.identity_id == _i.id, attachments.c.policy_arn == bindparam("policy")),
                (bindparam("bounded") == 1) & (_i.boundary_arn == bindparam("policy")),
            ),
        )
        .order_by(_i.folded_name)
        .limit(bindparam("count"))
    )
)
_COUNTS = Statement(lambda _: select(_i.kind, func.count()).where(_i.account_id == bindparam("account")).group_by(_i.kind))
_INSERT = Statement(
    lambda insert: (
        insert(identities)
        .values(
            id=bindparam("id"),
            account_id=bindparam("account"),
            kind=bindparam("kind"),
            name=bindparam("name"),
            folded_name=bindparam("folded"),
            path=bindparam("path"),
            created_at=bindparam("now"),
            description=bindparam("description"),
            boundary_arn=bindparam("boundary"),
            trust_policy=bindparam("trust"),
            trust_bindings=bindparam("bindings"),
            max_session_seconds=bindparam("session_seconds"),
            linked_service=bindparam("service"),
        )
        .on_conflict_do_nothing(index_elements=["account_id", "kind", "folded_name"])
    )
)
_MOVE = Statement(
    lambda _: (
        update(identities)
        .where(_i.id == bindparam("identity"))
        .values(name=bindparam("new_name"), folded_name=bindparam("new_folded"), path=bindparam("new_path"))
    )
)
_SET_TRUST = Statement(
    lambda _: (
        update(identities)
        .where(_i.id == bindparam("identity"))
        .values(trust_policy=bindparam("new_trust"), trust_bindings=bindparam("new_bindings"))
    )
)
_SET_ROLE = Statement(
    lambda _: (
        update(identities)
        .where(_i.id == bindparam("identity"))
        .values(description=bindparam("new_description"), max_session_seconds=bindparam("new_seconds"))
    )
)
_SET_BOUNDARY = Statement(
    lambda _: update(identities).where(_i.id == bindparam("identity")).values(boundary_arn=bindparam("new_boundary"))
)
_BOUNDARY_COUNTS = Statement(
    lambda _: (
        select(_i.boundary_arn, func.count())
        .where(_i.account_id == bindparam("account"), _i.boundary_arn.is_not(None))
        .group_by(_i.boundary_arn)
    )
)
_DELETE = Statement(lambda _: delete(identities).where(_i.id == bindparam("identity")))


def record(row: Row) -> Identity:
    """An Identity from a row of `COLUMNS`."""
    return Identity(*row[: len(COLUMNS)])


def touch(tx: Transaction, account_id: str) -> int:
    """Raise the account's epoch and return it: what is remembered of its identities counts no longer.

    First statement of every change: it holds the account's row, so that changes of one account come one after the other and
    a quota that was counted still holds at the commit.
    """
    row = tx.first(_TOUCH, account=account_id)
    assert row is not None, "an account is never deleted"
    return int(row[0])


def credential_status(tx: ReadTransaction, account_id: str, access_key_id: str) -> tuple[int, tuple[str, str, str] | None]:
    """The account's epoch, and account, principal and status of a key; None: no long-term key of that id.

    One statement, for every request. The epoch of an unknown account is -1.
    """
    row = tx.first(_STATUS, account=account_id, key=access_key_id)
    if row is None:
        return -1, None
    return row[0], (row[1], row[2], row[3]) if row[1] is not None else None


def find(tx: ReadTransaction, account_id: str, kind: Kind, name: str) -> Identity | None:
    """An identity by name, whatever its case."""
    row = tx.first(_BY_NAME, account=account_id, kind=kind, name=fold(name))
    return record(row) if row else None


def find_by_id(tx: ReadTransaction, identity_id: str) -> Identity | None:
    """An identity by unique id."""
    row = tx.first(_BY_ID, id=identity_id)
    return record(row) if row else None


def find_among(tx: ReadTransaction, ids: list[str]) -> dict[str, Identity]:
    """Those of the identities that exist, by id."""
    return {row[0]: record(row) for row in tx.all(_AMONG, ids=ids)}


def list_page(tx: ReadTransaction, account_id: str, kind: Kind, prefix: str, after: str, count: int) -> list[Identity]:
    """Identities of a kind below the path `prefix`, by folded name, after the folded name `after`."""
    rows = tx.all(_PAGE, account=account_id, kind=kind, prefix=prefix, length=len(prefix), after=after, count=count)
    return [record(row) for row in rows]


def list_holders(
    tx: ReadTransaction,
    account_id: str,
    kind: Kind,
    policy_arn: str,
    *,
    attached: bool,
    bounded: bool,
    prefix: str,
    after: str,
    count: int,
) -> list[Identity]:
    """Identities of a kind to which a managed policy is attached, or whose boundary it is, as in `list_page`."""
    rows = tx.all(
        _HOLDERS,
        account=account_id,
        kind=kind,
        policy=policy_arn,
        attached=int(attached),
        bounded=int(bounded),
        prefix=prefix,
        length=len(prefix),
        after=after,
        count=count,
    )
    return [record(row) for row in rows]


def counts(tx: ReadTransaction, account_id: str) -> dict[str, int]:
    """How many identities of each kind the account has."""
    return {row[0]: row[1] for row in tx.all(_COUNTS, account=account_id)}


def insert(tx: Transaction, identity: Identity) -> bool:
    """Add an identity; False if its name is taken."""
    inserted = tx.run(
        _INSERT,
        id=identity.id,
        account=identity.account_id,
        kind=identity.kind,
        name=identity.name,
        folded=fold(identity.name),
        path=identity.path,
        now=identity.created_at,
        description=identity.description,
        boundary=identity.boundary_arn,
        trust=identity.trust_policy,
        bindings=identity.trust_bindings,
        session_seconds=identity.max_session_seconds,
        service=identity.linked_service,
    )
    return inserted == 1


def move(tx: Transaction, identity: Identity, name: str, path: str) -> None:
    """Give an identity another name and path; its id stays."""
    tx.run(_MOVE, identity=identity.id, new_name=name, new_folded=fold(name), new_path=path)


def set_trust(tx: Transaction, role: Identity, document: str, bindings: str) -> None:
    """Replace a role's trust policy, and the unique ids of the principals that it names."""
    tx.run(_SET_TRUST, identity=role.id, new_trust=document, new_bindings=bindings)


def set_role(tx: Transaction, role: Identity, description: str | None, max_session_seconds: int) -> None:
    """Replace a role's description and its longest session."""
    tx.run(_SET_ROLE, identity=role.id, new_description=description, new_seconds=max_session_seconds)


def set_boundary(tx: Transaction, identity: Identity, policy_arn: str | None) -> None:
    """Bound what an identity may do; None: by nothing."""
    tx.run(_SET_BOUNDARY, identity=identity.id, new_boundary=policy_arn)


def boundary_counts(tx: ReadTransaction, account_id: str) -> dict[str, int]:
    """By policy ARN: how many identities of the account it bounds."""
    return {row[0]: row[1] for row in tx.all(_BOUNDARY_COUNTS, account=account_id)}


def remove(tx: Transaction, identity: Identity) -> None:
    """Delete an identity that has nothing left."""
    tx.run(_DELETE, identity=identity.id)
