"""SQL composed once with SQLAlchemy Core, executed by the driver.

Composing and compiling cost a hundred times what SQLite needs for a look-up by key, so a statement is compiled on first use
for each dialect and kept as text; execution then is a plain call of the driver. Measured in docs/decisions/0003-metadata.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.expression import Executable


def _sqlite_dialect() -> Dialect:
    dialect = sqlite.dialect(paramstyle="qmark")
    dialect.supports_native_boolean = True  # or it writes "condition = 1", for which no index is used
    return dialect


def _postgresql_dialect() -> Dialect:
    from sqlalchemy.dialects.postgresql import psycopg  # here, since commands on SQLite start sooner without it

    dialect: Callable[[], Dialect] = psycopg.dialect
    return dialect()


def _insert(dialect: str) -> Callable[[Table], Any]:
    if dialect == "sqlite":
        return sqlite.insert
    from sqlalchemy.dialects.postgresql import insert

    return insert


_DIALECTS: dict[str, Callable[[], Dialect]] = {"sqlite": _sqlite_dialect, "postgresql": _postgresql_dialect}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement as a driver takes it.

    Args:
        sql: the text.
        names: the parameters in the order of their places (SQLite takes them by place: by name costs twice as much).
        literals: values of parameters that the statement itself brings.
    """

    sql: str
    names: tuple[str, ...]
    literals: dict[str, Any]


class Statement:
    """A statement with named parameters, made by `build`, which gets the dialect's `insert` (for ON CONFLICT).

    Args:
        is_planned_anew: PostgreSQL plans it each time, which takes half a millisecond at most. For a table that is mostly empty
            and has a hundred thousand rows a moment later: the plan that was kept from before reads all of them.
    """

    __slots__ = ("_build", "_compiled", "is_planned_anew")

    def __init__(self, build: Callable[[Callable[[Table], Any]], Executable], *, is_planned_anew: bool = False) -> None:
        self._build = build
        self.is_planned_anew = is_planned_anew
        self._compiled: dict[str, Compiled] = {}

    def for_dialect(self, name: str) -> Compiled:
        """The statement in a dialect, compiled on first use."""
        ready = self._compiled.get(name)
        if ready is None:
            compiled: Any = self._build(_insert(name)).compile(dialect=_DIALECTS[name]())  # type: ignore[attr-defined]  # every Core statement has it
            literals = {key: value for key, value in compiled.params.items() if not compiled.binds[key].required}
            ready = self._compiled[name] = Compiled(str(compiled), tuple(compiled.positiontup or ()), literals)
        return ready


def planned_anew(build: Callable[[Callable[[Table], Any]], Executable]) -> Statement:
    """A `Statement` that PostgreSQL plans each time."""
    return Statement(build, is_planned_anew=True)


def places(compiled: Compiled, parameters: dict[str, Any]) -> list[Any]:
    """Parameters in the order of their places, as SQLite takes them: a list (see `types.among`) becomes JSON."""
    if compiled.literals:
        parameters = compiled.literals | parameters
    values = [parameters[name] for name in compiled.names]
    for index, value in enumerate(values):
        if value.__class__ is list:
            values[index] = json.dumps(value)
    return values
