"""Queries over identity providers."""

from __future__ import annotations

import json

from sqlalchemy import bindparam, delete, func, select, update

from moorage.metadata.identity.records import Provider
from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import identity_providers
from moorage.metadata.transaction import ReadTransaction, Row, Transaction

_p = identity_providers.c
_COLUMNS = (_p.arn, _p.account_id, _p.kind, _p.url, _p.client_ids, _p.thumbprints, _p.document, _p.created_at)
_FIND = Statement(lambda _: select(*_COLUMNS).where(_p.arn == bindparam("arn")))
_IN = Statement(lambda _: select(*_COLUMNS).where(_p.account_id == bindparam("account"), _p.kind == bindparam("kind")))
_COUNTS = Statement(lambda _: select(_p.kind, func.count()).where(_p.account_id == bindparam("account")).group_by(_p.kind))
_INSERT = Statement(
    lambda insert: (
        insert(identity_providers)
        .values(
            arn=bindparam("arn"),
            account_id=bindparam("account"),
            kind=bindparam("kind"),
            url=bindparam("url"),
            client_ids=bindparam("clients"),
            thumbprints=bindparam("prints"),
            document=bindparam("text"),
            created_at=bindparam("now"),
        )
        .on_conflict_do_nothing(index_elements=["arn"])
    )
)
_UPDATE = Statement(
    lambda _: (
        update(identity_providers)
        .where(_p.arn == bindparam("provider"))
        .values(client_ids=bindparam("new_clients"), thumbprints=bindparam("new_prints"), document=bindparam("new_text"))
    )
)
_DELETE = Statement(lambda _: delete(identity_providers).where(_p.arn == bindparam("provider")))


def _record(row: Row) -> Provider:
    arn, account, kind, url, clients, prints, document, created_at = row
    return Provider(arn, account, kind, url, tuple(json.loads(clients)), tuple(json.loads(prints)), document, created_at)


def find(tx: ReadTransaction, arn: str) -> Provider | None:
    """A provider of any account by its ARN."""
    row = tx.first(_FIND, arn=arn)
    return _record(row) if row else None


def list_in(tx: ReadTransaction, account_id: str, kind: str) -> list[Provider]:
    """An account's providers of a kind, by ARN: a quota keeps them few."""
    return sorted((_record(row) for row in tx.all(_IN, account=account_id, kind=kind)), key=lambda provider: provider.arn)


def counts(tx: ReadTransaction, account_id: str) -> dict[str, int]:
    """How many providers of each kind the account has."""
    return {row[0]: row[1] for row in tx.all(_COUNTS, account=account_id)}


def insert(tx: Transaction, provider: Provider) -> bool:
    """Add a provider; False if there is one with its ARN."""
    inserted = tx.run(
        _INSERT,
        arn=provider.arn,
        account=provider.account_id,
        kind=provider.kind,
        url=provider.url,
        clients=json.dumps(provider.client_ids),
        prints=json.dumps(provider.thumbprints),
        text=provider.document,
        now=provider.created_at,
    )
    return inserted == 1


def change(
    tx: Transaction,
    provider: Provider,
    *,
    client_ids: tuple[str, ...] | None = None,
    thumbprints: tuple[str, ...] | None = None,
    document: str | None = None,
) -> None:
    """Replace what is given."""
    tx.run(
        _UPDATE,
        provider=provider.arn,
        new_clients=json.dumps(provider.client_ids if client_ids is None else client_ids),
        new_prints=json.dumps(provider.thumbprints if thumbprints is None else thumbprints),
        new_text=provider.document if document is None else document,
    )


def remove(tx: Transaction, provider: Provider) -> None:
    """Delete a provider."""
    tx.run(_DELETE, provider=provider.arn)
