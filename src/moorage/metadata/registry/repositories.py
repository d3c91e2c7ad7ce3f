"""Queries over repositories and their resource tags."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, select, update

from moorage.metadata.records import Repository
from moorage.metadata.registry import lifecycle_policies
from moorage.metadata.registry import seals as seal_queries
from moorage.metadata.statements import Statement
from moorage.metadata.tables.images import manifests, repositories, repository_counts, resource_tags
from moorage.metadata.tables.public import repository_catalogs
from moorage.metadata.tables.registries import registries, seals
from moorage.metadata.transaction import ReadTransaction, Row, Transaction
from moorage.metadata.types import among, word
from moorage.model.names import RepositoryName
from moorage.model.scope import Scope
from moorage.model.seal import Seal

_r, _g, _s = repositories.c, registries.c, seals.c
COLUMNS = (
    _r.id, _r.registry, _r.name, _r.created_at, _r.tag_mutability, _r.mutability_filters, _r.scan_on_push, _r.encryption_type,
    _r.kms_key, *seal_queries.COLUMNS, _r.policy, _r.policy_bindings,
)  # fmt: skip


def _in_scope() -> Any:
    return (
        select(*COLUMNS)
        .join(registries, _g.id == _r.registry)
        .join(seals, _s.id == _r.seal_id)
        .where(
            _g.partition == bindparam("partition"),
            _g.region == bindparam("region"),
            _g.registry_id == bindparam("registry_id"),
            _r.state == word("live"),
        )
    )


_FIND = Statement(lambda _: _in_scope().where(_r.name == bindparam("name")))
_LIVE = Statement(lambda _: select(_r.id).where(_r.id == bindparam("repository"), _r.state == word("live")))
_LOCK = Statement(lambda _: _in_scope().where(_r.name == bindparam("name")).with_for_update(of=repositories))
_SHARE = Statement(lambda _: _in_scope().where(_r.name == bindparam("name")).with_for_update(of=repositories, read=True))
_NAMED = Statement(lambda _: _in_scope().where(among(_r.name, "names")))
_PAGE = Statement(lambda _: _in_scope().where(_r.name > bindparam("after")).order_by(_r.name).limit(bindparam("count")))
_COUNT = Statement(
    lambda _: select(func.count()).select_from(repositories).where(_r.registry == bindparam("registry"), _r.state == word("live"))
)
_INSERT = Statement(
    lambda insert: (
        insert(repositories)
        .values(
            registry=bindparam("registry"),
            name=bindparam("name"),
            state="live",
            created_at=bindparam("now"),
            tag_mutability=bindparam("tag_mutability"),
            mutability_filters=bindparam("filters"),
            scan_on_push=bindparam("scan_on_push"),
            encryption_type=bindparam("encryption_type"),
            kms_key=bindparam("kms_key"),
            seal_id=bindparam("seal_id"),
        )
        .on_conflict_do_nothing()
    )
)
_MARK_DELETED = Statement(lambda _: update(repositories).where(_r.id == bindparam("repository")).values(state="deleted"))
_SET_MUTABILITY = Statement(
    lambda _: (
        update(repositories)
        .where(_r.id == bindparam("repository"))
        .values(tag_mutability=bindparam("mode"), mutability_filters=bindparam("filters"))
    )
)
_SET_POLICY = Statement(
    lambda _: (
        update(repositories)
        .where(_r.id == bindparam("repository"))
        .values(policy=bindparam("document"), policy_bindings=bindparam("bindings"))
    )
)
_SET_SCAN_ON_PUSH = Statement(
    lambda _: update(repositories).where(_r.id == bindparam("repository")).values(scan_on_push=bindparam("on"))
)
_HAS_IMAGES = Statement(lambda _: select(exists().where(manifests.c.repository_id == bindparam("repository"))))
_DELETED = Statement(lambda _: select(_r.id).where(_r.state != word("live")).order_by(_r.state, _r.id).limit(bindparam("count")))
_PURGE = Statement(lambda _: delete(repositories).where(_r.id == bindparam("repository"), _r.state != word("live")))
_TAGS = Statement(
    lambda _: (
        select(resource_tags.c.key, resource_tags.c.value)
        .where(resource_tags.c.repository_id == bindparam("repository"))
        .order_by(resource_tags.c.key)
    )
)
_PUT_TAG = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(index_elements=["repository_id", "key"], set_={"value": it.excluded.value})
    )(insert(resource_tags).values(repository_id=bindparam("repository"), key=bindparam("key"), value=bindparam("value")))
)
_DROP_TAG = Statement(
    lambda _: delete(resource_tags).where(
        resource_tags.c.repository_id == bindparam("repository"), resource_tags.c.key == bindparam("tag_key")
    )
)
_DROP_TAGS = Statement(lambda _: delete(resource_tags).where(resource_tags.c.repository_id == bindparam("repository")))
_ADD_IMAGES = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["repository_id"], set_={"images": repository_counts.c.images + it.excluded.images}
        ).returning(repository_counts.c.images)
    )(insert(repository_counts).values(repository_id=bindparam("repository"), images=bindparam("delta")))
)
_DROP_CATALOG = Statement(
    lambda _: delete(repository_catalogs).where(repository_catalogs.c.repository_id == bindparam("repository"))
)
_DROP_COUNT = Statement(lambda _: delete(repository_counts).where(repository_counts.c.repository_id == bindparam("repository")))


def record(row: Row, scope: Scope) -> Repository:
    """A Repository from a row of `COLUMNS`."""
    seal = seal_queries.record(*row[9:13])
    filters = tuple(json.loads(row[5])) if row[5] != "[]" else ()
    name = RepositoryName(row[2])
    return Repository(row[0], row[1], scope, name, row[3], row[4], filters, bool(row[6]), row[7], row[8], seal, row[13], row[14])


def _place(scope: Scope) -> dict[str, str]:
    return {"partition": scope.partition, "region": scope.region, "registry_id": scope.registry_id}


def find(tx: ReadTransaction, scope: Scope, name: RepositoryName) -> Repository | None:
    """A live repository by name."""
    row = tx.first(_FIND, name=name, **_place(scope))
    return record(row, scope) if row else None


def lock(tx: Transaction, scope: Scope, name: RepositoryName, *, share: bool = False) -> Repository | None:
    """`find`, holding the row: against everybody, or with `share` only against those who change or delete it."""
    row = tx.first(_SHARE if share else _LOCK, name=name, **_place(scope))
    return record(row, scope) if row else None


def is_live(tx: ReadTransaction, repository_id: int) -> bool:
    """Tell whether a repository is there and not deleted."""
    return tx.first(_LIVE, repository=repository_id) is not None


def find_named(tx: ReadTransaction, scope: Scope, names: list[str]) -> dict[str, Repository]:
    """Those of `names` that exist."""
    return {row[2]: record(row, scope) for row in tx.all(_NAMED, names=names, **_place(scope))}


def list_page(tx: ReadTransaction, scope: Scope, after: str, count: int) -> list[Repository]:
    """At most `count` repositories whose names come after `after` in byte order."""
    return [record(row, scope) for row in tx.all(_PAGE, after=after, count=count, **_place(scope))]


def count_in(tx: ReadTransaction, registry: int) -> int:
    """How many live repositories a registry has."""
    row = tx.first(_COUNT, registry=registry)
    assert row is not None
    return int(row[0])


def insert(
    tx: Transaction,
    registry: int,
    name: RepositoryName,
    *,
    tag_mutability: str,
    filters: tuple[str, ...],
    scan_on_push: bool,
    encryption_type: str,
    kms_key: str | None,
    seal: Seal,
) -> bool:
    """Add a repository; False if the name is taken."""
    inserted = tx.run(
        _INSERT,
        registry=registry,
        name=name,
        now=tx.now,
        tag_mutability=tag_mutability,
        filters=json.dumps(filters),
        scan_on_push=int(scan_on_push),
        encryption_type=encryption_type,
        kms_key=kms_key,
        seal_id=seal.id,
    )
    return inserted == 1


def mark_deleted(tx: Transaction, repository: Repository) -> None:
    """Take a repository out of sight at once; `jobs` removes what was in it in batches."""
    tx.run(_MARK_DELETED, repository=repository.id)


def list_deleted(tx: ReadTransaction, count: int) -> list[int]:
    """Ids of repositories that are deleted and still have rows."""
    return [row[0] for row in tx.all(_DELETED, count=count)]


def purge(tx: Transaction, repository_id: int) -> None:
    """Remove the row of a deleted repository that has nothing left in it but what it was set to."""
    lifecycle_policies.remove(tx, repository_id)
    lifecycle_policies.remove_preview(tx, repository_id)
    tx.run(_DROP_TAGS, repository=repository_id)
    tx.run(_DROP_COUNT, repository=repository_id)
    tx.run(_DROP_CATALOG, repository=repository_id)
    tx.run(_PURGE, repository=repository_id)


def has_images(tx: ReadTransaction, repository: Repository) -> bool:
    """Tell whether any image is in the repository, tagged or not."""
    row = tx.first(_HAS_IMAGES, repository=repository.id)
    return bool(row and row[0])


def set_mutability(tx: Transaction, repository: Repository, mode: str, filters: tuple[str, ...]) -> None:
    """Replace the mode and the exclusion filters together."""
    tx.run(_SET_MUTABILITY, repository=repository.id, mode=mode, filters=json.dumps(filters))


def set_policy(tx: Transaction, repository: Repository, document: str | None, bindings: str | None) -> None:
    """Replace the repository's policy, with the unique ids of the principals that it names; None: it has none."""
    tx.run(_SET_POLICY, repository=repository.id, document=document, bindings=bindings)


