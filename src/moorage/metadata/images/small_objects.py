"""Queries over objects that lie in the database: no reservation, no sweep, for they come and go with what names them."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select

from moorage.metadata.statements import Statement
from moorage.metadata.tables.blobs import small_objects
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.metadata.types import among
from moorage.model.ids import is_small_key

_o = small_objects.c

_INSERT = Statement(lambda insert: insert(small_objects).values(key=bindparam("object"), sealed=bindparam("content")))
_DELETE = Statement(lambda _: delete(small_objects).where(_o.key == bindparam("object")))
_PRESENT = Statement(lambda _: select(_o.key).where(among(_o.key, "keys")))


def insert(tx: Transaction, key: str, sealed: bytes) -> None:
    """Store an object."""
    tx.run(_INSERT, object=key, content=sealed)


def delete_all(tx: Transaction, keys: list[str]) -> list[str]:
    """Delete those of `keys` that lie here; return the others, which lie in the blob store."""
    elsewhere = []
    for key in keys:
        if is_small_key(key):
            tx.run(_DELETE, object=key)
        else:
            elsewhere.append(key)
    return elsewhere


def present(tx: ReadTransaction, keys: list[str]) -> set[str]:
    """Those of `keys` that lie here."""
    return {row[0] for row in tx.all(_PRESENT, keys=keys)}
