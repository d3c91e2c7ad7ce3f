"""Does a store do what a registry needs of it? A small object is written, read and deleted, as pushes, pulls and sweeps do."""

from __future__ import annotations

import re
import secrets

from moorage.model.errors import StorageCorrupt, StorageFull
from moorage.storage.blob_store import BlobStore, KeyTaken, ObjectMissing, StorageKey, StoreUnavailable

_CONTENT = b"moorage probe"
_PREFIX = "moorageprobe"
_S3_ERROR = re.compile(r"<Code>(\w+)</Code> ?<Message>([^<]*)")
_FAILURES = (StoreUnavailable, StorageFull, StorageCorrupt, ObjectMissing, KeyTaken)


def is_probe(key: str) -> bool:
    """Tell whether an object is a probe, which a process that was killed may leave behind."""
    return key.startswith(_PREFIX)


def probe(store: BlobStore) -> list[str]:
    """What will fail, and why; nothing where all is well. Blocks for as long as the store's own retries last."""
    key = StorageKey(f"{_PREFIX}{secrets.token_hex(16)}")
    try:
        writer = store.create(key)
        try:
            writer.write(_CONTENT)
            writer.finish()
        finally:
            writer.abort()
    except _FAILURES as error:
        return _without_writing(store, key, error)
    faults = []
    try:
        reader = store.open(key)
        try:
            if bytes(reader.view(0)) != _CONTENT:
                faults.append("it gives back other bytes than it was given: pulls will fail")
        finally:
            reader.close()
    except _FAILURES as error:
        faults.append(f"it cannot be read, so pulls will fail: {_said(error)}")
    try:
        store.delete(key)
    except _FAILURES as error:
        faults.append(f"nothing can be deleted, so it will only grow: {_said(error)}")
    return faults


def _without_writing(store: BlobStore, key: StorageKey, error: Exception) -> list[str]:
    """Pushes fail; whether pulls do as well, an object that is not there tells."""
    try:
        store.open(key).close()
    except ObjectMissing:
        return [f"it cannot be written, so pushes will fail and pulls go on: {_said(error)}"]
    except _FAILURES:
        pass
    return [f"neither written nor read, so pushes and pulls will fail: {_said(error)}"]


def _said(error: Exception) -> str:
    """One line; of an S3 service's XML its code and message, since what stands around them is long."""
    text = " ".join(str(error).split()) or type(error).__name__
    found = _S3_ERROR.search(text)
    return f"the S3 service says {found[1]}: {found[2]}" if found else text
