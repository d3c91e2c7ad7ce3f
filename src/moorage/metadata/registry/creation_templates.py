"""Queries over repository creation templates."""

from __future__ import annotations

import msgspec
from sqlalchemy import bindparam, delete, select, update

from moorage.metadata.registry.records import StoredTemplate, Template
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
_INSERT = Statement(
    lambda insert: (
        insert(creation_templates)
        .values(
            registry=bindparam("registry"),
            prefix=bindparam("prefix"),
            document=bindparam("document"),
            created_at=bindparam("now"),
            updated_at=bindparam("now"),
        )
        .on_conflict_do_nothing()
    )
)
_UPDATE = Statement(
    lambda _: (
        update(creation_templates)
        .where(_HERE, _t.prefix == bindparam("of_prefix"))
        .values(document=bindparam("new_document"), updated_at=bindparam("now"))
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


def insert(tx: Transaction, registry: int, prefix: str, template: Template) -> bool:
    """Add a template; False if its prefix has one."""
    return tx.run(_INSERT, registry=registry, prefix=prefix, document=_text(template), now=tx.now) == 1


def replace(tx: Transaction, registry: int, prefix: str, template: Template) -> bool:
    """Change a template, which keeps its time of creation; False if there is none."""
    return tx.run(_UPDATE, registry=registry, of_prefix=prefix, new_document=_text(template), now=tx.now) == 1


def remove(tx: Transaction, registry: int, prefix: str) -> bool:
    """Take a template away; False if there is none."""
    return tx.run(_DELETE, registry=registry, of_prefix=prefix) == 1


def _text(template: Template) -> str:
    return msgspec.json.encode(template).decode()
