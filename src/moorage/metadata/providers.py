"""Queries over identity providers."""

from __future__ import annotations

import json

from sqlalchemy import bindparam, select

from moorage.metadata.identity_records import Provider
from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import identity_providers
from moorage.metadata.transaction import ReadTransaction

_p = identity_providers.c
_FIND = Statement(
    lambda _: select(_p.arn, _p.account_id, _p.kind, _p.url, _p.client_ids, _p.thumbprints, _p.document, _p.created_at).where(
        _p.arn == bindparam("arn")
    )
)


def find(tx: ReadTransaction, arn: str) -> Provider | None:
    """A provider of any account by its ARN."""
    row = tx.first(_FIND, arn=arn)
    if row is None:
        return None
    return Provider(row[0], row[1], row[2], row[3], tuple(json.loads(row[4])), tuple(json.loads(row[5])), row[6], row[7])
