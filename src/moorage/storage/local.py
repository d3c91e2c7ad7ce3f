"""Objects as files of a local folder, 256 sub-folders wide.

Order of a write: create, bytes, fsync of the file, fsync of its folder. There is no rename: nobody can reach a key before its
metadata commits.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from moorage.model.errors import StorageFull
from moorage.storage.blob_store import BlobReader, BlobWriter, ObjectMissing, StorageKey, StoreUnavailable

_KEY = re.compile(r"[0-9a-z]{32,64}")
_BUFFER_BYTES = 256 * 1024
_FULL = {errno.ENOSPC, errno.EDQUOT}


class LocalStore:
    """A folder on a local disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / "zz").exists():
            alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
            for first in alphabet:
                (folder / first).mkdir(exist_ok=True, mode=0o700)
            (folder / "zz").mkdir(exist_ok=True)
            _sync(folder)

    def _path(self, key: StorageKey) -> Path:
        if _KEY.fullmatch(key) is None:
            raise ValueError("not a storage key")
        return self._folder / key[0] / key

    def create(self, key: StorageKey) -> BlobWriter:
        path = self._path(key)
        try:
            return _LocalWriter(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), path)
        except OSError as error:
            raise _translate(error) from error

    def open(self, key: StorageKey) -> BlobReader:
        try:
            return _LocalReader(os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            raise ObjectMissing(key) from None

    def delete(self, key: StorageKey) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._path(key).unlink()

    def keys(self) -> Iterator[StorageKey]:
        for folder in sorted(self._folder.iterdir()):
            for entry in os.scandir(folder):
                yield StorageKey(entry.name)

    def check(self) -> None:
        try:
            os.statvfs(self._folder)
        except OSError as error:
            raise StoreUnavailable(str(error)) from error

    def free_bytes(self) -> int | None:
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize

    def presign(self, key: StorageKey, seconds: int) -> str | None:
        return None

    def close(self) -> None:
        pass


class _LocalWriter:
    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor, self._path, self._size = descriptor, path, 0
        self._buffer = bytearray()

    @property
    def size(self) -> int:
        return self._size

    def buffer(self) -> memoryview:
        if not self._buffer:
            self._buffer = bytearray(_BUFFER_BYTES)
        return memoryview(self._buffer)

    def advance(self, count: int) -> None:
        self.write(memoryview(self._buffer)[:count])

    def write(self, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise _translate(error) from error
        self._size += len(data)

    def finish(self) -> int:
        try:
            os.fsync(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            _sync(self._path.parent)
        except OSError as error:
            raise _translate(error) from error
        return self._size

    def abort(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()


class _LocalReader:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._buffer = bytearray()

    @property
    def size(self) -> int:
        return self._size

    def view(self, offset: int) -> memoryview:
        if not self._buffer:
            self._buffer = bytearray(min(self._size, (1 << 20) + 16))
        count = os.preadv(self._descriptor, [self._buffer], offset)
        return memoryview(self._buffer)[:count]

    def descriptor(self) -> int | None:
        return self._descriptor

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _translate(error: OSError) -> Exception:
    return StorageFull(f"the blob store has no room left: {error}") if error.errno in _FULL else error
