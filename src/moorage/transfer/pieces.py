"""Reading blobs: pieces of sealed objects as one run of bytes, opened when the first byte is asked for."""

from __future__ import annotations

import bisect
import os
from collections.abc import Sequence
from itertools import accumulate

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moorage.keys.registry_keys import LocalKeyring
from moorage.metadata.records import Piece, Seal
from moorage.model import ids
from moorage.model.digest import Digest, finish, new_hasher
from moorage.model.errors import StorageCorrupt
from moorage.storage.blob_store import BlobReader, BlobStore, ObjectMissing, StorageKey
from moorage.storage.sealed import SealedReader

_NONCE_BYTES = 12


class PiecesReader:
    """A BlobReader over the pieces of a blob. One thread uses it at a time."""

    def __init__(self, store: BlobStore, keyring: LocalKeyring, seal: Seal, pieces: Sequence[Piece]) -> None:
        self._store, self._keyring, self._seal, self._pieces = store, keyring, seal, pieces
        self._ends = list(accumulate(piece.size_bytes for piece in pieces))
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
        begin = self._ends[index] - self._pieces[index].size_bytes
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
        piece = self._pieces[index]
        reader = open_piece(self._store, self._keyring, self._seal, piece)
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


def seal_small(keyring: LocalKeyring, seal: Seal, data: bytes) -> Piece:
    """An object for the database: sealed under a data key of its own, bound to its key."""
    key = ids.small_key()
    data_key = keyring.new_data_key(seal.wrapped_key, object_context(key))
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + AESGCM(data_key.plaintext).encrypt(nonce, data, key.encode())
    return Piece(len(data), key, data_key.wrapped, sealed)


def open_small(keyring: LocalKeyring, seal: Seal, piece: Piece) -> bytes:
    """The content of an object that lies in the database. Raises StorageCorrupt."""
    key = piece.storage_key
    if piece.content is None:
        raise StorageCorrupt(f"object {key} is missing")
    data_key = keyring.open_data_key(seal.wrapped_key, piece.wrapped_key, object_context(key))
    try:
        data = AESGCM(data_key).decrypt(piece.content[:_NONCE_BYTES], piece.content[_NONCE_BYTES:], key.encode())
    except (InvalidTag, ValueError):
        raise StorageCorrupt(f"object {key} fails authentication") from None
    if len(data) != piece.size_bytes:
        raise StorageCorrupt(f"object {key} of {piece.size_bytes} bytes has {len(data)} bytes now")
    return data


def object_context(storage_key: str) -> dict[str, str]:
    """What the data key of a stored object is bound to."""
    return {"object": storage_key}


def open_piece(store: BlobStore, keyring: LocalKeyring, seal: Seal, piece: Piece) -> BlobReader:
    """A reader of one piece's content. Raises StorageCorrupt if its object is missing or of another size."""
    if ids.is_small_key(piece.storage_key):
        return SmallReader(open_small(keyring, seal, piece))
    key = StorageKey(piece.storage_key)
    data_key = keyring.open_data_key(seal.wrapped_key, piece.wrapped_key, object_context(key))
    try:
        return SealedReader(store.open(key), data_key, key, piece.size_bytes)
    except ObjectMissing:
        raise StorageCorrupt(f"object {piece.storage_key} is missing") from None


def hash_pieces(store: BlobStore, keyring: LocalKeyring, seal: Seal, pieces: Sequence[Piece], algorithm: str) -> Digest:
    """Read a blob from end to end and return its digest. Raises StorageCorrupt."""
    reader = PiecesReader(store, keyring, seal, pieces)
    hasher, offset = new_hasher(algorithm), 0
    try:
        while offset < reader.size:
            run = reader.view(offset)
            hasher.update(run)
            offset += len(run)
    finally:
        reader.close()
    return finish(hasher, algorithm)
