"""Databases of released schemas, from the texts under `tests/schemas`; and all that is in a database, to be compared."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from moorage.metadata import migrate, sqlite_file
from moorage.storage.local import LocalStore

SCHEMAS = Path(__file__).parents[1] / "schemas"
REVISIONS = sorted(path.stem for path in SCHEMAS.glob("*.sql"))
NEWEST = REVISIONS[-1]

Table = tuple[tuple[str, ...], list[tuple[Any, ...]]]
Content = dict[str, Table]
"""By table: its columns, and its rows in some fixed order."""


def installation(folder: Path, revision: str = NEWEST) -> None:
    """A whole installation on SQLite and a folder, as a server of that schema has left it."""
    key_and_blobs(folder)
    connection = sqlite3.connect(folder / "moorage.db")
    connection.executescript((SCHEMAS / f"{revision}.sql").read_text("utf-8"))
    connection.execute("PRAGMA journal_mode=WAL")
    known = {key for (key,) in connection.execute("SELECT key FROM storage_objects")}
    connection.close()
    (folder / "moorage.db").chmod(0o600)
    for path in (folder / "blobs").glob("*/*"):
        if path.name not in known:  # of a text that was made another time
            path.unlink()


def key_and_blobs(folder: Path) -> None:
    """A data folder without a database."""
    folder.mkdir(mode=0o700)
    shutil.copyfile(SCHEMAS / "root.key", folder / "root.key")
    (folder / "root.key").chmod(0o600)
    shutil.copytree(SCHEMAS / "blobs", folder / "blobs")
    LocalStore(folder / "blobs")  # makes the folders that are empty, which no version control keeps


def into_postgresql(url: str, revision: str, folder: Path) -> None:
    """The rows of an `installation` in a PostgreSQL database at the same revision; the folder keeps root key and blobs."""
    migrate._run(url, "upgrade", revision)
    path = folder / "moorage.db"
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")  # rows come in any order
        for table, (columns, rows) in content(f"sqlite:///{path}").items():
            if table == sqlite_file.VERSION_TABLE or not rows:
                continue
            statement = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, columns)),
                sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
            )
            with connection.cursor() as cursor:
                cursor.executemany(statement, rows)
            has_sequence = (
                connection.execute("SELECT pg_get_serial_sequence(%s, 'id')", (table,)).fetchone() if "id" in columns else None
            )
            if has_sequence is not None and has_sequence[0] is not None:
                following = max(row[columns.index("id")] for row in rows) + 1
                connection.execute("SELECT setval(%s, %s, false)", (has_sequence[0], following))
    path.unlink()


def content(url: str) -> Content:
    """Everything in a database; nothing where there is none."""
    path = sqlite_file.path_of(url)
    if path is not None:
        return _of_sqlite(path)
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            table: _read(connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))) for (table,) in tables
        }


def _of_sqlite(path: Path) -> Content:
    if not path.exists():
        return {}
    connection = sqlite3.connect(path)
    try:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall()
        return {table: _read(connection.execute(f'SELECT * FROM "{table}"')) for (table,) in tables}
    finally:
        connection.close()


def _read(cursor: Any) -> Table:
    columns = tuple(column[0] for column in cursor.description)
    return columns, sorted(cursor.fetchall(), key=repr)


def columns_of(table: Table, wanted: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """The rows of a table, with these columns alone."""
    columns, rows = table
    places = [columns.index(name) for name in wanted]
    return sorted((tuple(row[place] for place in places) for row in rows), key=repr)


def cloned(template: str) -> str:
    """The URL of a fresh copy of a PostgreSQL database to which nobody is connected."""
    info = psycopg.conninfo.conninfo_to_dict(template)
    source, name = str(info["dbname"]), f"clone_{secrets.token_hex(6)}"
    with psycopg.connect(template.replace(f"/{source}?", "/postgres?"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(source)))
    return template.replace(f"/{source}?", f"/{name}?")


def drop(url: str) -> None:
    """Remove a database that `cloned` has made."""
    if not url:
        return
    name = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
    with psycopg.connect(url.replace(f"/{name}?", "/postgres?"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
