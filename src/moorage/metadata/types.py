"""Column types that mean the same on both engines, and the one condition that SQL words differently.

SQLite's tables are STRICT: INTEGER, TEXT and BLOB are all there is. PostgreSQL compares text byte by byte (COLLATE "C"), as
SQLite does and as OCI orders tags. Times are microseconds since the epoch, UTC, in a 64-bit integer.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.sql.expression import bindparam, literal_column
from sqlalchemy.types import Boolean

Number = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit integer; also booleans (0, 1) and times (microseconds)."""

String = Text().with_variant(Text(collation="C"), "postgresql")
"""Text compared by bytes."""

Bytes = LargeBinary()


def word(text: str) -> ColumnElement[str]:
    """A constant of ours, written into the SQL: as a parameter it would keep SQLite from planning once for all values."""
    return literal_column(f"'{text}'", Text())


class server_now(ColumnElement[int]):  # reads as a value in a query: where(table.c.due <= server_now())
    """The database's time, microseconds: on PostgreSQL asked of it in the statement, on SQLite the parameter ``now``.

    For what nodes must agree on to the second whatever their own clocks say, even one that jumped just now: `tx.now` follows such
    a jump until the clocks are compared again. It is the same for the whole statement, so an index can be searched by it.
    """

    inherit_cache = True
    type = BigInteger()

    def __init__(self) -> None:
        self.parameter: BindParameter[Any] = bindparam("now", type_=BigInteger())


@compiles(server_now, "sqlite")
def _server_now_sqlite(element: server_now, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.parameter, **options))


@compiles(server_now, "postgresql")
def _server_now_postgresql(element: server_now, compiler: Any, **options: Any) -> str:
    return "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint"


class among(ColumnElement[bool]):  # reads as an operator in a query: where(among(table.c.digest, "digests"))
    """``column IN (...)`` over a list parameter of any length, with one SQL text whatever the length.

    The parameter is a list: an array on PostgreSQL, on SQLite JSON (`statements.encode_lists`).
    """

    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], parameter: str, item_type: str = "text") -> None:
        self.column = column
        self.item_type = item_type  # as PostgreSQL names it
        self.parameter: BindParameter[Any] = bindparam(parameter, type_=Text())


@compiles(among, "sqlite")
def _among_sqlite(element: among, compiler: Any, **options: Any) -> str:
    column, parameter = compiler.process(element.column, **options), compiler.process(element.parameter, **options)
    # The cast gives the values the column's affinity: without it SQLite does not use the column's index.
    cast = "INTEGER" if element.item_type == "bigint" else "TEXT"
    return f"{column} IN (SELECT CAST(value AS {cast}) FROM json_each({parameter}))"  # noqa: S608  # all of it is Core's or ours


@compiles(among, "postgresql")
def _among_postgresql(element: among, compiler: Any, **options: Any) -> str:
    compiler.process(element.parameter, **options)  # registers the name; its cast to VARCHAR would not fit an array
    return f"{compiler.process(element.column, **options)} = ANY(%({element.parameter.key})s::{element.item_type}[])"
