"""SQL composed once with SQLAlchemy Core, executed by the driver.

Composing and compiling cost a hundred times what SQLite needs for a look-up by key, so a statement is compiled on first use
for each dialect and kept as text; execution then is a plain call of the driver. Measured in docs/decisions/0003-metadata.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.expression import Executable


def _sqlite_dialect() -> Dialect:
    dialect = sqlite.dialect(paramstyle="named")
    dialect.supports_native_boolean = True  # or it writes "condition = 1", for which no index is used
    return dialect


_DIALECTS: dict[str, Callable[[], Dialect]] = {
    "sqlite": _sqlite_dialect,
    "postgresql": postgresql.psycopg.dialect,
}


class Statement:
    """A statement with named parameters, made by `build`, which gets the dialect's `insert` (for ON CONFLICT)."""

    __slots__ = ("_build", "_compiled")

    def __init__(self, build: Callable[[Callable[[Table], Any]], Executable]) -> None:
        self._build = build
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}

    def for_dialect(self, name: str) -> tuple[str, dict[str, Any]]:
        """The SQL text and the values of its literal parameters."""
        ready = self._compiled.get(name)
        if ready is None:
            insert = sqlite.insert if name == "sqlite" else postgresql.insert
            compiled = self._build(insert).compile(dialect=_DIALECTS[name]())  # type: ignore[attr-defined]  # every Core statement has it
            literals = {key: value for key, value in compiled.params.items() if not compiled.binds[key].required}
            ready = self._compiled[name] = (str(compiled), literals)
        return ready


def encode_lists(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters as SQLite takes them: a list (see `types.among`) becomes JSON."""
    for value in parameters.values():
        if isinstance(value, list):
            return {key: json.dumps(item) if isinstance(item, list) else item for key, item in parameters.items()}
    return parameters
