"""Column types that mean the same on both engines, and the one condition that SQL words differently.

SQLite's tables are STRICT: INTEGER, TEXT and BLOB are all there is. PostgreSQL compares text byte by byte (COLLATE "C"), as
SQLite does and as OCI orders tags. Times are microseconds since the epoch, UTC, in a 64-bit integer.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.sql.expression import bindparam
from sqlalchemy.types import Boolean

Number = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit integer; also booleans (0, 1) and times (microseconds)."""

String = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Text compared by bytes."""

Bytes = LargeBinary()


class among(ColumnElement[bool]):  # reads as an operator in a query: where(among(table.c.digest, "digests"))
    """``column IN (...)`` over a list parameter of any length, with one SQL text whatever the length.

    The parameter is a list; the engine's `Statement` encodes it (JSON on SQLite, an array on PostgreSQL).
    """

    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], parameter: str, item_type: str = "text") -> None:
        self.column = column
        self.item_type = item_type  # as PostgreSQL names it
        self.parameter: BindParameter[Any] = bindparam(parameter, type_=Text())


@compiles(among, "sqlite")
def _among_sqlite(element: among, compiler: Any, **options: Any) -> str:
    parameter = compiler.process(element.parameter, **options)
    return f"{compiler.process(element.column, **options)} IN (SELECT value FROM json_each({parameter}))"  # noqa: S608  # column and parameter are Core's


@compiles(among, "postgresql")
def _among_postgresql(element: among, compiler: Any, **options: Any) -> str:
    compiler.process(element.parameter, **options)  # registers the name; its cast to VARCHAR would not fit an array
    return f"{compiler.process(element.column, **options)} = ANY(%({element.parameter.key})s::{element.item_type}[])"
