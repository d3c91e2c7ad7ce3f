"""The hottest query: everything that the pull of a manifest asks, in one statement.

Outer joins from the caller's account to the image, so that what is missing shows as an empty half of the row: who may not pull
is told so before it is told that there is nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, select
from sqlalchemy.sql.elements import ColumnElement

from moorage.metadata.answers import VERSION_COLUMN
from moorage.metadata.images import manifests
from moorage.metadata.records import Pull
from moorage.metadata.registry import repositories
from moorage.metadata.statements import Statement
from moorage.metadata.tables.images import manifests as manifests_table
from moorage.metadata.tables.images import repositories as repositories_table
from moorage.metadata.tables.images import tags
from moorage.metadata.tables.registries import access_keys, accounts, registries, seals
from moorage.metadata.transaction import ReadTransaction
from moorage.metadata.types import word
from moorage.model.names import RepositoryName
from moorage.model.scope import Scope

_a, _k, _g, _r, _m = accounts.c, access_keys.c, registries.c, repositories_table.c, manifests_table.c
_STATUS_COLUMNS = 4


def _from_account_to_repository(*also: ColumnElement[Any]) -> Any:
    return (
        select(_a.identity_epoch, _k.account_id, _k.principal_id, _k.status, *repositories.COLUMNS, *manifests.COLUMNS, *also)
        .select_from(accounts)
        .outerjoin(access_keys, _k.id == bindparam("key"))
        .outerjoin(
            registries,
            and_(
                _g.partition == bindparam("partition"),
                _g.region == bindparam("region"),
                _g.registry_id == bindparam("registry_id"),
            ),
        )
        .outerjoin(
            repositories_table,
            and_(_r.registry == _g.id, _r.name == bindparam("name"), _r.state == word("live")),
        )
        .outerjoin(seals, seals.c.id == _r.seal_id)
        .where(_a.id == bindparam("account"))
    )


def _by_tag(*also: ColumnElement[Any]) -> Statement:
    return Statement(
        lambda _: (
            _from_account_to_repository(*also)
            .outerjoin(tags, and_(tags.c.repository_id == _r.id, tags.c.name == bindparam("tag")))
            .outerjoin(manifests_table, _m.id == tags.c.manifest_id)
        )
    )


def _by_digest(*also: ColumnElement[Any]) -> Statement:
    return Statement(
        lambda _: _from_account_to_repository(*also).outerjoin(
            manifests_table, and_(_m.repository_id == _r.id, _m.digest == bindparam("digest"))
        )
    )


_BY_TAG, _BY_DIGEST = _by_tag(), _by_digest()
_BY_TAG_ON_POSTGRESQL, _BY_DIGEST_ON_POSTGRESQL = _by_tag(VERSION_COLUMN), _by_digest(VERSION_COLUMN)
"""For PostgreSQL: the version of the statement's own snapshot. SQLite's is in the file's header, which costs less."""


def find(
    tx: ReadTransaction,
    account_id: str,
    access_key_id: str,
    scope: Scope,
    name: RepositoryName,
    digest: str | None,
    tag: str | None,
) -> Pull:
    """How an account and a key stand, the repository, and the image that the tag (else the digest) names."""
    place = {
        "partition": scope.partition,
        "region": scope.region,
        "registry_id": scope.registry_id,
        "name": name,
        "account": account_id,
        "key": access_key_id,
    }
    has_version = tx.dialect == "postgresql"
    version = "" if has_version else tx.file_version()
    if tag is not None:
        row = tx.first(_BY_TAG_ON_POSTGRESQL if has_version else _BY_TAG, tag=tag, **place)
    else:
        row = tx.first(_BY_DIGEST_ON_POSTGRESQL if has_version else _BY_DIGEST, digest=digest, **place)
    if row is None:
        return Pull((-1, None), None, None, version)
    middle = _STATUS_COLUMNS + len(repositories.COLUMNS)
    there = row[_STATUS_COLUMNS] is not None
    repository = repositories.record(row[_STATUS_COLUMNS:middle], scope) if there else None
    image = manifests.image(row[middle : middle + len(manifests.COLUMNS)]) if row[middle] is not None else None
    key = (row[1], row[2], row[3]) if row[1] is not None else None
    return Pull((row[0], key), repository, image, row[-1] if has_version else version)
