"""Open a blob store by its URL."""

from __future__ import annotations

from pathlib import Path

from moorage.storage.blob_store import BlobStore
from moorage.storage.local import LocalStore


def open_store(url: str) -> BlobStore:
    """A store for ``file:///path``."""
    return LocalStore(Path(url.removeprefix("file://")))
