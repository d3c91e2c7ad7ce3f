"""What a use case may do with the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from moorage.metadata.memory import Memory
from moorage.metadata.statements import Statement, places

Row = tuple[Any, ...]


class Overtaken(Exception):
    """What a function has read was changed by another transaction before it could hold it: the function runs again.

    Only where transactions run side by side; whoever runs them takes it for a lost race, as a serialisation failure.
    """


class Cursor(Protocol):
    """The part of a DB-API cursor that is used; both drivers have it."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Row | None: ...
    def fetchall(self) -> list[Row]: ...


class Connection(Protocol):
    """The part of a driver's connection that is used."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Cursor: ...


class ReadTransaction:
    """Queries only. `now` (microseconds) is fixed when it starts; `memory` is that of the database.

    `seen` is for what one function asks several times over, such as how its caller stands: it ends with the transaction.
    """

    __slots__ = ("_connection", "dialect", "memory", "now", "seen")

    def __init__(self, connection: Connection, dialect: str, now: int, memory: Memory) -> None:
        self._connection = connection
        self.dialect = dialect
        self.now = now
        self.memory = memory
        self.seen: dict[Any, Any] = {}

    def _execute(self, statement: Statement, parameters: dict[str, Any]) -> Cursor:
        compiled = statement.for_dialect(self.dialect)
        if self.dialect == "sqlite":
            return self._connection.execute(compiled.sql, places(compiled, parameters))
        words = compiled.literals | parameters if compiled.literals else parameters
        if statement.is_planned_anew:
            planned: Cursor = cast(Any, self._connection).execute(compiled.sql, words, prepare=False)
            return planned
        return self._connection.execute(compiled.sql, words)

    def file_version(self) -> int:
        """`Database.version_at_once` as this transaction sees it: the number in the head of SQLite's file."""
        row = self._connection.execute("PRAGMA user_version").fetchone()
        assert row is not None
        number: int = row[0]
        return number

    def first(self, statement: Statement, **parameters: Any) -> Row | None:
        """The first row, or None."""
        return self._execute(statement, parameters).fetchone()

    def all(self, statement: Statement, **parameters: Any) -> list[Row]:
        """All rows: the statement carries its own LIMIT where there could be many."""
        return self._execute(statement, parameters).fetchall()


class Transaction(ReadTransaction):
    """Queries and changes. Runs again from the start after a serialisation failure, so its function touches nothing but it.

    `hints` are called once it is committed, each once, by the thread that committed. A process that dies then calls none, and of
    what others commit nobody hears: they are there to shorten a wait, never to bring something about.
    """

    __slots__ = ("hints",)

    def __init__(self, connection: Connection, dialect: str, now: int, memory: Memory) -> None:
        super().__init__(connection, dialect, now, memory)
        self.hints: list[Callable[[], None]] | None = None

    def after_commit(self, hint: Callable[[], None]) -> None:
        """Have `hint` called; it must be quick, raise nothing, and come from any thread."""
        if self.hints is None:
            self.hints = [hint]
        elif hint not in self.hints:
            self.hints.append(hint)

    def run(self, statement: Statement, **parameters: Any) -> int:
        """Execute a change and return how many rows it hit."""
        return self._execute(statement, parameters).rowcount

    def run_many(self, statement: Statement, rows: Iterable[dict[str, Any]]) -> None:
        """Execute a change once for each row of parameters."""
        for row in rows:
            self._execute(statement, row)
