"""Open a database by its URL and bring its schema up to date."""

from __future__ import annotations

from moorage.metadata import migrate, sqlite_file
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
        migrate_schema: False: a schema that is behind is an error, and a file that cannot be written is opened for reading.

    Raises:
        ValueError: another scheme.
        migrate.SchemaTooNew, migrate.SchemaTooOld
        DatabaseUnavailable, DatabaseUnusable, StorageFull: see `migrate.upgrade`.
    """
    if migrate_schema:
        migrate.upgrade(url)
    else:
        migrate.require_newest(url)
    path = sqlite_file.path_of(url)
    if path is not None:
        from moorage.metadata.sqlite import SqliteDatabase

        return SqliteDatabase(path, clock, may_write=migrate_schema or sqlite_file.is_writable(path))
    if url.startswith(("postgresql://", "postgres://")):
        from moorage.metadata.postgresql import PostgresDatabase

        return PostgresDatabase(url, clock, connections, timeout_seconds)
    raise ValueError(f"database URL must start with sqlite:/// or postgresql://, not {url.split(':', 1)[0]}:")
