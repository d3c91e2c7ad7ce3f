"""Objects as files in a folder of this machine.

``<folder>/<first character of the key>/<key>``. The 36 folders are made once, so a crash can never leave one of them unknown to
the disk. Writing: create (exclusively) -> bytes -> fsync file -> fsync folder. There is no rename, since nobody can reach a key
before the metadata names it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import string
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from moorage.files.whole import sync_folder
from moorage.model.errors import StorageCorrupt, StorageFull
from moorage.storage import buffers
from moorage.storage.blob_store import KeyTaken, ObjectMissing, StorageKey, StoreUnavailable, validate_key

_FANOUT = string.digits + string.ascii_lowercase
_WRITE_BACK_STEP = 8 * buffers.MIB
_FLUSH_BELOW = 4096
_PROBE_SECONDS = 1.0
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class LocalStore:
    """A `BlobStore` in `folder`, which is made if it is missing. Raises StoreUnavailable if it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folders = {name: folder / name for name in _FANOUT}
        self._probed_at = float("-inf")
        try:
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                sync_folder(folder.parent)
            present = {entry.name for entry in os.scandir(folder)}
            for name, path in self._folders.items():
                if name not in present:
                    path.mkdir(mode=0o700, exist_ok=True)
            sync_folder(folder)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise _translated(error) from error
            raise StoreUnavailable(f"the folder of the blob store, {folder}, cannot be used: {error.strerror}") from error

    def create(self, key: StorageKey) -> LocalWriter:
        """Start an object. Raises StorageFull, KeyTaken."""
        return LocalWriter(self._path(key))

    def open(self, key: StorageKey) -> LocalReader:
        """Open a finished object. Raises ObjectMissing."""
        return LocalReader(self._path(key))

    def delete(self, key: StorageKey) -> None:
        """Remove an object. Open readers go on. The removal need not survive a power cut: deletes are repeated until noted."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise _translated(error) from error

    def keys(self) -> Iterator[StorageKey]:
        """Every key, finished or not; files that are no objects are passed over."""
        for folder in self._folders.values():
            try:
                with os.scandir(folder) as entries:
                    names = [entry.name for entry in entries]
            except OSError as error:
                raise _translated(error) from error
            for found in names:
                try:
                    yield validate_key(found)
                except ValueError:
                    continue

    def check(self) -> None:
        """Write, sync and remove a small file, at most once a second. Raises StorageFull, StoreUnavailable."""
        now = time.monotonic()
        if now - self._probed_at < _PROBE_SECONDS:
            return
        probe = self._folder / f"probe-{secrets.token_hex(8)}"
        try:
            descriptor = os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, bytes(4096))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
                probe.unlink()
        except OSError as error:
            raise _translated(error) from error
        self._probed_at = now

    def free_bytes(self) -> int:
        """What an ordinary process may still write to the file system."""
        try:
            status = os.statvfs(self._folder)
        except OSError as error:
            raise _translated(error) from error
        return status.f_bavail * status.f_frsize

    def presign(self, key: StorageKey, seconds: int) -> None:
        """None: a file has no URL."""

    def close(self) -> None:
        """Nothing is held."""

    def _path(self, key: str) -> Path:
        return self._folders[validate_key(key)[0]] / key


class LocalWriter:
    """One file being written. Bytes gather in a buffer of about 1 MiB and leave it by `write(2)`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = 0
        self._filled = 0
        self._handed_over = 0
        self._buffer: memoryview | None = None
        try:
            self._descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise KeyTaken(path.name) from None
        except OSError as error:
            raise _translated(error) from error

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._written + self._filled

    def buffer(self) -> memoryview:
        """Room for the next bytes, at least 4 KiB."""
        self._must_be_open()
        if self._buffer is None:
            self._buffer = buffers.PIECES.acquire()
        return self._buffer[self._filled :]

    def advance(self, count: int) -> None:
        """Take `count` bytes of the buffer; write it out when little room is left."""
        self._must_be_open()
        if self._buffer is None or not 0 <= count <= len(self._buffer) - self._filled:
            raise ValueError("more than the buffer's room")
        self._filled += count
        if len(self._buffer) - self._filled < _FLUSH_BELOW:
            self._flush()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take `data`, through the buffer unless it is larger than that."""
        self._must_be_open()
        rest = memoryview(data).cast("B")
        if len(rest) >= buffers.MIB:
            self._flush()
            self._write_out(rest)
            return
        while rest:
            room = self.buffer()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self.advance(count)
            rest = rest[count:]

    def finish(self) -> int:
        """Write what is left, make file and folder entry durable, close."""
        self._must_be_open()
        self._flush()
        try:
            os.fsync(self._descriptor)
            sync_folder(self._path.parent)
        except OSError as error:
            raise self._given_up(error) from error
        self._close()
        return self._written

    def abort(self) -> None:
        """Close and remove the file, unless it is finished."""
        if self._descriptor < 0:
            return
        self._close()
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise _translated(error) from error

    def _flush(self) -> None:
        if self._filled:
            assert self._buffer is not None
            filled, self._filled = self._filled, 0
            self._write_out(self._buffer[:filled])

    def _write_out(self, data: memoryview) -> None:
        try:
            while data:
                count = os.write(self._descriptor, data)
                self._written += count
                data = data[count:]
        except OSError as error:
            raise self._given_up(error) from error
        if self._written - self._handed_over >= _WRITE_BACK_STEP:
            _start_write_back(self._descriptor, self._handed_over, self._written - self._handed_over)
            self._handed_over = self._written

    def _given_up(self, error: OSError) -> StorageFull | StoreUnavailable:
        """Remove the partial file, so that a full disk gets its room back, and say what happened."""
        with suppress(StoreUnavailable):
            self.abort()
        return _translated(error)

    def _must_be_open(self) -> None:
        if self._descriptor < 0:
            raise RuntimeError("the writer has been finished or aborted")

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1
        if self._buffer is not None:
            buffers.PIECES.release(self._buffer)
            self._buffer = None


class LocalReader:
    """One open file. Small reads go through a buffer of about 1 MiB; whoever can should use `descriptor`."""

    def __init__(self, path: Path) -> None:
        self._buffer: memoryview | None = None
        self._start = self._stop = 0
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ObjectMissing(path.name) from None
        except OSError as error:
            raise _translated(error) from error
        self._size = os.fstat(self._descriptor).st_size

    @property
    def size(self) -> int:
        """The file's length."""
        return self._size

    def view(self, offset: int) -> memoryview:
        """Content from `offset`, up to about 1 MiB of it."""
        if offset < 0:
            raise ValueError("a negative offset")
        if offset >= self._size:
            return memoryview(b"")
        if self._buffer is None:
            self._buffer = buffers.PIECES.acquire()
        if not self._start <= offset < self._stop:
            self._start = self._stop = offset
            try:
                count = os.preadv(self._descriptor, [self._buffer[: self._size - offset]], offset)
            except OSError as error:
                raise _translated(error) from error
            if count == 0:
                raise StorageCorrupt("a file became shorter while it was read")
            self._stop = offset + count
        return self._buffer[offset - self._start : self._stop - self._start]

    def descriptor(self) -> int:
        """The file itself; it stays this reader's to close."""
        return self._descriptor

    def close(self) -> None:
        """Close the file, give the buffer back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._buffer is not None:
            buffers.PIECES.release(self._buffer)
            self._buffer = None
            self._start = self._stop = 0


def _translated(error: OSError) -> StorageFull | StoreUnavailable:
    if error.errno in _NO_ROOM:
        return StorageFull("the file system of the blob store is full")
    return StoreUnavailable(f"the folder of the blob store: {error.strerror or error}")


def _find_sync_file_range() -> Callable[[int, int, int, int], int] | None:
    """`sync_file_range(2)` where the C library has it (Linux); Python does not offer it."""
    try:
        function = ctypes.CDLL(None).sync_file_range
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    found: Callable[[int, int, int, int], int] = function
    return found


_SYNC_FILE_RANGE_WRITE = 2
_sync_file_range = _find_sync_file_range()


def _start_write_back(descriptor: int, offset: int, count: int) -> None:
    """Let the disk begin with these bytes now, so that the final fsync of 1 GiB takes milliseconds. A hint: failure means
    nothing.
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, offset, count, _SYNC_FILE_RANGE_WRITE)
