"""Documents of a registry that are not texts of the user's: kept as JSON, read back as what they were."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from moorage.metadata import registries, registry_documents
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.scope import Scope

T = TypeVar("T")
REPLICATION, SCANNING, SIGNING = "replication", "scanning", "signing"


def find(tx: ReadTransaction, scope: Scope, kind: str, shape: type[T]) -> T | None:
    """The registry's document of a kind; None: it was never set."""
    stored = registry_documents.find(tx, scope, kind)
    return None if stored is None else msgspec.json.decode(stored[0], type=shape)


def put(tx: Transaction, scope: Scope, kind: str, document: object) -> None:
    """Set or replace it."""
    text = msgspec.json.encode(document).decode()
    registry_documents.put(tx, registries.ensure_registry(tx, scope), kind, text, "{}")


def remove(tx: Transaction, scope: Scope, kind: str) -> None:
    """Take it away."""
    registry_documents.remove(tx, registries.ensure_registry(tx, scope), kind)
