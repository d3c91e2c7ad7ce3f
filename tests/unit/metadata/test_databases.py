"""Both engines behind the one door: transactions, migrations, and plans that stay cheap among many rows."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect

from moorage.metadata import migrate
from moorage.metadata import tables as tables_package
from moorage.metadata.database import Database, DatabaseUnavailable
from moorage.metadata.opening import open_database
from moorage.metadata.registry import registries, repositories, seals
from moorage.metadata.tables.schema import metadata
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.names import parse_repository_name
from moorage.model.scope import Scope
from moorage.model.seal import SealKey

assert tables_package.images is not None


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'm.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


def add(tx: Transaction, account: str) -> bool:
    return registries.insert_account(tx, account, "x")


def count(tx: ReadTransaction) -> int:
    return len(registries.list_accounts(tx))


class Refused(Exception):
    pass


def add_and_fail(tx: Transaction, account: str) -> None:
    add(tx, account)
    raise Refused(account)


def test_what_is_written_is_read(db: Database) -> None:
    assert db.run_write(add, "000000000001")
    assert not db.run_write(add, "000000000001")
    assert db.run_read(count) == 1


def test_an_error_takes_back_its_own_changes_and_nobody_elses(db: Database) -> None:
    async def together() -> list[Any]:
        work = [db.write(add_and_fail if n % 3 == 0 else add, f"{n:012d}") for n in range(60)]
        return await asyncio.gather(*work, return_exceptions=True)

    outcomes = asyncio.run(together())
    assert [type(outcome) is Refused for outcome in outcomes] == [n % 3 == 0 for n in range(60)]
    assert db.run_read(count) == 40


def test_lookup_and_read_see_what_was_acknowledged(db: Database) -> None:
    async def steps() -> tuple[int, int]:
        await db.write(add, "000000000001")
        return await db.lookup(count), await db.read(count)

    assert asyncio.run(steps()) == (1, 1)


def test_readers_cannot_write(db: Database) -> None:
    if db.dialect != "sqlite":
        return  # PostgreSQL's readers share the pool; mypy holds them to their type
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.run_read(lambda tx: tx._connection.execute("DELETE FROM accounts"))


def test_after_closing_nothing_is_accepted(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'm.db'}")
    database.close()
    with pytest.raises(DatabaseUnavailable):
        database.run_write(add, "000000000001")


def test_registries_get_addresses_of_their_own(db: Database) -> None:
    scopes = [Scope.of(f"eu-west-{n}", "000000000001") for n in (1, 2)]

    def ensure(tx: Transaction) -> list[str | None]:
        add(tx, "000000000001")
        ids = [registries.ensure_registry(tx, scope) for scope in (*scopes, scopes[0])]
        assert ids[0] == ids[2]
        assert registries.list_used(tx) == []
        for registry in ids[:2]:
            repositories.insert(
                tx,
                registry,
                parse_repository_name("app"),
                tag_mutability="MUTABLE",
                filters=(),
                scan_on_push=False,
                encryption_type="AES256",
                kms_key=None,
                seal=seals.ensure_own(tx, registry, "AES256", SealKey("", b"sealed")),
            )
        return [registries.address_of_used(tx, scope) for scope in scopes]

    first, second = db.run_write(ensure)
    assert first and second and first != second
    assert db.run_read(registries.find_by_address, first) == scopes[0]
    assert db.run_read(registries.list_used) == [(scopes[0], first), (scopes[1], second)]


def sync_engine(url: str) -> Any:
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))


def test_migrations_make_the_schema_and_take_it_away_again(url: str) -> None:
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.HEAD
    engine = sync_engine(url)
    found = set(inspect(engine).get_table_names()) - {"alembic_version", "sqlite_sequence"}
    assert found == set(metadata.tables)
    migrate.downgrade(url, "base")
    assert set(inspect(engine).get_table_names()) <= {"alembic_version", "sqlite_sequence"}
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.HEAD
    engine.dispose()


def test_migrations_and_tables_agree(url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    migrate.upgrade(url)
    engine = sync_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_head_is_the_newest_revision() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_a_newer_schema_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    migrate.upgrade(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(migrate.SchemaTooNew):
        open_database(f"sqlite:///{path}")


def statements() -> list[tuple[str, Any]]:
    """Every statement of every module of queries, but those of fsck, which reads everything there is."""
    import importlib
    import pkgutil

    from moorage import metadata as package
    from moorage.metadata.statements import Statement

    found: list[tuple[str, Any]] = []
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        room = info.name.rpartition(".")[2]
        if info.ispkg or room == "inspection" or ".migrations." in info.name:
            continue
        for name, value in vars(importlib.import_module(info.name)).items():
            values = value if isinstance(value, tuple) else tuple(value.values()) if isinstance(value, dict) else (value,)
            if not name.endswith("_ON_POSTGRESQL"):
                found += [(f"{room}.{name}", item) for item in values if isinstance(item, Statement)]
    assert len(found) > 200, "rooms of queries were overlooked"
    return found


ON_PURPOSE = {
    "account_facts._PURGE_REPORTS",
    "answers._VERSION",
    "claims._END_ALL",
    "manifests._NEWEST_TAGS",
    "organizations._FIND",
    "organizations._BY_EMAIL",
    "organizations._REQUESTS",
    "public_registries._ALIASES",
    "public_registries._ALL",
    "registries._ACCOUNTS",
    "registries._USED",
    "registries._KEYS_OF",
    "repositories._DELETED",
    "uploads._RELEASE_ALL",
}
"""There are few of these: accounts, registries, aliases, keys of an account, deleted repositories, reports, uploads and leases at
a start, and 64 versions of answers, which PostgreSQL alone reads.
Tags by their age are sorted: an index for that would cost every push, and only ECR Public's DescribeImageTags asks."""