def set_scan_on_push(tx: Transaction, repository: Repository, *, on: bool) -> None:
    """Set whether images are to be scanned when they are pushed."""
    tx.run(_SET_SCAN_ON_PUSH, repository=repository.id, on=int(on))


def resource_tags_of(tx: ReadTransaction, repository: Repository) -> dict[str, str]:
    """The repository's resource tags, by key."""
    return {row[0]: row[1] for row in tx.all(_TAGS, repository=repository.id)}


def put_resource_tags(tx: Transaction, repository: Repository, tags: dict[str, str]) -> None:
    """Add tags, replacing values of keys that exist."""
    tx.run_many(_PUT_TAG, ({"repository": repository.id, "key": key, "value": value} for key, value in tags.items()))


def drop_resource_tags(tx: Transaction, repository: Repository, keys: list[str]) -> None:
    """Remove tags; absent keys are no error."""
    tx.run_many(_DROP_TAG, ({"repository": repository.id, "tag_key": key} for key in keys))


def add_images(tx: Transaction, repository_id: int, delta: int) -> int:
    """Add to the number of images and return it. The last statement of a transaction, since it holds the row until the commit."""
    row = tx.first(_ADD_IMAGES, repository=repository_id, delta=delta)
    assert row is not None
    return int(row[0])
