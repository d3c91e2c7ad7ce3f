"""A queue on either database, and jobs of the tests' own."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from moorage.jobs.job_kinds import GoOn, Kind, Registry
from moorage.jobs.lease import Work
from moorage.jobs.runner import Runner
from moorage.metadata import migrate
from moorage.metadata.database import Database
from moorage.metadata.jobs import administration
from moorage.metadata.jobs.enqueueing import enqueue
from moorage.metadata.jobs.records import JobRow
from moorage.metadata.opening import open_database
from moorage.model.jobs import Lane
from moorage.testing import servers
from tests.conftest import Pool
from tests.crash import databases
from tests.integration.jobs.payloads import Number

PATIENCE_SECONDS = 30.0


class Fault(Exception):
    """What a handler of the tests fails with."""


@contextmanager
def migrated(url: str) -> Iterator[str]:
    """A database with the schema and nothing in it, to be copied: making the schema takes longer than most of these tests."""
    migrate.upgrade(url)
    yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path, pool: Pool) -> Iterator[str]:
    if request.param == "sqlite":
        template = pool.get("empty sqlite", lambda: migrated(f"sqlite:///{pool.folder / 'empty.db'}"))
        shutil.copyfile(template.removeprefix("sqlite:///"), tmp_path / "m.db")
        yield f"sqlite:///{tmp_path / 'm.db'}"
        return
    template = pool.get("empty postgresql", lambda: migrated(new_database(pool)))
    copy = databases.cloned(template)
    yield copy
    databases.drop(copy)


def new_database(pool: Pool) -> str:
    """A database that lives as long as the session."""
    server = pool.get("postgres", servers.run_postgres)
    return str(pool.get("database to copy", server.database))


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


def add(
    db: Database, kind: str = "a", number: int = 0, *, key: str | None = None, delay: float = 0.0, lane: Lane = Lane.SMALL
) -> int:
    """Enqueue a job in a transaction of its own."""
    return db.run_write(enqueue, kind, Number(number), unique_key=key, delay_seconds=delay, lane=lane)


def jobs_in(db: Database) -> list[JobRow]:
    """All jobs that there are."""
    return db.run_read(administration.list_page, count=1000)


def kind(name: str, handler: Callable[[Work, Number], Awaitable[GoOn | None]], **limits: Any) -> Kind[Number]:
    """A kind of the tests, quick to try again."""
    return Kind(name, Number, handler, **{"pause_seconds": 0.01, "longest_pause_seconds": 0.02, **limits})


@asynccontextmanager
async def running(db: Database, *kinds: Kind[Any], **options: Any) -> AsyncIterator[Runner]:
    """A runner that looks often, as long as the context is open."""
    runner = Runner(db, Registry(kinds), options.pop("node", "test"), **{"poll_seconds": 0.1, **options})
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        runner.stop()
        await task


async def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something that a task brings about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        await asyncio.sleep(0.005)


async def until_empty(db: Database, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until no job is left."""
    await until(lambda: not jobs_in(db), seconds)
