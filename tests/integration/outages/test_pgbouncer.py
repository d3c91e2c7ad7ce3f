"""Behind PgBouncer in transaction mode: no session has anything of its own, so each transaction may run on any connection."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from moorage.metadata.opening import open_database
from moorage.metadata.statements import Statement
from moorage.metadata.tables.registries import accounts
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.testing.builders import image
from moorage.testing.server import MoorageServer
from moorage.testing.servers import PostgresServer, S3Server, run_pgbouncer
from tests import clients
from tests.integration.iam.documents import ADMINISTRATOR, POLICY

pytestmark = pytest.mark.pgbouncer
USERS = 12
"""Callers at the same time: more than connections to PostgreSQL, of either server."""


@pytest.fixture
def pooler(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    with run_pgbouncer(clients.program("pgbouncer"), postgres_server) as running:
        yield running


@pytest.fixture
def url(postgres_server: PostgresServer, pooler: PostgresServer) -> Iterator[str]:
    """A fresh database, reached through the pooler."""
    with postgres_server.database() as direct:
        yield pooler.url(direct.partition("@/")[2].partition("?")[0])


def test_everything_works_behind_it(url: str, s3_server: S3Server, tmp_path: Path) -> None:
    """Migration, pushes, pulls, IAM and commands, by two nodes."""
    shared: dict[str, Any] = {"database_url": url, "blob_store_url": s3_server.url("pooled")}
    one = MoorageServer(tmp_path / "one", environment=s3_server.environment, **shared)
    key = {"MOORAGE_ROOT_KEY_FILE": str(one.data / "root.key")}
    with one, MoorageServer(tmp_path / "two", environment={**s3_server.environment, **key}, **shared) as two:
        ecr = one.client()
        ecr.create_repository(repositoryName="behind/pooler")

        def work(number: int) -> None:
            node = (one, two)[number % 2]
            iam, built = node.client("iam"), image(number)
            with node.registry() as registry:
                for turn in range(4):
                    registry.push_image("behind/pooler", built, f"t{number}-{turn}")
                    registry.require_image("behind/pooler", built, f"t{number}-{turn}")
            name = f"user-{number}"
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=POLICY)
            iam.attach_user_policy(UserName=name, PolicyArn=ADMINISTRATOR)
            assert len(iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]) == 1

        for node in (one, two):  # made before they are shared
            node.client(), node.client("iam")
        with ThreadPoolExecutor(USERS) as pool:
            list(pool.map(work, range(USERS)))
        assert len(ecr.describe_images(repositoryName="behind/pooler", maxResults=100)["imageDetails"]) == USERS
        assert one.run("fsck").stdout.strip().endswith("no faults")
        one.restart()
        assert len(one.client("iam").list_users()["Users"]) == USERS
        for node in (one, two):
            node.require_clean_log()


NAME = Statement(lambda _: accounts.select().where(accounts.c.id == "000000000001"))


def test_it_is_found_out(url: str, postgres_server: PostgresServer) -> None:
    """Statements are prepared where sessions are ours, and not behind a pooler; nothing stays in a session."""

    def prepared(tx: ReadTransaction) -> int:
        for _ in range(5):
            tx.all(NAME)
        rows = tx._connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchall()
        return int(rows[0][0])

    def timeout(tx: Transaction) -> str:
        return str(tx._connection.execute("SHOW lock_timeout").fetchall()[0][0])

    direct = postgres_server.url(url.partition("@/")[2].partition("?")[0])
    for address, expected in ((url, 0), (direct, 1)):
        db = open_database(address)
        try:
            assert (db.run_read(prepared) > 0) == bool(expected)
            assert db.run_write(timeout) == "5s"
        finally:
            db.close()
        with psycopg.connect(address) as connection:
            assert connection.execute("SHOW lock_timeout").fetchone() == ("0",)
