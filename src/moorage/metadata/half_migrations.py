"""Schemas of SQLite that an early version left half made, finished.

Before migrations were one transaction with their revision, a start that was ended between a statement and the revision left
columns and tables that the next start tried to make once more. Revisions up to `LAST` consist of DDL alone, so such a schema is,
to the letter, one of those that the statements leave behind one after the other. It is recognised by that and by nothing less,
and the statements that are missing are run. No row is touched.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

LAST = "0005"
"""The newest revision that an early version may have left half made."""

_Schema = tuple[tuple[str, str, str], ...]
_SCHEMA = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
_DDL = re.compile(r"\s*(CREATE|ALTER)\b", re.IGNORECASE)
_VERSION = re.compile(r"\s*(INSERT INTO|UPDATE) alembic_version\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Step:
    """What the schema is after a statement, and the revision that stands there then."""

    statement: str
    schema: _Schema
    revision: str | None


def finish(connection: Connection, upgrade: Callable[[Connection, str], None]) -> bool:
    """Finish a half-made schema, within the connection's transaction. True: it was one, and is at `LAST` now.

    Args:
        upgrade: brings an empty database to a revision.
    """
    found = _schema_of(connection)
    if {name for _, name, _ in found} <= {"alembic_version"}:
        return False
    revision = _revision_of(connection)
    if (revision or "") >= LAST:
        return False
    steps = _steps(upgrade)
    begun = next((number for number, step in enumerate(steps) if step.revision == revision), None)
    if begun is None:
        return False
    ahead = [number for number, step in enumerate(steps) if number >= begun and step.schema == found]
    # The first that fits may be the whole revision itself: then nothing is half made.
    if not ahead or not steps[ahead[0]].statement:
        return False
    for step in steps[ahead[-1] + 1 :]:
        if step.statement:
            connection.exec_driver_sql(step.statement)
    connection.exec_driver_sql("DELETE FROM alembic_version")
    connection.exec_driver_sql("INSERT INTO alembic_version (version_num) VALUES (?)", (LAST,))
    return True


def _steps(upgrade: Callable[[Connection, str], None]) -> list[_Step]:
    """Every state on the way from nothing to `LAST`, by running it in memory."""
    from sqlalchemy import create_engine, event

    engine = create_engine("sqlite://", isolation_level="AUTOCOMMIT")
    steps: list[_Step] = []

    def note(connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if _DDL.match(statement):
            steps.append(_Step(statement, _schema_of(connection), _revision_of(connection)))
        elif _VERSION.match(statement):
            steps.append(_Step("", _schema_of(connection), _revision_of(connection)))

    with engine.connect() as connection:
        event.listen(connection, "after_cursor_execute", note)
        upgrade(connection, LAST)
        event.remove(connection, "after_cursor_execute", note)
    engine.dispose()
    return steps


def _schema_of(connection: Connection) -> _Schema:
    rows = _raw(connection).execute(_SCHEMA).fetchall()
    return tuple((kind, name, " ".join((sql or "").split())) for kind, name, sql in rows)


def _revision_of(connection: Connection) -> str | None:
    row = _raw(connection).execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _raw(connection: Connection) -> sqlite3.Connection:
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
