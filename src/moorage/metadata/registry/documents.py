"""Queries over what a registry as a whole is set to: its policy, its settings."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, delete, select

from moorage.metadata.statements import Statement
from moorage.metadata.tables.registries import registries, registry_documents, registry_settings
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.scope import Scope

_d, _s, _g = registry_documents.c, registry_settings.c, registries.c
POLICY = "policy"


def _of_scope(columns: tuple[Any, ...], registry: Any) -> Any:
    return (
        select(*columns)
        .join(registries, _g.id == registry)
        .where(
            _g.partition == bindparam("partition"),
            _g.region == bindparam("region"),
            _g.registry_id == bindparam("registry_id"),
        )
    )


_FIND = Statement(lambda _: _of_scope((_d.document, _d.bindings), _d.registry).where(_d.kind == bindparam("kind")))
_PUT = Statement(
    lambda insert: (
        lambda it: it.on_conflict_do_update(
            index_elements=["registry", "kind"],
            set_={
                "document": it.excluded.document,
                "bindings": it.excluded.bindings,
                "updated_at": it.excluded.updated_at,
            },
        )
    )(
        insert(registry_documents).values(
            registry=bindparam("registry"),
            kind=bindparam("kind"),
            document=bindparam("document"),
            bindings=bindparam("bindings"),
            updated_at=bindparam("now"),
        )
    )
)
_DELETE = Statement(
    lambda _: delete(registry_documents).where(_d.registry == bindparam("registry"), _d.kind == bindparam("document_kind"))
)
_SETTING = Statement(lambda _: _of_scope((_s.value,), _s.registry).where(_s.name == bindparam("name")))
_PUT_SETTING = Statement(
    lambda insert: (lambda it: it.on_conflict_do_update(index_elements=["registry", "name"], set_={"value": it.excluded.value}))(
        insert(registry_settings).values(registry=bindparam("registry"), name=bindparam("name"), value=bindparam("value"))
    )
)


def _place(scope: Scope) -> dict[str, str]:
    return {"partition": scope.partition, "region": scope.region, "registry_id": scope.registry_id}


def find(tx: ReadTransaction, scope: Scope, kind: str) -> tuple[str, str] | None:
    """Text and bindings of a registry's document."""
    row = tx.first(_FIND, kind=kind, **_place(scope))
    return (row[0], row[1]) if row else None


def put(tx: Transaction, registry: int, kind: str, document: str, bindings: str) -> None:
    """Set or replace a registry's document."""
    tx.run(_PUT, registry=registry, kind=kind, document=document, bindings=bindings, now=tx.now)


def remove(tx: Transaction, registry: int, kind: str) -> bool:
    """Take a registry's document away; False if there is none."""
    return tx.run(_DELETE, registry=registry, document_kind=kind) == 1


def setting(tx: ReadTransaction, scope: Scope, name: str) -> str | None:
    """The value of an account setting in this region; None: it was never set."""
    row = tx.first(_SETTING, name=name, **_place(scope))
    return str(row[0]) if row else None


def put_setting(tx: Transaction, registry: int, name: str, value: str) -> None:
    """Set an account setting of a registry."""
    tx.run(_PUT_SETTING, registry=registry, name=name, value=value)
