"""The port behind which bytes lie.

A store maps opaque keys to immutable objects. Keys are made by the caller, random, and never used twice, so an object
never changes once it is finished and a late delete can only hit garbage.

Life of an object: `create` -> any number of `buffer`/`advance` -> `finish`. Before `finish` has returned, nobody may read the
object and a crash may leave any part of it behind; after it has returned, the bytes survive a power cut. `abort` leaves nothing
behind that `delete` would not remove. All calls block: they belong in a pool of threads, never on the event loop. A reader or
writer is used by one thread at a time, not always by the same one. Every call may raise StoreUnavailable.

The suite in `moorage.testing.contracts.blob_store` is the specification; every implementation, also a wrapping one, passes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NewType, Protocol

StorageKey = NewType("StorageKey", str)
"""32 to 64 characters of ``[0-9a-z]``: opaque, random, never derived from content."""

_KEY = re.compile(r"[0-9a-z]{32,64}")


class ObjectMissing(Exception):
    """The store holds nothing finished under the key."""


class StoreUnavailable(Exception):
    """The store cannot be reached or refuses to work, after bounded retries. What was asked may or may not have been done."""


class KeyTaken(Exception):
    """Something exists under the key already: keys are never used twice."""


def validate_key(key: str) -> StorageKey:
    """Return `key` as a StorageKey.

    Raises:
        ValueError: it could name something outside the store, or is not of the form of a key.
    """
    if _KEY.fullmatch(key) is None:
        raise ValueError("not a storage key")
    return StorageKey(key)


class BlobWriter(Protocol):
    """Takes the bytes of one object. The caller fills `buffer` (a socket can receive into it) and says how far."""

    @property
    def size(self) -> int:
        """Bytes taken so far."""

    def buffer(self) -> memoryview:
        """Writable room for the next bytes, never empty; valid until the next call of any method."""

    def advance(self, count: int) -> None:
        """The first `count` bytes of the last `buffer` are content now. Raises StorageFull."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take `data`, copying it through `buffer`. Raises StorageFull."""

    def finish(self) -> int:
        """Make the object whole and durable; return its size. Raises StorageFull, and RuntimeError after `abort` or a first
        `finish`.
        """

    def abort(self) -> None:
        """Give up: nothing readable is left. Idempotent, also after a failed `finish`; without effect after a good one."""


class BlobReader(Protocol):
    """Reads one finished object, at any offset, any number of times."""

    @property
    def size(self) -> int:
        """The object's length in bytes of content."""

    def view(self, offset: int) -> memoryview:
        """Content from `offset` up to wherever the current piece ends; empty at the end.

        Valid until the next call. Raises StorageCorrupt for bytes that fail authentication: those are never returned.
        """

    def descriptor(self) -> int | None:
        """A file descriptor with the content at the same offsets, for ``sendfile``; None where there is none."""

    def close(self) -> None:
        """Let go of buffers and descriptors. Idempotent."""


class BlobStore(Protocol):
    """A flat, durable map from keys to immutable bytes."""

    def create(self, key: StorageKey) -> BlobWriter:
        """Start an object. Raises StorageFull, KeyTaken (here or, where the store learns it late, from the writer's `finish`)."""

    def open(self, key: StorageKey) -> BlobReader:
        """Open a finished object. Raises ObjectMissing."""

    def delete(self, key: StorageKey) -> None:
        """Remove an object, finished or not. Absent is success. Readers that are open may go on or fail, never lie."""

    def keys(self) -> Iterator[StorageKey]:
        """Every key of which anything exists, in no order. For ``fsck`` only: nothing else lists a store."""

    def check(self) -> None:
        """Raise if the store cannot serve right now: readiness asks this. StorageFull means that reads go on."""

    def free_bytes(self) -> int | None:
        """Room left where the store can tell, else None."""

    def presign(self, key: StorageKey, seconds: int) -> str | None:
        """A URL from which a client can fetch the raw object for `seconds`; None: serve it yourself."""

    def close(self) -> None:
        """Release connections and threads."""
