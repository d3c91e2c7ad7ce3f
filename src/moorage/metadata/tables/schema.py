"""The one MetaData, with names for constraints so that migrations can speak of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, MetaData, Table
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
