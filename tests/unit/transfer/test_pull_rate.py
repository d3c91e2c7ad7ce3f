"""Token buckets by address, in a real database that two processes' worth of leases share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.auth.rates import HeldTokens
from moorage.metadata import migrate
from moorage.metadata.database import Database
from moorage.metadata.opening import open_database
from moorage.model.errors import RateExceeded
from moorage.model.token_bucket import Rate
from moorage.operations.usage.rates import forget_full_buckets
from moorage.transfer.pull_rate import PullRate
from moorage.transfer.token_leases import TokenLeases
from tests.unit.hands import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path, clock: HandClock) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'm.db'}" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    migrate.upgrade(url)
    opened = open_database(url, clock)
    yield opened
    opened.close()


def pull_rate(db: Database, clock: HandClock, rate: Rate | None) -> PullRate:
    """The pull rate as one process has it."""
    return PullRate(rate, TokenLeases(db, HeldTokens(clock), clock))


def pulls(rate: PullRate, address: str, most: int = 100) -> int:
    """How many are let through before one is refused."""

    async def count() -> int:
        for number in range(most):
            try:
                await rate.take(address)
            except RateExceeded:
                return number
        return most

    return asyncio.run(count())


def test_a_burst_and_then_the_rate(db: Database, clock: HandClock) -> None:
    rate = pull_rate(db, clock, Rate(2, 5))
    assert pulls(rate, "192.0.2.1") == 5
    assert pulls(rate, "192.0.2.2") == 5
    clock.now += 1
    assert pulls(rate, "192.0.2.1") == 2
    clock.now += 1000
    assert pulls(rate, "192.0.2.1") == 5


def test_two_processes_share_it(db: Database, clock: HandClock) -> None:
    first, second = (pull_rate(db, clock, Rate(1, 20)) for _ in range(2))
    assert pulls(first, "192.0.2.1", 10) == 10
    assert pulls(second, "192.0.2.1") + pulls(first, "192.0.2.1") == 10
    clock.now += 3
    assert pulls(second, "192.0.2.1") == 3
    assert pulls(first, "192.0.2.1") == 0


def test_it_says_when_to_come_again(db: Database, clock: HandClock) -> None:
    rate = pull_rate(db, clock, Rate(1, 1))

    async def come_again() -> None:
        await rate.take("192.0.2.1")
        with pytest.raises(RateExceeded) as refused:
            await rate.take("192.0.2.1")
        clock.now += refused.value.retry_after_seconds
        await rate.take("192.0.2.1")

    asyncio.run(come_again())


def test_refused_pulls_do_not_put_off_the_next(db: Database, clock: HandClock) -> None:
    rate = pull_rate(db, clock, Rate(1, 1))
    assert pulls(rate, "192.0.2.1") == 1
    for _ in range(9):
        clock.now += 0.1
        assert pulls(rate, "192.0.2.1") == 0
    clock.now += 0.2
    assert pulls(rate, "192.0.2.1") == 1


def test_many_at_once_share_leases(db: Database, clock: HandClock) -> None:
    rate = pull_rate(db, clock, Rate(1, 30))

    async def together() -> list[object]:
        return await asyncio.gather(*(rate.take("192.0.2.1") for _ in range(100)), return_exceptions=True)

    outcomes = asyncio.run(together())
    assert sum(outcome is None for outcome in outcomes) == 30
    assert all(outcome is None or isinstance(outcome, RateExceeded) for outcome in outcomes)


def test_no_rate_is_no_limit(db: Database, clock: HandClock) -> None:
    assert pulls(pull_rate(db, clock, None), "192.0.2.1") == 100


def test_a_clock_that_goes_back_takes_nothing_away(db: Database, clock: HandClock) -> None:
    rate = pull_rate(db, clock, Rate(1, 3))
    assert pulls(rate, "192.0.2.1", 1) == 1
    clock.now -= 3600
    clock.now += 3
    assert pulls(rate, "192.0.2.1", 10) in {0, 3}
    clock.now += 3
    assert pulls(rate, "192.0.2.1", 10) == 3


def test_buckets_that_are_full_are_forgotten(db: Database, clock: HandClock) -> None:
    rate = pull_rate(db, clock, Rate(1, 5))
    assert pulls(rate, "192.0.2.1", 3) == 3
    assert db.run_write(forget_full_buckets) == 0
    clock.now += 60
    assert db.run_write(forget_full_buckets) == 1


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("", "192.0.2.1", False),
        ("unknown", "unknown", True),
    ],
)
def test_what_counts_as_one_address(db: Database, clock: HandClock, first: str, second: str, is_same: bool) -> None:
    rate = pull_rate(db, clock, Rate(1, 4))
    assert pulls(rate, first) == 4
    assert pulls(rate, second) == (0 if is_same else 4)
