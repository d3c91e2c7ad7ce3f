"""The schema's version: read cheaply at each start, changed by Alembic only when it is behind.

A migration is one transaction, from the first statement to the revision that it leaves: whenever a start is ended, the schema is
the old one or the new one. One node migrates at a time: on PostgreSQL the transaction holds an advisory lock (which poolers of
transactions know how to keep, unlike a session's), on SQLite it is the only writer. SQLite is copied beside itself before that.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moorage.metadata import faults, sqlite_file
from moorage.metadata.database import DatabaseUnusable

if TYPE_CHECKING:
    from sqlalchemy import Connection

logger = logging.getLogger("moorage.metadata")

HEAD = "0007"
"""The newest revision; a test holds it equal to Alembic's own view."""

_LOCK = 7_203_514_221
"""Advisory lock of PostgreSQL under which one node migrates."""
_ATTEMPTS = 3
"""Nodes that serve while another migrates may get into each other's way; nothing is lost by trying again."""


class SchemaTooNew(DatabaseUnusable):
    """A newer version of Moorage has written this database; this one must not touch it."""


class SchemaTooOld(DatabaseUnusable):
    """The schema has to be migrated first, which a start of the server does."""


def current(url: str) -> str | None:
    """The revision of a database, or None where there is no schema yet. Makes and changes nothing.

    Raises:
        DatabaseUnavailable: it does not answer.
        DatabaseUnusable: damaged, of another program, without rights, in another encoding than UTF8.
        ValueError: the URL cannot be read.
    """
    path = sqlite_file.path_of(url)
    found = _revision_in_postgresql(url) if path is None else sqlite_file.revision_of(path)
    if found is not None and not (len(found) == len(HEAD) and found.isdigit()):
        raise DatabaseUnusable(f"{path or 'the database'} belongs to another program: its schema is {found[:40]!r}")
    return found


def _revision_in_postgresql(url: str) -> str | None:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=10, autocommit=True, prepare_threshold=None) as connection:
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise DatabaseUnusable(
                    f"the database has the encoding {encoding}, and names need UTF8: make it anew with CREATE DATABASE ... "
                    "ENCODING 'UTF8' TEMPLATE template0"
                )
            found = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
            if found is None or found[0] is None:
                return None
            version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(version[0]) if version else None
    except psycopg.Error as error:
        raise faults.in_words(error) or error from None


def require_known(now: str | None) -> None:
    """Raise SchemaTooNew for a revision that this version does not know."""
    if now is not None and now > HEAD:
        raise SchemaTooNew(f"the database has schema {now}, this version knows {HEAD}: start the newer version that wrote it")


def require_newest(url: str) -> None:
    """Raise SchemaTooOld or SchemaTooNew unless the schema is `HEAD`, for those who only look."""
    now = current(url)
    require_known(now)
    if now != HEAD:
        raise SchemaTooOld(f"the database has schema {now}, this version needs {HEAD}: moorage serve brings it up to date")


def upgrade(url: str) -> None:
    """Bring the schema to `HEAD`, or leave it as it is.

    Raises:
        SchemaTooNew: a revision that this version does not know.
        StorageFull: no room, for the copy of a SQLite database or for the change itself.
        DatabaseUnavailable, DatabaseUnusable, ValueError: see `current`.
    """
    now = current(url)
    require_known(now)
    if now == HEAD:
        return
    path = sqlite_file.path_of(url)
    copied = None
    if path is not None and path.exists() and path.stat().st_size:
        copied = sqlite_file.copy(path, f"{path.name}.before-{HEAD}-was-{now or 'half-made'}")
    try:
        _upgrade(url)
    except Exception as error:
        said = faults.in_words(error, str(path) if path else "the database")
        if said is None:
            raise
        kept = f". It is as it was before; a copy of it is {copied}" if copied else ""
        raise type(said)(f"{said}{kept}") from None
    if now is not None:
        kept = f"; {copied} is a copy of it as it was" if copied else ""
        logger.warning("the database was brought from schema %s to %s%s", now, HEAD, kept)


def _upgrade(url: str) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _run(url, "upgrade", HEAD)
            return
        except Exception as error:
            if sqlite_file.path_of(url) is not None and _finished_half(url, error):
                return
            if attempt == _ATTEMPTS or not _is_conflict(error):
                raise
            time.sleep(0.2 * attempt)


def _finished_half(url: str, error: Exception) -> bool:
    """Whether a migration failed because an early version had begun it, and is finished now."""
    if not isinstance(getattr(error, "orig", None), sqlite3.OperationalError):
        return False
    from moorage.metadata import half_migrations

    with _transaction(url) as connection:
        if not half_migrations.finish(connection, lambda at, to: _alembic(at, "upgrade", to)):
            return False
        _alembic(connection, "upgrade", HEAD)
        _require_references(connection)
    logger.warning("the schema was half made: an early version was ended while it made it. It is whole now")
    return True


def downgrade(url: str, revision: str) -> None:
    """Take the schema back to `revision` (``base`` for none)."""
    _run(url, "downgrade", revision)


def _is_conflict(error: Exception) -> bool:
    return getattr(getattr(error, "orig", None), "sqlstate", None) in {"40P01", "40001"}


def _run(url: str, verb: str, revision: str) -> None:
    with _transaction(url) as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if not is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        _alembic(connection, verb, revision)
        if is_sqlite:
            _require_references(connection)


def _require_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise DatabaseUnusable(f"the migration would leave rows of {broken[0]} that belong to nothing: nothing was changed")


def _alembic(connection: Connection, verb: str, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    getattr(command, verb)(config, revision)


@contextmanager
def _transaction(url: str) -> Iterator[Connection]:
    """A connection within a transaction that all of a migration goes into."""
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    path = sqlite_file.path_of(url)
    if path is None:
        import psycopg

        # The driver reads the URL, as it does for the server's pool: SQLAlchemy does not know all of its forms. And nothing is
        # prepared: what was prepared on one connection of a pooler is not known on its others.
        engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: psycopg.connect(url, connect_timeout=10, prepare_threshold=None),
            poolclass=NullPool,
        )
    else:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))

        def connect() -> sqlite3.Connection:
            opened = sqlite3.connect(sqlite_file.address(path), uri=True, timeout=15, isolation_level=None)
            opened.execute("PRAGMA synchronous=FULL")
            return opened

        def begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver by itself begins no transaction for DDL

        engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
        event.listen(engine, "begin", begin)
    with engine.begin() as connection:
        yield connection
    engine.dispose()
