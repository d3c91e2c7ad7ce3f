"""What an address may pull in a month, counted by two processes on one database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from moorage.metadata.database import Database
from moorage.metadata.opening import open_database
from moorage.model.errors import DataLimitExceeded
from moorage.operations.usage.anonymous_transfers import forget_old_months, sent_to
from moorage.transfer.anonymous_transfers import AnonymousTransfers
from tests.unit.hands import HandClock

ADDRESS = "192.0.2.1"
MONTH = "2026-11"


@pytest.fixture
def clock() -> HandClock:
    return HandClock(datetime(2026, 11, 26, tzinfo=UTC).timestamp())


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> Iterator[Database]:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'm.db'}" if is_sqlite else str(request.getfixturevalue("postgres_url"))
    opened = open_database(url, clock)
    yield opened
    opened.close()


def test_all_nodes_count_together(db: Database, clock: HandClock) -> None:
    one, other = (AnonymousTransfers(db, clock, 1000) for _ in range(2))

    async def steps() -> None:
        await one.check(ADDRESS)
        one.sent(ADDRESS, 600)
        await one.check(ADDRESS)
        await one.flush()
        await other.check(ADDRESS)
        other.sent(ADDRESS, 500)
        with pytest.raises(DataLimitExceeded, match="Data limit exceeded"):
            await other.check(ADDRESS)
        await other.check("192.0.2.2")
        await other.flush()
        await one.check(ADDRESS)  # what the other one sent is known within seconds
        clock.now += 10
        with pytest.raises(DataLimitExceeded) as refused:
            await one.check(ADDRESS)
        until = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
        assert refused.value.retry_after_seconds == int(until - clock.now) + 1
        clock.now = until + 1
        await one.check(ADDRESS)
        one.sent(ADDRESS, 10)
        await one.flush()
        await db.write_lightly(forget_old_months)

    asyncio.run(steps())
    assert db.run_read(sent_to, MONTH, ADDRESS) == 0
    assert db.run_read(sent_to, "2026-12", ADDRESS) == 10


def test_networks_of_ipv6_count_as_one(db: Database, clock: HandClock) -> None:
    transfers = AnonymousTransfers(db, clock, 10)
    transfers.sent("2001:db8::1", 10)

    async def check() -> None:
        with pytest.raises(DataLimitExceeded):
            await transfers.check("2001:db8::2")
        await transfers.check("2001:db8:0:1::1")

    asyncio.run(check())


def test_what_could_not_be_written_is_kept(tmp_path: Path, clock: HandClock) -> None:
    opened = open_database(f"sqlite:///{tmp_path / 'm.db'}", clock)
    transfers = AnonymousTransfers(opened, clock, 10)
    asyncio.run(transfers.check(ADDRESS))
    transfers.sent(ADDRESS, 10)
    opened.close()

    async def flush_and_check() -> None:
        with pytest.raises(Exception, match="shutting down"):
            await transfers.flush()
        with pytest.raises(DataLimitExceeded):
            await transfers.check(ADDRESS)

    asyncio.run(flush_and_check())


def test_bodies_are_counted_as_they_leave(tmp_path: Path, clock: HandClock) -> None:
    opened = open_database(f"sqlite:///{tmp_path / 'm.db'}", clock)
    transfers = AnonymousTransfers(opened, clock, 1000)
    left: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        left.append(message)

    async def steps() -> None:
        counted = transfers.counting(send, {"method": "GET"}, ADDRESS)
        await counted({"type": "http.response.start", "status": 200, "headers": []})
        await counted({"type": "http.response.body", "body": b"x" * 10, "more_body": True})
        await counted({"type": "http.response.body", "body": b"x" * 5})
        await transfers.flush()

    asyncio.run(steps())
    assert len(left) == 3
    assert opened.run_read(sent_to, MONTH, ADDRESS) == 15
    opened.close()
