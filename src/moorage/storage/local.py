"""Objects as files of a local folder.

Order of a write: create, bytes, fsync of the file, fsync of its folder. There is no rename: nobody can reach a key
before its metadata commits.
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
_WRITEBACK_BYTES = 32 * 1024 * 1024
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class LocalStore:
    """A folder on a local disk, fanned out by the first character of the key. The sub-folders exist before the first
    object does.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for first in _ALPHABET:
            (folder / first).mkdir(exist_ok=True, mode=0o700)
        _sync(folder)

    def _path(self, key: StorageKey) -> Path:
        if _KEY.fullmatch(key) is None:
            raise ValueError("not a storage key")
        return self._folder / key[0] / key

    def create(self, key: StorageKey) -> BlobWriter:
        """Start an object. Raises StorageFull."""
        path = self._path(key)
        try:
            return _LocalWriter(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), path)
        except OSError as error:
            raise _translate(error) from error

    def open(self, key: StorageKey) -> BlobReader:
        """Open a finished object. Raises ObjectMissing."""
        try:
            return _LocalReader(os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            raise ObjectMissing(key) from None

    def delete(self, key: StorageKey) -> None:
        """Remove an object; absent is success."""
        with contextlib.suppress(FileNotFoundError):
            self._path(key).unlink()

    def keys(self) -> Iterator[StorageKey]:
        """Every file's key."""
        for first in _ALPHABET:
            with os.scandir(self._folder / first) as entries:
                for entry in entries:
                    yield StorageKey(entry.name)

    def check(self) -> None:
        """The folder is there and its disk answers."""
        try:
            os.statvfs(self._folder)
            if not os.access(self._folder, os.W_OK):
                raise StoreUnavailable(f"{self._folder} cannot be written to")
        except OSError as error:
            raise StoreUnavailable(f"{self._folder}: {error.strerror}") from error

    def free_bytes(self) -> int | None:
        """What the disk has left for us."""
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize

    def presign(self, key: StorageKey, seconds: int) -> str | None:
        """A folder has no URLs."""
        return None

    def close(self) -> None:
        """Nothing is kept open."""


class _LocalWriter:
    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor, self._path, self._size = descriptor, path, 0
        self._flushed = 0
        self._finished = False
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
            self.abort()
            raise _translate(error) from error
        self._size += len(data)
        if self._size - self._flushed >= _WRITEBACK_BYTES:
            # Pages go to the disk while more come, so that the final fsync finds little left to do.
            os.posix_fadvise(self._descriptor, self._flushed, self._size - self._flushed, os.POSIX_FADV_DONTNEED)
            self._flushed = self._size

    def finish(self) -> int:
        if self._finished or self._descriptor < 0:
            raise ValueError("finish after finish or abort")
        try:
            os.fsync(self._descriptor)
            _sync(self._path.parent)
        except OSError as error:
            self.abort()
            raise _translate(error) from error
        self._finished = True
        os.close(self._descriptor)
        self._descriptor = -1
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

    def read_into(self, offset: int, buffer: memoryview) -> int:
        done = 0
        while done < len(buffer):
            count = os.preadv(self._descriptor, [buffer[done:]], offset + done)
            if count == 0:
                break
            done += count
        return done

    def view(self, offset: int) -> memoryview:
        if not self._buffer:
            self._buffer = bytearray(min(self._size, _BUFFER_BYTES))
        return memoryview(self._buffer)[: self.read_into(offset, memoryview(self._buffer))]

    def descriptor(self) -> int | None:
        return self._descriptor if self._descriptor >= 0 else None

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _translate(error: OSError) -> Exception:
    return StorageFull(f"the blob store has no room left: {error.strerror}") if error.errno in _FULL else error
