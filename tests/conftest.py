"""Fixtures for every suite. Servers start when the first test asks for them and serve the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moorage.testing.servers import PostgresServer, S3Server, run_postgres, run_s3


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL."""
    with run_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A fresh database on it."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """A real S3 server."""
    with run_s3() as server:
        yield server
