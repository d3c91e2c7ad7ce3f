"""Documents of a registry that are not texts of the user's: kept as JSON, read back as what they were.

Whoever changes one begins with `registries.hold`.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from moorage.metadata.registry import documents as registry_documents
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.scope import Scope

T = TypeVar("T")
REPLICATION, SCANNING, SIGNING = "replication", "scanning", "signing"


def find(tx: ReadTransaction, scope: Scope, kind: str, shape: type[T]) -> T | None:
    """The registry's document of a kind; None: it was never set."""
    stored = registry_documents.find(tx, scope, kind)
    return None if stored is None else msgspec.json.decode(stored[0], type=shape)


def put(tx: Transaction, registry: int, kind: str, document: object) -> None:
    """Set or replace it in a registry that is held."""
    registry_documents.put(tx, registry, kind, msgspec.json.encode(document).decode(), "{}")


def remove(tx: Transaction, registry: int, kind: str) -> None:
    """Take it from a registry that is held."""
    registry_documents.remove(tx, registry, kind)
