"""A server on a PostgreSQL that tests may stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from moorage.testing.server import MoorageServer
from moorage.testing.servers import MortalPostgres, run_mortal_postgres
from tests.conftest import Pool

TIMEOUT_SECONDS = 2
"""database_timeout_seconds of the server."""
BACK_SECONDS = 3.0
"""An outage of ours ends so soon after that of the database."""


@pytest.fixture(scope="session")
def database(pool: Pool) -> MortalPostgres:
    """The PostgreSQL of these tests. Each test leaves it running."""
    found: MortalPostgres = pool.get("mortal postgres", run_mortal_postgres)
    return found


@pytest.fixture
def server(pool: Pool, database: MortalPostgres) -> Iterator[MoorageServer]:
    """A server on it, with its blobs in a folder."""

    def make() -> MoorageServer:
        environment = {"MOORAGE_DATABASE_TIMEOUT_SECONDS": str(TIMEOUT_SECONDS)}
        return MoorageServer(pool.folder / "outages", database_url=database.server.url("postgres"), environment=environment)

    shared: MoorageServer = pool.get("moorage outages", make)
    since = shared.log_size()
    yield shared
    database.resume()
    shared.require_clean_log(since)


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Ask again and again until it holds; return how long that took. Fails after `seconds`."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - begun
