"""Queries over seals: what wraps the data keys of a registry's repositories."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, select

from moorage.metadata.statements import Statement
from moorage.metadata.tables.registries import seals
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import word
from moorage.model.seal import Seal, SealKey

_s = seals.c
COLUMNS = (_s.id, _s.kind, _s.wrapped_key, _s.key_reference)

_OWN = Statement(
    lambda _: select(*COLUMNS).where(
        _s.registry == bindparam("registry"), _s.kind == bindparam("kind"), _s.key_reference == word("")
    )
)
_INSERT = Statement(
    lambda insert: (
        insert(seals)
        .values(
            registry=bindparam("registry"),
            kind=bindparam("kind"),
            key_reference=bindparam("reference"),
            wrapped_key=bindparam("wrapped_key"),
            created_at=bindparam("now"),
        )
        .on_conflict_do_nothing()
    )
)


def record(seal_id: int, kind: str, wrapped_key: Any, key_reference: str) -> Seal:
    """A Seal from the values of `COLUMNS`."""
    return Seal(seal_id, kind, None if wrapped_key is None else bytes(wrapped_key), key_reference)


def find_own(tx: ReadTransaction, registry: int, kind: str) -> Seal | None:
    """The seal of a kind whose key is the registry's own."""
    row = tx.first(_OWN, registry=registry, kind=kind)
    return record(*row) if row else None


def ensure_own(tx: Transaction, registry: int, kind: str, key: SealKey) -> Seal:
    """`find_own`, made with `key` if there is none yet."""
    tx.run(_INSERT, registry=registry, kind=kind, reference="", wrapped_key=key.wrapped_key, now=tx.now)
    seal = find_own(tx, registry, kind)
    assert seal is not None
    return seal