PASSING = {"kinds", "chosen", "anon_1"}
"""Rows that a query has found and looks at again, which are as many as their own plan lets them be."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a schema and nothing in it."""
    path = tmp_path_factory.mktemp("empty") / "m.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.mark.parametrize(("name", "statement"), statements(), ids=lambda value: value if isinstance(value, str) else "")
def test_no_query_reads_a_whole_table(name: str, statement: Any, empty: Path) -> None:
    compiled = statement.for_dialect("sqlite")
    connection = sqlite3.connect(empty)
    parameters = [compiled.literals.get(name, 1) for name in compiled.names]
    sql = compiled.sql
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    connection.close()
    passing = {"json_each", "CONSTANT", *PASSING}
    scans = [step for step in plan if step.startswith("SCAN") and not passing.intersection(step.split())]
    assert not scans or name in ON_PURPOSE, plan
    is_sorted_here = any("TEMP B-TREE FOR ORDER BY" in step for step in plan)
    assert not is_sorted_here or name in ON_PURPOSE or "json_each" in sql or "DISTINCT" in sql, plan


HOLDING = {
    "administration._LOCK": "by id",
    "blobs._LOCK_BLOB": "by id",
    "blobs._LOCK_LINK": "by repository and digest",
    "blobs._LOCK_LINKS": "by repository and digests, in their order",
    "claims._CLAIM": "skips what others hold, so it waits for nobody",
    "claims._HOLD": "by id and epoch, which nobody lowers: if it was lost meanwhile there is none, as should be",
    "claims._LOST": "skips what others hold",
    "credentials._LOCK_PROFILE": "by user",
    "manifests._COUNT_PULL": "by id",
    "manifests._HOLD_TAGS": "by id",
    "manifests._KEEP": "by repository and digest",
    "manifests._LOCK": "by repository and digest",
    "mfa_devices._LOCK": "by serial number",
    "rates._LOCK_BUCKET": "by name; where it is gone meanwhile the caller adds it",
    "registries._HOLD_REGISTRY": "by its scope, which never changes",
    "repositories._LOCK": "of a name the live one: if it was deleted meanwhile there was none at that moment",
    "repositories._SHARE": "as above",
    "tags._LOCK_OF": "of manifests that are held, to which no tag can be moved; from which one was moved it is not theirs",
    "tags._POINTS_TO": "by name; if it was moved meanwhile the caller finds none, cannot add it, and looks again",
    "uploads._LOCK": "by id and repository",
}
"""Every statement that holds rows, and why it finds what it waited for: at READ COMMITTED a row is dropped after the wait if it
no longer fits, so only what never changes may stand in its condition."""


def test_what_is_held_is_found_by_what_does_not_change() -> None:
    holding = {name for name, statement in statements() if " FOR " in statement.for_dialect("postgresql").sql.upper()}
    assert holding == set(HOLDING)


def test_the_version_tells_of_changes_by_any_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'm.db'}"
    ours, theirs = open_database(url), open_database(url)
    before = ours.version_at_once()
    assert ours.version_at_once() == before
    ours.run_write(add, "000000000001")
    after = ours.version_at_once()
    assert after != before
    assert theirs.version_at_once() == after
    theirs.run_write(add, "000000000002")
    assert ours.version_at_once() != after
    ours.close()
    theirs.close()


def test_the_version_does_not_tell_of_counts(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'm.db'}")
    before = db.version_at_once()
    asyncio.run(db.write_lightly(add, "000000000001"))
    assert db.run_read(count) == 1
    assert db.version_at_once() == before
    db.close()


def test_the_version_is_raised_with_a_change_that_counts_come_along_with(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path / 'm.db'}")

    async def both() -> None:
        await asyncio.gather(db.write_lightly(add, "000000000001"), db.write(add, "000000000002"))

    before = db.version_at_once()
    asyncio.run(both())
    assert db.version_at_once() != before
    db.close()
