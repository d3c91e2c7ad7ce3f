"""Queries over the principals whose pulls do not count as the last pull of an image."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, select

from moorage.metadata.statements import Statement
from moorage.metadata.tables.images import manifests, repositories
from moorage.metadata.tables.settings import pull_time_exclusions
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among

_e = pull_time_exclusions.c
_HERE = _e.registry == bindparam("registry")

_PAGE = Statement(
    lambda _: (
        select(_e.principal_arn)
        .where(_HERE, _e.principal_arn > bindparam("after"))
        .order_by(_e.principal_arn)
        .limit(bindparam("count"))
    )
)
_COUNT = Statement(lambda _: select(func.count()).select_from(pull_time_exclusions).where(_HERE))
_INSERT = Statement(
    lambda insert: (
        insert(pull_time_exclusions)
        .values(registry=bindparam("registry"), principal_arn=bindparam("arn"), created_at=bindparam("now"))
        .on_conflict_do_nothing()
    )
)
_DELETE = Statement(lambda _: delete(pull_time_exclusions).where(_HERE, _e.principal_arn == bindparam("arn")))
_OF_MANIFESTS = Statement(
    lambda _: (
        select(manifests.c.id, _e.principal_arn)
        .join(repositories, repositories.c.id == manifests.c.repository_id)
        .join(pull_time_exclusions, _e.registry == repositories.c.registry)
        .where(among(manifests.c.id, "ids", "bigint"))
    )
)


def list_page(tx: ReadTransaction, registry: int, after: str, count: int) -> list[str]:
    """At most `count` ARNs that come after `after` in byte order."""
    return [row[0] for row in tx.all(_PAGE, registry=registry, after=after, count=count)]


def count_in(tx: ReadTransaction, registry: int) -> int:
    """How many principals a registry excludes."""
    row = tx.first(_COUNT, registry=registry)
    assert row is not None
    return int(row[0])


def insert(tx: Transaction, registry: int, arn: str) -> bool:
    """Add a principal; False if it is there."""
    return tx.run(_INSERT, registry=registry, arn=arn, now=tx.now) == 1


def remove(tx: Transaction, registry: int, arn: str) -> bool:
    """Take a principal away; False if it is not there."""
    return tx.run(_DELETE, registry=registry, arn=arn) == 1


def of_manifests(tx: ReadTransaction, manifest_ids: list[int]) -> dict[int, set[str]]:
    """By manifest: the ARNs that its registry excludes. Manifests of registries that exclude nobody are left out."""
    found: dict[int, set[str]] = {}
    for manifest_id, arn in tx.all(_OF_MANIFESTS, ids=manifest_ids):
        found.setdefault(manifest_id, set()).add(arn)
    return found
