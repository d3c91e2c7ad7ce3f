"""Queries over what belongs to an account as a whole: its alias, its documents, reports that were asked for."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select, update

from moorage.metadata.identity.records import AccessReport, Activity, Document
from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import access_reports, account_documents, principal_activity
from moorage.metadata.tables.registries import accounts
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among

_d, _r, _a = account_documents.c, access_reports.c, principal_activity.c
_ALIAS = Statement(lambda _: select(accounts.c.alias).where(accounts.c.id == bindparam("account")))
_BY_ALIAS = Statement(lambda _: select(accounts.c.id).where(accounts.c.alias == bindparam("alias")))
_SET_ALIAS = Statement(
    lambda _: update(accounts).where(accounts.c.id == bindparam("account")).values(alias=bindparam("new_alias"))
)
_DOCUMENT = Statement(
    lambda _: select(_d.document, _d.updated_at).where(_d.account_id == bindparam("account"), _d.kind == bindparam("kind"))
)
_DOCUMENTS = Statement(
    lambda _: select(_d.kind, _d.document, _d.updated_at).where(
        _d.account_id == bindparam("account"), _d.kind >= bindparam("first"), _d.kind < bindparam("end")
    )
)
_PUT_DOCUMENT = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["account_id", "kind"], set_={"document": it.excluded.document, "updated_at": it.excluded.updated_at}
        )
    )(
        insert(account_documents).values(
            account_id=bindparam("account"), kind=bindparam("kind"), document=bindparam("text"), updated_at=bindparam("now")
        )
    )
)
_DROP_DOCUMENT = Statement(
    lambda _: delete(account_documents).where(_d.account_id == bindparam("account"), _d.kind == bindparam("document_kind"))
)
_REPORT = Statement(lambda _: select(_r.id, _r.account_id, _r.arn, _r.granularity, _r.created_at).where(_r.id == bindparam("id")))
_INSERT_REPORT = Statement(
    lambda insert: insert(access_reports).values(
        id=bindparam("id"),
        account_id=bindparam("account"),
        arn=bindparam("arn"),
        granularity=bindparam("granularity"),
        created_at=bindparam("now"),
    )
)
_PURGE_REPORTS = Statement(lambda _: delete(access_reports).where(_r.created_at < bindparam("before")))
_ACTIVITY = Statement(
    lambda _: select(_a.principal_id, _a.action, _a.region, _a.last_at).where(among(_a.principal_id, "principals"))
)


def alias_of(tx: ReadTransaction, account_id: str) -> str | None:
    """The account's alias."""
    row = tx.first(_ALIAS, account=account_id)
    return row[0] if row else None


def find_by_alias(tx: ReadTransaction, alias: str) -> str | None:
    """The id of the account that has an alias."""
    row = tx.first(_BY_ALIAS, alias=alias)
    return str(row[0]) if row else None


def set_alias(tx: Transaction, account_id: str, alias: str | None) -> None:
    """Give an account an alias that nobody has, or take it away."""
    tx.run(_SET_ALIAS, account=account_id, new_alias=alias)


def find_document(tx: ReadTransaction, account_id: str, kind: str) -> Document | None:
    """A document of the account."""
    row = tx.first(_DOCUMENT, account=account_id, kind=kind)
    return Document(*row) if row else None


def documents_named(tx: ReadTransaction, account_id: str, prefix: str) -> dict[str, Document]:
    """The documents whose kinds begin with `prefix`, by the rest of their kinds."""
    rows = tx.all(_DOCUMENTS, account=account_id, first=prefix, end=prefix[:-1] + chr(ord(prefix[-1]) + 1))
    return {row[0][len(prefix) :]: Document(row[1], row[2]) for row in rows}


def put_document(tx: Transaction, account_id: str, kind: str, text: str) -> None:
    """Set or replace a document."""
    tx.run(_PUT_DOCUMENT, account=account_id, kind=kind, text=text, now=tx.now)


def drop_document(tx: Transaction, account_id: str, kind: str) -> bool:
    """Delete a document; False if there is none."""
    return tx.run(_DROP_DOCUMENT, account=account_id, document_kind=kind) == 1


def find_report(tx: ReadTransaction, report_id: str) -> AccessReport | None:
    """A report that was asked for, of any account."""
    row = tx.first(_REPORT, id=report_id)
    return AccessReport(*row) if row else None


def insert_report(tx: Transaction, report: AccessReport) -> None:
    """Remember that a report was asked for."""
    tx.run(
        _INSERT_REPORT,
        id=report.id,
        account=report.account_id,
        arn=report.arn,
        granularity=report.granularity,
        now=report.created_at,
    )


def purge_reports(tx: Transaction, before: int) -> None:
    """Forget the reports that were asked for before a moment, of all accounts."""
    tx.run(_PURGE_REPORTS, before=before)


def activity_of(tx: ReadTransaction, principal_ids: list[str]) -> list[Activity]:
    """What principals did: one entry for each action and resource."""
    return [Activity(*row) for row in tx.all(_ACTIVITY, principals=principal_ids)]
