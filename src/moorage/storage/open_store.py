"""Open a blob store by its URL."""

from __future__ import annotations

from pathlib import Path

from moorage.storage.blob_store import BlobStore


def open_store(url: str) -> BlobStore:
    """A store for ``file:///folder`` or ``s3://bucket/prefix?endpoint=...``. Raises ValueError for another scheme."""
    if url.startswith("s3://"):
        from moorage.storage.s3 import S3Store

        return S3Store(url)
    if url.startswith("file://"):
        from moorage.storage.local import LocalStore

        return LocalStore(Path(url.removeprefix("file://")))
    raise ValueError(f"blob store URL must start with file:// or s3://, not {url.split(':', 1)[0]}:")
