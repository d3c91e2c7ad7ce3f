"""The hottest query: everything that the pull of a manifest asks, in one statement.

Outer joins from the key to the image, so that what is missing shows as an empty half of the row: who may not pull is told so
before it is told that there is nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, select

from moorage.metadata import manifests, repositories
from moorage.metadata.records import Pull
from moorage.metadata.statements import Statement
from moorage.metadata.tables.images import manifests as manifests_table
from moorage.metadata.tables.images import repositories as repositories_table
from moorage.metadata.tables.images import tags
from moorage.metadata.tables.registries import access_keys, registries, seals
from moorage.metadata.transaction import ReadTransaction
from moorage.metadata.types import word
from moorage.model.names import RepositoryName
from moorage.model.scope import Scope

_k, _g, _r, _m = access_keys.c, registries.c, repositories_table.c, manifests_table.c
_KEY_COLUMNS = 3


def _from_key_to_repository() -> Any:
    return (
        select(_k.account_id, _k.principal_id, _k.status, *repositories.COLUMNS, *manifests.COLUMNS)
        .select_from(access_keys)
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
        .where(_k.id == bindparam("key"))
    )


_BY_TAG = Statement(
    lambda _: (
        _from_key_to_repository()
        .outerjoin(tags, and_(tags.c.repository_id == _r.id, tags.c.name == bindparam("tag")))
        .outerjoin(manifests_table, _m.id == tags.c.manifest_id)
    )
)
_BY_DIGEST = Statement(
    lambda _: _from_key_to_repository().outerjoin(
        manifests_table, and_(_m.repository_id == _r.id, _m.digest == bindparam("digest"))
    )
)


def find(
    tx: ReadTransaction, access_key_id: str, scope: Scope, name: RepositoryName, digest: str | None, tag: str | None
) -> Pull:
    """How a key stands, the repository, and the image that the tag (else the digest) names."""
    place = {
        "partition": scope.partition,
        "region": scope.region,
        "registry_id": scope.registry_id,
        "name": name,
        "key": access_key_id,
    }
    row = tx.first(_BY_TAG, tag=tag, **place) if tag is not None else tx.first(_BY_DIGEST, digest=digest, **place)
    if row is None:
        return Pull(None, None, None)
    middle = _KEY_COLUMNS + len(repositories.COLUMNS)
    repository = repositories.record(row[_KEY_COLUMNS:middle], scope) if row[_KEY_COLUMNS] is not None else None
    image = manifests.image(row[middle:]) if row[middle] is not None else None
    return Pull((row[0], row[1], row[2]), repository, image)
