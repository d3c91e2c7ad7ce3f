"""The one MetaData, with names for constraints so that migrations can speak of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, MetaData, Table, text
from sqlalchemy.schema import SchemaItem

from moorage.metadata.types import Number

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def table(name: str, *items: SchemaItem, **options: Any) -> Table:
    """A table of the schema: STRICT on SQLite."""
    return Table(name, metadata, *items, sqlite_strict=True, **options)


def surrogate() -> Column[int]:
    """An id that is never used twice, since a job may outlive the row it names (AUTOINCREMENT, IDENTITY)."""
    return Column("id", Number, primary_key=True, autoincrement=True)


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows for which `where` holds.

    PostgreSQL's index knows that only after `complete`: being told imports its dialect, which commands on SQLite do without.
    """
    return Index(name, *columns, unique=unique, sqlite_where=text(where), info={"where": where})


def complete() -> None:
    """Tell PostgreSQL's indexes what they are of. For migrations, which are made by comparing."""
    for each in metadata.tables.values():
        for index in each.indexes:
            if "where" in index.info:
                index.dialect_kwargs["postgresql_where"] = text(index.info["where"])
