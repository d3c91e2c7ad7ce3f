"""Errors of the drivers in the words of whoever runs a server: what is wrong with the database, and what to do about it.

For starts and commands, which end with one line. What a running server answers is decided where it asks.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from typing import Any

from moorage.metadata.database import DatabaseUnavailable, DatabaseUnusable
from moorage.model.errors import StorageFull

_DAMAGED = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_NO_ROOM = frozenset({sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP})
"""What it says where there is no room for the memory that its processes share."""
_MOST = 400
READ_ONLY = "the database is read-only (a standby, or default_transaction_read_only is on): name the primary by database_url"


def in_words(error: BaseException, place: str = "the database") -> Exception | None:
    """What an error of a driver means; None for errors of anything else.

    Args:
        place: how the message is to name the database: a path, say.
    """
    original = getattr(error, "orig", None)  # SQLAlchemy wraps what the driver raised
    found = original if isinstance(original, BaseException) else error
    if isinstance(found, sqlite3.Error):
        return _of_sqlite(found, place)
    psycopg = sys.modules.get("psycopg")  # nobody can raise its errors before it is imported
    if psycopg is not None and isinstance(found, psycopg.Error):
        return _of_postgresql(psycopg, found)
    pool = sys.modules.get("psycopg_pool")
    if pool is not None and isinstance(found, pool.PoolTimeout):
        return DatabaseUnavailable("the database does not answer")
    return None


def one_line(error: object) -> str:
    """An error's text on one line, cut where it is longer than anybody reads."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    return text if len(text) <= _MOST else f"{text[:_MOST]}..."


def _of_sqlite(error: sqlite3.Error, place: str) -> Exception | None:
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # the driver was used wrongly: a fault of ours
        return None
    primary = code & 0xFF
    if primary in _DAMAGED:
        return DatabaseUnusable(f"{place} is damaged, or no database of SQLite ({error}): put a copy of it back")
    if primary == sqlite3.SQLITE_FULL or code in _NO_ROOM:
        return StorageFull(f"the disk that holds {place} is full: make room and start again")
    if primary in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return DatabaseUnusable(f"{place} cannot be written: its file system is read-only, or its files are somebody else's")
    if primary in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH}:
        return DatabaseUnusable(f"{place} cannot be opened: look at the rights of the file, its folder and the files beside it")
    if primary in _BUSY:
        return DatabaseUnavailable(f"{place} is busy: another process works on it")
    if primary == sqlite3.SQLITE_IOERR:
        return DatabaseUnavailable(f"the disk that holds {place} fails: {error}")
    return DatabaseUnusable(f"{place} does not have the schema it says it has ({one_line(error)}): put a copy of it back")


def _of_postgresql(psycopg: Any, error: Any) -> Exception:
    errors = psycopg.errors
    if isinstance(error, errors.InsufficientPrivilege):
        return DatabaseUnusable(
            f"the role of database_url lacks a right ({_said(error)}): let it own the database, or grant it CREATE and USAGE on "
            "the schema and all rights on the tables there"
        )
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return DatabaseUnusable(READ_ONLY)
    if isinstance(error, errors.DiskFull):
        return StorageFull("the disk that holds the database is full: make room and start again")
    if isinstance(error, errors.DuplicateTable | errors.DuplicateObject | errors.DuplicateColumn):
        return DatabaseUnusable(
            f"the database holds something of another program ({_said(error)}): give Moorage a database, or a schema, of its own"
        )
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
        return DatabaseUnusable(f"the database does not have the schema it says it has ({_said(error)}): put a copy of it back")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return DatabaseUnavailable(f"the database does not answer: {one_line(error)}")
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return ValueError("the URL of the database cannot be read")
    return DatabaseUnusable(f"the database refuses: {_said(error)}")


def _said(error: Any) -> str:
    """The server's message without the statement, which may be long."""
    return one_line(error.diag.message_primary or error)
