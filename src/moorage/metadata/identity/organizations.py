"""Queries over the organization, its accounts, and the accounts that were asked for."""

from __future__ import annotations

from sqlalchemy import bindparam, func, literal_column, or_, select, update

from moorage.metadata.identity.organization_records import AccountRequest, Member, Organization
from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import account_requests, organizations
from moorage.metadata.tables.registries import accounts
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among

_o, _a, _r = organizations.c, accounts.c, account_requests.c
_FIND = Statement(
    lambda _: select(_o.id, _o.management_account, _o.root_id, _o.created_at).order_by(_o.created_at, _o.id).limit(1)
)
_HOLD_ON_POSTGRESQL = Statement(lambda _: select(func.pg_advisory_xact_lock(literal_column("7203514222"))))
_INSERT = Statement(
    lambda insert: insert(organizations).values(
        id=bindparam("id"), management_account=bindparam("account"), root_id=bindparam("root"), created_at=bindparam("now")
    )
)
_MEMBER = (_a.id, _a.name, _a.email, _a.created_at)
_FIND_MEMBER = Statement(lambda _: select(*_MEMBER).where(_a.id == bindparam("id")))
_MEMBERS = Statement(lambda _: select(*_MEMBER).where(_a.id > bindparam("after")).order_by(_a.id).limit(bindparam("count")))
_BY_EMAIL = Statement(lambda _: select(_a.id).where(func.lower(_a.email) == bindparam("email")).limit(1))
_SET_EMAIL = Statement(lambda _: update(accounts).where(_a.id == bindparam("account")).values(email=bindparam("new_email")))
_REQUEST = (
    _r.id, _r.account_name, _r.email, _r.state, _r.failure, _r.account_id, _r.requested_at, _r.completed_at,
)  # fmt: skip
_FIND_REQUEST = Statement(lambda _: select(*_REQUEST).where(_r.id == bindparam("id")))
_REQUESTS = Statement(
    lambda _: (
        select(*_REQUEST)
        .where(
            or_(
                _r.requested_at > bindparam("after_at"),
                (_r.requested_at == bindparam("after_at")) & (_r.id > bindparam("after_id")),
            ),
            among(_r.state, "states"),
        )
        .order_by(_r.requested_at, _r.id)
        .limit(bindparam("count"))
    )
)
_INSERT_REQUEST = Statement(
    lambda insert: insert(account_requests).values(
        id=bindparam("id"),
        account_name=bindparam("account_name"),
        email=bindparam("email"),
        state=bindparam("state"),
        failure=bindparam("failure"),
        account_id=bindparam("account_id"),
        requested_at=bindparam("requested_at"),
        completed_at=bindparam("completed_at"),
    )
)


def hold(tx: Transaction) -> None:
    """Let changes of what an installation has once (the organization, addresses of accounts) come one after the other.

    There is no row that could be locked. The lock belongs to the transaction, so it also holds behind a pooler.
    """
    if tx.dialect != "sqlite":
        tx.first(_HOLD_ON_POSTGRESQL)


def find(tx: ReadTransaction) -> Organization | None:
    """The organization, if there is one."""
    row = tx.first(_FIND)
    return Organization(*row) if row else None


def insert(tx: Transaction, organization: Organization) -> None:
    """Make the organization."""
    tx.run(
        _INSERT,
        id=organization.id,
        account=organization.management_account,
        root=organization.root_id,
        now=organization.created_at,
    )


def find_member(tx: ReadTransaction, account_id: str) -> Member | None:
    """An account."""
    row = tx.first(_FIND_MEMBER, id=account_id)
    return Member(*row) if row else None


def list_members(tx: ReadTransaction, after: str, count: int) -> list[Member]:
    """Accounts by id, after the id `after`."""
    return [Member(*row) for row in tx.all(_MEMBERS, after=after, count=count)]


def email_is_taken(tx: ReadTransaction, email: str) -> bool:
    """Whether an account has that address, whatever its case."""
    return tx.first(_BY_EMAIL, email=email.lower()) is not None


def set_email(tx: Transaction, account_id: str, email: str) -> None:
    """Set an account's address."""
    tx.run(_SET_EMAIL, account=account_id, new_email=email)


def find_request(tx: ReadTransaction, request_id: str) -> AccountRequest | None:
    """An account that was asked for."""
    row = tx.first(_FIND_REQUEST, id=request_id)
    return AccountRequest(*row) if row else None


def list_requests(tx: ReadTransaction, states: list[str], after_at: int, after_id: str, count: int) -> list[AccountRequest]:
    """Accounts that were asked for, oldest first, after that time and id."""
    return [AccountRequest(*row) for row in tx.all(_REQUESTS, states=states, after_at=after_at, after_id=after_id, count=count)]


def insert_request(tx: Transaction, request: AccountRequest) -> None:
    """Record an account that was asked for."""
    tx.run(
        _INSERT_REQUEST,
        id=request.id,
        account_name=request.account_name,
        email=request.email,
        state=request.state,
        failure=request.failure,
        account_id=request.account_id,
        requested_at=request.requested_at,
        completed_at=request.completed_at,
    )
