"""The file of a SQLite database, looked at without making or changing anything; and whole copies of it."""

from __future__ import annotations

import filecmp
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from moorage.files import whole
from moorage.metadata import faults
from moorage.metadata.database import DatabaseUnusable
from moorage.model.errors import StorageFull

VERSION_TABLE = "alembic_version"
_OWN_TABLE = "installation"
"""A table that every schema of ours has."""


def path_of(url: str) -> Path | None:
    """The file of a ``sqlite:///`` URL; None for another database."""
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None


def is_writable(path: Path) -> bool:
    """Whether this process may write the file and beside it, where the write-ahead log is."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def address(path: Path) -> str:
    """The URI by which SQLite opens a file that exists, and never makes one.

    What cannot be written is opened for reading alone. Without anything in its log nobody has it open, and SQLite, which could
    not make its shared memory there, is told that it does not change.
    """
    if is_writable(path):
        options = "mode=rw"
    elif any(_has_content(path.with_name(path.name + suffix)) for suffix in ("-wal", "-journal")):
        options = "mode=ro"
    else:
        options = "mode=ro&immutable=1"
    return f"file:{quote(str(path))}?{options}"


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def revision_of(path: Path) -> str | None:
    """The revision of the schema in a file; None where there is no file, or no schema in it that says its revision.

    Raises DatabaseUnusable (damaged, of another program, no file), DatabaseUnavailable.
    """
    try:
        if path.is_dir():
            raise DatabaseUnusable(f"{path} is a folder: a database is a file; move it away, or name another folder by --data")
        if not path.exists() or path.stat().st_size == 0:
            return None
    except OSError as error:
        raise DatabaseUnusable(f"{path} cannot be looked at: {error.strerror}") from None
    try:
        connection = sqlite3.connect(address(path), uri=True, timeout=15)
        try:
            return _revision(connection, path)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise faults.in_words(error, str(path)) or error from None


def _revision(connection: sqlite3.Connection, path: Path) -> str | None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    tables.discard("sqlite_sequence")
    found = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() if VERSION_TABLE in tables else None  # noqa: S608
    is_half_made = found is None and VERSION_TABLE in tables
    if tables and not is_half_made and (found is None or _OWN_TABLE not in tables):
        raise DatabaseUnusable(f"{path} is a database of another program: name another folder by --data")
    return None if found is None else str(found[0])


def copy(path: Path, name: str) -> Path:
    """A whole copy of a database beside it, by that name, or with a number behind it where an earlier one has other content.

    It is written under a passing name, synced and renamed, so whatever has its name is whole.

    Raises StorageFull, DatabaseUnusable.
    """
    passing = path.with_name(f".{name}.new")
    try:
        passing.unlink(missing_ok=True)  # a start that was ended here
        os.close(os.open(passing, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(address(path), uri=True, timeout=15)
        try:
            connection.execute("VACUUM INTO ?", (str(passing),))
        finally:
            connection.close()
        return _publish(passing, path.with_name(name))
    except (sqlite3.Error, OSError) as error:
        passing.unlink(missing_ok=True)
        translated = faults.in_words(error, str(passing))
        if isinstance(translated, StorageFull) or isinstance(error, OSError):
            raise StorageFull(
                f"there is no room beside {path} for a copy of it, which is made before a migration: make room and start again"
            ) from None
        raise translated or error from None


def _publish(passing: Path, wanted: Path) -> Path:
    number = 1
    while True:
        chosen = wanted if number == 1 else wanted.with_name(f"{wanted.name}.{number}")
        if not chosen.exists():
            whole.publish(passing, chosen)
            return chosen
        if filecmp.cmp(passing, chosen, shallow=False):
            passing.unlink()
            return chosen
        number += 1


def inner_faults(path: Path, *, deep: bool) -> list[str]:
    """What SQLite itself finds wrong with a file that it can open: pages, indexes, references.

    Args:
        deep: also compare every index with its table.
    """
    connection = sqlite3.connect(address(path), uri=True, timeout=15)
    try:
        check = "integrity_check" if deep else "quick_check"
        found = [str(text) for (text,) in connection.execute(f"PRAGMA {check}(100)")]
        lost = connection.execute("PRAGMA foreign_key_check").fetchmany(100)
    finally:
        connection.close()
    lines = [line for text in found if text != "ok" for line in text.splitlines()]
    return lines + [f"row {row} of {table} belongs to a row of {other} that is not there" for table, row, other, _ in lost]
