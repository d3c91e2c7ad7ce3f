"""The schema's version: read cheaply at each start, changed by Alembic only when it is behind.

One node migrates at a time (an advisory lock on PostgreSQL, the write lock on SQLite); SQLite is copied beside itself before a
change.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from moorage.metadata.database import DatabaseUnavailable

HEAD = "0005"
"""The newest revision; a test holds it equal to Alembic's own view."""

_LOCK = 7_203_514_221
"""Advisory lock of PostgreSQL under which one node migrates."""


class SchemaTooNew(Exception):
    """A newer version of Moorage has written this database; this one must not touch it."""


def current(url: str) -> str | None:
    """The revision of a database, or None where there is no schema yet. Raises DatabaseUnavailable, ValueError."""
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        if not path.exists() or path.stat().st_size == 0:
            return None
        connection = sqlite3.connect(path)
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError:
            return None
        finally:
            connection.close()
        return str(row[0]) if row else None
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=10) as pg:
            found = pg.execute("SELECT to_regclass('alembic_version')").fetchone()
            if found is None or found[0] is None:
                return None
            version = pg.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(version[0]) if version else None
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"the database does not answer: {str(error).strip()}") from error
    except psycopg.ProgrammingError as error:
        raise ValueError("the URL of the database cannot be read") from error


def upgrade(url: str) -> None:
    """Bring the schema to `HEAD`. Raises SchemaTooNew for a revision that this version does not know."""
    now = current(url)
    if now == HEAD:
        return
    if now is not None and now > HEAD:
        raise SchemaTooNew(f"the database has schema {now}, this version knows {HEAD}: start the newer version that wrote it")
    if now is not None and url.startswith("sqlite:///"):
        _copy_sqlite(Path(url.removeprefix("sqlite:///")), now)
    _run(url, "upgrade", "head")


def downgrade(url: str, revision: str) -> None:
    """Take the schema back to `revision` (``base`` for none)."""
    _run(url, "downgrade", revision)


def _copy_sqlite(path: Path, revision: str) -> None:
    copy = path.with_name(f"{path.name}.before-{HEAD}-was-{revision}")
    if copy.exists():
        return
    connection = sqlite3.connect(path)
    try:
        connection.execute("VACUUM INTO ?", (str(copy),))
    finally:
        connection.close()
    copy.chmod(0o600)


def _run(url: str, verb: str, revision: str) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, text

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        path.touch(mode=0o600)
    engine = create_engine(url.replace("postgres://", "postgresql://", 1).replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
                connection.commit()  # the lock belongs to the session, not to this transaction
            config.attributes["connection"] = connection
            getattr(command, verb)(config, revision)
            connection.commit()
    finally:
        engine.dispose()
