"""PostgreSQL and S3 as they are before they are set up: one line for what cannot be, a warning for what will fail."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from moorage.metadata import migrate
from moorage.testing.server import MoorageServer
from moorage.testing.servers import PostgresServer, S3Server

KEY = {"MOORAGE_ROOT_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}


@pytest.fixture
def role(postgres_server: PostgresServer) -> Iterator[str]:
    """A role that may log in and nothing else."""
    name = f"role_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
    yield name


def as_role(url: str, role: str) -> str:
    return url.replace("postgres@", f"{role}@")


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def one_line(server: MoorageServer, *command: str) -> str:
    """What a command that cannot do anything says."""
    done = server.run(*command, check=False)
    assert (done.returncode, done.stdout) == (253, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("moorage: ")
    return line


def test_a_role_that_may_not_create_tables(tmp_path: Path, postgres_url: str, role: str) -> None:
    execute(postgres_url, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    server = MoorageServer(tmp_path / "data", database_url=as_role(postgres_url, role), environment=KEY)
    line = one_line(server, "serve", "--listen", "127.0.0.1:0")
    assert "the role of database_url lacks a right (permission denied for schema public)" in line
    assert "grant it CREATE and USAGE" in line
    assert migrate.current(postgres_url) is None
    execute(postgres_url, f"GRANT CREATE, USAGE ON SCHEMA public TO {role}")
    with server:
        assert server.client().describe_repositories()["repositories"] == []


def test_a_role_without_rights_on_the_tables(tmp_path: Path, postgres_url: str, role: str) -> None:
    migrate.upgrade(postgres_url)
    server = MoorageServer(tmp_path / "data", database_url=as_role(postgres_url, role), environment=KEY)
    for command in (("serve", "--listen", "127.0.0.1:0"), ("doctor",), ("account", "list")):
        assert "lacks a right (permission denied for table alembic_version)" in one_line(server, *command)
    execute(postgres_url, f"GRANT SELECT ON alembic_version TO {role}")
    assert "lacks a right (permission denied for table installation)" in one_line(server, "account", "list")


def test_a_database_that_is_read_only(tmp_path: Path, postgres_url: str) -> None:
    server = MoorageServer(tmp_path / "data", database_url=postgres_url, environment=KEY)
    with psycopg.connect(postgres_url) as connection:
        name = connection.info.dbname
    execute(postgres_url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    assert "the database is read-only" in one_line(server, "serve", "--listen", "127.0.0.1:0")
    execute(
        postgres_url, "SET default_transaction_read_only = off", f'ALTER DATABASE "{name}" RESET default_transaction_read_only'
    )
    with server:
        pass
    execute(postgres_url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    assert "the database is read-only" in one_line(server, "serve", "--listen", "127.0.0.1:0")
    assert "the database is read-only" in one_line(server, "account", "create", "x")
    assert server.run("account", "list").stdout.startswith("000000000000")


def test_another_encoding(tmp_path: Path, postgres_server: PostgresServer) -> None:
    name = f"latin_{secrets.token_hex(4)}"
    admin = postgres_server.url("postgres")
    execute(admin, f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        server = MoorageServer(tmp_path / "data", database_url=postgres_server.url(name), environment=KEY)
        for command in (("serve", "--listen", "127.0.0.1:0"), ("doctor",)):
            assert "the database has the encoding LATIN1, and names need UTF8" in one_line(server, *command)
    finally:
        execute(admin, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE TABLE accounts (name text)", "holds something of another program"),
        ("CREATE TABLE alembic_version AS SELECT 'f00ba4' AS version_num", "belongs to another program"),
        ("CREATE TABLE alembic_version AS SELECT '9999' AS version_num", "start the newer version that wrote it"),
    ],
)
def test_a_database_of_somebody_else(tmp_path: Path, postgres_url: str, statement: str, said: str) -> None:
    execute(postgres_url, statement)
    server = MoorageServer(tmp_path / "data", database_url=postgres_url, environment=KEY)
    assert said in one_line(server, "serve", "--listen", "127.0.0.1:0")


def test_a_database_that_there_is_not(tmp_path: Path, postgres_server: PostgresServer) -> None:
    server = MoorageServer(tmp_path / "data", database_url=postgres_server.url("nowhere"), environment=KEY)
    assert 'database "nowhere" does not exist' in one_line(server, "serve", "--listen", "127.0.0.1:0")


# The store. A server starts without it, since what is in the database can be served and the store may come back.

Change = Callable[[S3Server], tuple[str, dict[str, str]]]


def wrong_secret(s3: S3Server) -> tuple[str, dict[str, str]]:
    return s3.url("probe"), {"MOORAGE_BLOB_STORE_SECRET_ACCESS_KEY": "another-secret"}


def missing_bucket(s3: S3Server) -> tuple[str, dict[str, str]]:
    """Named with the key that may not write: with the other one this server makes buckets that it does not have."""
    return s3.url("probe").replace(f"s3://{s3.bucket}/", "s3://no-such-bucket/"), read_only_key(s3)[1]


def read_only_key(s3: S3Server) -> tuple[str, dict[str, str]]:
    reader = {"MOORAGE_BLOB_STORE_ACCESS_KEY_ID": s3.reader_key_id, "MOORAGE_BLOB_STORE_SECRET_ACCESS_KEY": s3.secret_access_key}
    return s3.url("probe"), reader


def away(s3: S3Server) -> tuple[str, dict[str, str]]:
    return s3.url("probe").replace(s3.endpoint, "http://127.0.0.1:9") + "&retry_seconds=2", {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (wrong_secret, "neither written nor read, so pushes and pulls will fail: the S3 service says SignatureDoesNotMatch: "),
        (missing_bucket, "so pushes "),
        (read_only_key, "it cannot be written, so pushes will fail and pulls go on: the S3 service says AccessDenied: "),
        (away, "neither written nor read, so pushes and pulls will fail: "),
    ],
)
def test_a_store_that_will_fail(tmp_path: Path, s3_server: S3Server, change: Change, said: str) -> None:
    url, environment = change(s3_server)
    keys = {
        "MOORAGE_BLOB_STORE_ACCESS_KEY_ID": s3_server.access_key_id,
        "MOORAGE_BLOB_STORE_SECRET_ACCESS_KEY": s3_server.secret_access_key,
    }
    server = MoorageServer(tmp_path / "data", blob_store_url=url, environment=keys | environment)
    with contextlib.ExitStack() as stack:
        stack.callback(server.kill)
        server.begin()
        deadline = time.monotonic() + 60
        while "WARNING moorage.server: the blob store: " not in server.log:
            assert time.monotonic() < deadline, server.log
            time.sleep(0.05)
        assert said in server.log
        ecr = server.client()
        stack.callback(server.close_clients)
        ecr.create_repository(repositoryName="app")
    server.require_clean_log()
    done = server.run("doctor", "--output", "json", check=False)
    assert done.returncode == 1
    errors = [found["text"] for found in json.loads(done.stdout) if found["level"] == "error"]
    assert len(errors) == 1
    assert said in errors[0]
    assert "\n" not in errors[0]
    assert len(errors[0]) < 400
