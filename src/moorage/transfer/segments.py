"""Reading blobs: segments of sealed objects as one run of bytes, opened when the first byte is asked for.

Their keys are there before that: readers work in threads, and no thread waits for a key.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from itertools import accumulate

from moorage.keys.data_keys import DataKeys
from moorage.keys.envelope import WrongKey
from moorage.keys.provider import DataKey
from moorage.keys.sealing import NotAuthentic, Sealing
from moorage.metadata.records import Segment
from moorage.model import ids
from moorage.model.digest import Digest, finish, new_hasher
from moorage.model.errors import StorageCorrupt
from moorage.model.seal import Seal
from moorage.storage.blob_store import BlobReader, BlobStore, ObjectMissing, StorageKey
from moorage.storage.sealed import SealedReader

PieceKeys = Mapping[int, bytes]
"""Opened data keys of a blob's segments, by their place."""


class PiecesReader:
    """A BlobReader over the segments of a blob, of which those can be read that have their key. One thread uses it at a time."""

    def __init__(self, store: BlobStore, segments: Sequence[Segment], keys: PieceKeys) -> None:
        self._store, self._segments, self._keys = store, segments, keys
        self._ends = list(accumulate(segment.size_bytes for segment in segments))
        self._open: tuple[int, BlobReader] | None = None

    @property
    def size(self) -> int:
        """The blob's length in bytes."""
        return self._ends[-1] if self._ends else 0

    def view(self, offset: int) -> memoryview:
        """Content from `offset` up to wherever the current frame ends. Raises StorageCorrupt, also for an object that is
        missing."""
        if offset >= self.size:
            return memoryview(b"")
        index = bisect.bisect_right(self._ends, offset)
        begin = self._ends[index] - self._segments[index].size_bytes
        return self._reader(index).view(offset - begin)

    def descriptor(self) -> int | None:
        """Sealed bytes have none."""
        return None

    def close(self) -> None:
        """Let go of what is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def _reader(self, index: int) -> BlobReader:
        if self._open is not None:
            if self._open[0] == index:
                return self._open[1]
            self.close()
        reader = open_segment(self._store, self._segments[index], self._keys[index])
        self._open = (index, reader)
        return reader


class SmallReader:
    """A BlobReader over content that is in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    @property
    def size(self) -> int:
        """The length in bytes."""
        return len(self._data)

    def view(self, offset: int) -> memoryview:
        """Everything from `offset` on."""
        return self._data[offset:]

    def descriptor(self) -> None:
        """None: it is not in a file."""

    def close(self) -> None:
        """Nothing is open."""


async def new_object_key(keys: DataKeys, seal: Seal, storage_key: str) -> DataKey:
    """A data key for an object of the store or the database. Raises KeyUnusable, StorageCorrupt (the seal's key is damaged)."""
    try:
        return await keys.new(seal, _context(storage_key))
    except WrongKey as error:
        raise StorageCorrupt(f"the key that seals the registry does not open: {error}") from None


async def open_keys(keys: DataKeys, seal: Seal, segments: Sequence[Segment], wanted: Sequence[int] | None = None) -> PieceKeys:
    """The data keys of the segments at the places `wanted`, by default of all. Raises StorageCorrupt, KeyUnusable."""
    places = range(len(segments)) if wanted is None else wanted
    try:
        opened = await keys.open_all(seal, [(segments[i].wrapped_key, _context(segments[i].storage_key)) for i in places])
    except WrongKey as error:
        raise StorageCorrupt(
            f"a key of object {segments[places[0]].storage_key}, or of one after it, does not open: {error}"
        ) from None
    return dict(zip(places, opened, strict=True))


async def seal_small(keys: DataKeys, seal: Seal, data: bytes) -> Segment:
    """An object for the database: sealed under a data key of its own, bound to its key. Raises as `new_object_key`."""
    key = ids.small_key()
    data_key = await new_object_key(keys, seal, key)
    return Segment(len(data), key, data_key.wrapped, Sealing(data_key.plaintext).seal(data, key.encode()))


def open_small(segment: Segment, data_key: bytes) -> bytes:
    """The content of an object that lies in the database. Raises StorageCorrupt."""
    key = segment.storage_key
    if segment.content is None:
        raise StorageCorrupt(f"object {key} is missing")
    try:
        data = Sealing(data_key).open(segment.content, key.encode())
    except NotAuthentic:
        raise StorageCorrupt(f"object {key} fails authentication") from None
    if len(data) != segment.size_bytes:
        raise StorageCorrupt(f"object {key} of {segment.size_bytes} bytes has {len(data)} bytes now")
    return data


def _context(storage_key: str) -> dict[str, str]:
    """What the data key of a stored object is bound to."""
    return {"object": storage_key}


def open_segment(store: BlobStore, segment: Segment, data_key: bytes) -> BlobReader:
    """A reader of one segment's content. Raises StorageCorrupt if its object is missing or of another size."""
    if ids.is_small_key(segment.storage_key):
        return SmallReader(open_small(segment, data_key))
    key = StorageKey(segment.storage_key)
    try:
        return SealedReader(store.open(key), data_key, key, segment.size_bytes)
    except ObjectMissing:
        raise StorageCorrupt(f"object {segment.storage_key} is missing") from None


def hash_segments(store: BlobStore, segments: Sequence[Segment], keys: PieceKeys, algorithm: str) -> Digest:
    """Read a blob from end to end and return its digest. Raises StorageCorrupt."""
    reader = PiecesReader(store, segments, keys)
    hasher, offset = new_hasher(algorithm), 0
    try:
        while offset < reader.size:
            run = reader.view(offset)
            hasher.update(run)
            offset += len(run)
    finally:
        reader.close()
    return finish(hasher, algorithm)
