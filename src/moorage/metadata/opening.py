"""Open a database by its URL and bring its schema up to date."""

from __future__ import annotations

from pathlib import Path

from moorage.metadata import migrate
from moorage.metadata.database import Database
from moorage.model.clock import Clock, system_clock


def open_database(
    url: str,
    clock: Clock = system_clock,
    *,
    migrate_schema: bool = True,
    connections: int = 8,
    timeout_seconds: float = 5.0,
) -> Database:
    """Open ``sqlite:///path`` or ``postgresql://...``.

    Args:
        connections, timeout_seconds: of PostgreSQL, see `PostgresDatabase`.

    Raises:
        ValueError: another scheme.
        migrate.SchemaTooNew: the database was written by a newer version.
    """
    if migrate_schema:
        migrate.upgrade(url)
    if url.startswith("sqlite:///"):
        from moorage.metadata.sqlite import SqliteDatabase

        return SqliteDatabase(Path(url.removeprefix("sqlite:///")), clock)
    if url.startswith(("postgresql://", "postgres://")):
        from moorage.metadata.postgresql import PostgresDatabase

        return PostgresDatabase(url, clock, connections, timeout_seconds)
    raise ValueError(f"database URL must start with sqlite:/// or postgresql://, not {url.split(':', 1)[0]}:")
