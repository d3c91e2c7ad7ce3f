"""Files that are whole or not there: written beside, synced, renamed, and the folder synced after them.

Whatever moment a process is killed at, or the power goes, a reader finds the old content or the new one, never a part. What a
killed process leaves behind is a file whose name ends in ``.new``; nothing reads it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK})
"""What file systems without hard links answer."""


def create(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Make a file that must not exist yet. Raises FileExistsError, OSError."""
    temporary = _write_beside(path, data, mode)
    try:
        _link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Make a file, or give one new content. Raises OSError."""
    temporary = _write_beside(path, data, mode)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def publish(temporary: Path, path: Path) -> None:
    """Sync a file that somebody else has written, and give it its name, which must be free. Raises FileExistsError, OSError."""
    descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _link(temporary, path)
    temporary.unlink()
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the entries of a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a private folder, and those above it, unless they are there. Raises OSError."""
    if path.is_dir():
        return
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(OSError):  # the parent may be somebody else's
        sync_folder(path.parent)


def _write_beside(path: Path, data: bytes, mode: int) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _link(temporary: Path, path: Path) -> None:
    """A rename that replaces nothing; where the file system has no hard links, one that looks first."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        temporary.rename(path)
