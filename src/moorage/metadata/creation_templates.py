"""Queries over repository creation templates."""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, delete, select

from moorage.metadata.registry_records import StoredTemplate, Template
from moorage.metadata.statements import Statement
from moorage.metadata.tables.registries import registries
from moorage.metadata.tables.settings import creation_templates
from moorage.metadata.transaction import ReadTransaction, Row, Transaction
from moorage.metadata.types import among
from moorage.model.scope import Scope

_t, _g = creation_templates.c, registries.c
_COLUMNS = (_t.document, _t.created_at, _t.updated_at)
_HERE = _t.registry == bindparam("registry")

_AMONG = Statement(lambda _: select(*_COLUMNS).where(_HERE, among(_t.prefix, "prefixes")).order_by(_t.prefix))
_PAGE = Statement(
    lambda _: (
        select(*_COLUMNS, _t.prefix).where(_HERE, _t.prefix > bindparam("after")).order_by(_t.prefix).limit(bindparam("count"))
    )
)
_OF_SCOPE = Statement(
    lambda _: (
        select(*_COLUMNS)
        .join(registries, _g.id == _t.registry)
        .where(
            _g.partition == bindparam("partition"),
            _g.region == bindparam("region"),
            _g.registry_id == bindparam("registry_id"),
            among(_t.prefix, "prefixes"),
        )
    )
)
_PUT = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["registry", "prefix"],
            set_={"document": it.excluded.document, "updated_at": it.excluded.updated_at},
        )
    )(
        insert(creation_templates).values(
            registry=bindparam("registry"),
            prefix=bindparam("prefix"),
            document=bindparam("document"),
            created_at=bindparam("now"),
            updated_at=bindparam("now"),
        )
    )
)
_DELETE = Statement(lambda _: delete(creation_templates).where(_HERE, _t.prefix == bindparam("of_prefix")))


def _record(row: Row) -> StoredTemplate:
    return StoredTemplate(msgspec.json.decode(row[0], type=Template), row[1], row[2])


def find_among(tx: ReadTransaction, registry: int, prefixes: list[str]) -> list[StoredTemplate]:
    """Those of the templates that exist, in byte order of their prefixes."""
    return [_record(row) for row in tx.all(_AMONG, registry=registry, prefixes=prefixes)]


def find(tx: ReadTransaction, registry: int, prefix: str) -> StoredTemplate | None:
    """A template by its prefix, which has no trailing slash."""
    return next(iter(find_among(tx, registry, [prefix])), None)


def list_page(tx: ReadTransaction, registry: int, after: str, count: int) -> list[tuple[str, StoredTemplate]]:
    """At most `count` templates, each with its prefix, that come after `after` in byte order."""
    return [(row[3], _record(row)) for row in tx.all(_PAGE, registry=registry, after=after, count=count)]


def matching(tx: ReadTransaction, scope: Scope, prefixes: list[str]) -> list[StoredTemplate]:
    """A registry's templates with one of these prefixes, in no order."""
    found = tx.all(_OF_SCOPE, partition=scope.partition, region=scope.region, registry_id=scope.registry_id, prefixes=prefixes)
    return [_record(row) for row in found]


def put(tx: Transaction, registry: int, prefix: str, template: Template) -> None:
    """Add or replace a template; one that was there keeps its time of creation."""
    tx.run(_PUT, registry=registry, prefix=prefix, document=msgspec.json.encode(template).decode(), now=tx.now)


def remove(tx: Transaction, registry: int, prefix: str) -> None:
    """Take a template away."""
    tx.run(_DELETE, registry=registry, of_prefix=prefix)
