"""Queries over tags of whatever in IAM carries some. Keys are the same whatever their case."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select

from moorage.metadata.statements import Statement
from moorage.metadata.tables.identity import identity_tags
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among

_t = identity_tags.c
_TAGS = Statement(lambda _: select(_t.key, _t.value).where(_t.resource == bindparam("resource")).order_by(_t.folded_key))
_AMONG = Statement(lambda _: select(_t.resource, _t.key, _t.value).where(among(_t.resource, "resources")))
_PUT = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["resource", "folded_key"], set_={"key": it.excluded.key, "value": it.excluded.value}
        )
    )(
        insert(identity_tags).values(
            resource=bindparam("resource"), folded_key=bindparam("folded"), key=bindparam("key"), value=bindparam("value")
        )
    )
)
_DROP = Statement(
    lambda _: delete(identity_tags).where(_t.resource == bindparam("resource"), _t.folded_key == bindparam("folded"))
)
_DROP_ALL = Statement(lambda _: delete(identity_tags).where(_t.resource == bindparam("resource")))


def tags_of(tx: ReadTransaction, resource: str) -> dict[str, str]:
    """The tags of a resource (a unique id, or an ARN where it has none), in the order of the folded keys."""
    return {row[0]: row[1] for row in tx.all(_TAGS, resource=resource)}


def tags_among(tx: ReadTransaction, resources: list[str]) -> dict[str, dict[str, str]]:
    """The tags of several resources; a resource without any is left out."""
    found: dict[str, dict[str, str]] = {}
    for resource, key, value in tx.all(_AMONG, resources=resources):
        found.setdefault(resource, {})[key] = value
    return found


def put_tags(tx: Transaction, resource: str, tags: dict[str, str]) -> None:
    """Add tags, replacing those whose keys differ in case at most."""
    tx.run_many(_PUT, ({"resource": resource, "folded": key.lower(), "key": key, "value": value} for key, value in tags.items()))


def drop_tags(tx: Transaction, resource: str, keys: list[str]) -> None:
    """Remove tags; absent keys are no error."""
    tx.run_many(_DROP, ({"resource": resource, "folded": key.lower()} for key in keys))


def drop_all(tx: Transaction, resource: str) -> None:
    """Remove all tags of a resource that is deleted."""
    tx.run(_DROP_ALL, resource=resource)
