"""Schemas that an early version left half made are finished; whatever else does not fit is left as it is, with a copy beside."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from moorage.metadata import half_migrations, migrate
from moorage.metadata.database import DatabaseUnusable
from tests.crash import databases


@pytest.fixture(scope="module")
def steps() -> list[half_migrations._Step]:
    """Every statement of the early migrations, and what the schema was after it."""
    return half_migrations._steps(lambda connection, revision: migrate._alembic(connection, "upgrade", revision))


def make_half(path: Path, steps: list[half_migrations._Step], revision: str | None, count: int) -> None:
    """Run so many statements behind a revision, as a version that was killed has left them: without the next revision."""
    begun = next(number for number, step in enumerate(steps) if step.revision == revision)
    connection = sqlite3.connect(path, isolation_level=None)
    statements = [step.statement for step in steps[begun + 1 :] if step.statement]
    if revision is None:
        statements.insert(0, steps[0].statement)
    for statement in statements[:count]:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004"])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_full_database(tmp_path: Path, steps: list[half_migrations._Step], revision: str, count: int) -> None:
    folder = tmp_path / "data"
    databases.installation(folder, revision)
    url = f"sqlite:///{folder / 'moorage.db'}"
    make_half(folder / "moorage.db", steps, revision, count)
    before = databases.content(url)
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.HEAD
    after = databases.content(url)
    for table, (columns, rows) in before.items():
        if table != "alembic_version":
            assert databases.columns_of(after[table], columns) == rows
    whole = tmp_path / "whole.db"
    migrate.upgrade(f"sqlite:///{whole}")
    assert {table: columns for table, (columns, _) in after.items()} == {
        table: columns for table, (columns, _) in databases.content(f"sqlite:///{whole}").items()
    }


@pytest.mark.parametrize("count", [2, 20, 40, 60, 90])
def test_a_first_start(tmp_path: Path, steps: list[half_migrations._Step], count: int) -> None:
    make_half(tmp_path / "m.db", steps, None, count)
    url = f"sqlite:///{tmp_path / 'm.db'}"
    assert migrate.current(url) is None
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.HEAD


def test_what_is_not_known_is_left_alone(tmp_path: Path, steps: list[half_migrations._Step]) -> None:
    folder = tmp_path / "data"
    databases.installation(folder, "0001")
    path = folder / "moorage.db"
    make_half(path, steps, "0001", 3)
    connection = sqlite3.connect(path)
    connection.execute("ALTER TABLE tags ADD COLUMN somebody TEXT")
    connection.close()
    url = f"sqlite:///{path}"
    before = databases.content(url)
    for _ in range(2):  # found again by the next start, not made once more
        with pytest.raises(DatabaseUnusable, match=rf"duplicate column name.*a copy of it is .*before-{migrate.HEAD}-was-0001$"):
            migrate.upgrade(url)
    assert databases.content(url) == before
    (copy,) = folder.glob("*before*")
    assert databases.content(f"sqlite:///{copy}") == before


def test_a_database_that_went_on_gets_another_copy(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    databases.installation(folder, "0003")
    path = folder / "moorage.db"
    migrate.upgrade(f"sqlite:///{path}")
    (first,) = folder.glob("*before*")
    path.unlink()
    (folder / "moorage.db").write_bytes(first.read_bytes())  # the operator goes back, and works on
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO accounts (id, name, created_at) VALUES ('111111111111', 'later', 1)")
    connection.commit()
    connection.close()
    migrate.upgrade(f"sqlite:///{path}")
    names = sorted(copy.name for copy in folder.glob("*before*"))
    assert names == [f"moorage.db.before-{migrate.HEAD}-was-0003", f"moorage.db.before-{migrate.HEAD}-was-0003.2"]
    assert all(copy.stat().st_mode & 0o777 == 0o600 for copy in folder.glob("*before*"))


def test_looking_makes_nothing(tmp_path: Path) -> None:
    assert migrate.current(f"sqlite:///{tmp_path / 'no%41?thing#.db'}") is None
    assert list(tmp_path.iterdir()) == []
    url = f"sqlite:///{tmp_path / 'a%41?b#.db'}"
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.HEAD
    assert [path.name for path in tmp_path.iterdir()] == ["a%41?b#.db"]
