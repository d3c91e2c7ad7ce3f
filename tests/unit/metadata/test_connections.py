"""Connections to PostgreSQL: lost, busy, slow, and never more than there may be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from moorage.metadata.database import DatabaseUnavailable
from moorage.metadata.opening import open_database
from moorage.metadata.postgresql import PostgresDatabase
from moorage.metadata.registry import registries
from moorage.metadata.transaction import ReadTransaction, Transaction

SECONDS = 1.0
CONNECTIONS = 3
_PATIENCE_SECONDS = 20.0
ACCOUNT = "000000000001"


@pytest.fixture
def db(postgres_url: str) -> Iterator[PostgresDatabase]:
    open_database(postgres_url).close()
    opened = PostgresDatabase(postgres_url, time.time, CONNECTIONS, SECONDS)
    yield opened
    opened.close()


def execute(tx: ReadTransaction, sql: str) -> list[Any]:
    """SQL that no use case has."""
    return tx._connection.execute(sql).fetchall()


def pid(tx: ReadTransaction) -> int:
    return int(execute(tx, "SELECT pg_backend_pid()")[0][0])


def end(url: str, process: int) -> None:
    """End a connection under whoever has it, and come back when it has ended."""
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (process,))


def test_a_statement_that_is_slow_is_left_alone(db: PostgresDatabase) -> None:
    assert len(db.run_read(execute, f"SELECT pg_sleep({3 * SECONDS})")) == 1


def test_a_connection_is_lost_within_a_transaction(db: PostgresDatabase, postgres_url: str) -> None:
    """Nothing of it has happened, so it runs again."""
    runs: list[int] = []

    def work(tx: Transaction) -> bool:
        added = registries.insert_account(tx, ACCOUNT, "x")
        runs.append(pid(tx))
        if len(runs) == 1:
            end(postgres_url, runs[0])
        pid(tx)
        return added

    assert db.run_write(work)
    assert len(set(runs)) == 2
    assert db.run_read(registries.account_exists, ACCOUNT)


def test_a_connection_is_lost_while_it_commits(db: PostgresDatabase, postgres_url: str) -> None:
    """Nobody knows whether it has happened, so it does not run again by itself."""
    slow = """
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON accounts DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION slow();
    """
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute(slow.encode())
    runs: list[int] = []

    def work(tx: Transaction) -> None:
        registries.insert_account(tx, ACCOUNT, "x")
        runs.append(pid(tx))

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(db.run_write, work)
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
        wait_for(lambda: scalar(postgres_url, asked) == 1)
        end(postgres_url, runs[0])
        with pytest.raises(DatabaseUnavailable, match="may have written"):
            writing.result()
    assert len(runs) == 1
    assert not db.run_read(registries.account_exists, ACCOUNT)


def test_all_connections_are_lost_while_nobody_uses_them(db: PostgresDatabase, postgres_url: str) -> None:
    barrier = threading.Barrier(CONNECTIONS)

    def together(tx: ReadTransaction) -> int:
        found = pid(tx)
        barrier.wait(_PATIENCE_SECONDS)
        return found

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        pids = list(pool.map(lambda _: db.run_read(together), range(CONNECTIONS)))
        assert len(set(pids)) == CONNECTIONS
        for each in pids:
            end(postgres_url, each)
        assert set(pool.map(lambda _: db.run_read(pid), range(20))).isdisjoint(pids)


def test_never_more_connections_than_there_may_be(db: PostgresDatabase, postgres_url: str) -> None:
    most = 0

    def work(_: int) -> None:
        nonlocal most
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'moorage'"
        most = max(most, db.run_read(lambda tx: int(execute(tx, asked)[0][0])))

    db.ask(SECONDS)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(200)))
    assert most <= CONNECTIONS + 1


def test_who_finds_all_connections_busy_waits_so_long_and_no_longer(db: PostgresDatabase) -> None:
    go, begun = threading.Event(), threading.Barrier(CONNECTIONS + 1)

    def hold(_: ReadTransaction) -> None:
        begun.wait(_PATIENCE_SECONDS)
        go.wait(_PATIENCE_SECONDS)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        held = [pool.submit(db.run_read, hold) for _ in range(CONNECTIONS)]
        begun.wait(_PATIENCE_SECONDS)
        refused(lambda: db.run_read(pid), "busy")
        db.ask(SECONDS)  # which needs none of them
        go.set()
        for each in held:
            each.result()
    assert db.run_read(pid)


def test_who_waits_for_somebody_elses_lock_waits_so_long_and_no_longer(db: PostgresDatabase, postgres_url: str) -> None:
    db.run_write(registries.insert_account, ACCOUNT, "x")
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT 1 FROM accounts FOR UPDATE")
        refused(lambda: db.run_write(lambda tx: execute(tx, "SELECT 1 FROM accounts FOR UPDATE")), "holds")


def test_nobody_to_connect_to(tmp_path: Any) -> None:
    db = PostgresDatabase(f"postgresql://postgres@/none?host={tmp_path}", time.time, CONNECTIONS, SECONDS)
    try:
        refused(lambda: db.run_read(pid), "does not answer")
    finally:
        db.close()


def refused(call: Callable[[], Any], why: str) -> None:
    begun = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match=why):
        call()
    assert SECONDS * 0.9 <= time.monotonic() - begun < SECONDS + 2


def scalar(url: str, sql: str) -> Any:
    with psycopg.connect(url) as connection:
        row = connection.execute(sql.encode()).fetchone()
    return row[0] if row else None


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
