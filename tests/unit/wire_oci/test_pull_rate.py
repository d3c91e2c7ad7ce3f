"""Token buckets by address."""

from __future__ import annotations

import pytest

from moorage.model.errors import RateExceeded
from moorage.wire.oci.pull_rate import PullRate


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def pulls(rate: PullRate, address: str, most: int = 100) -> int:
    """How many are let through before one is refused."""
    for count in range(most):
        try:
            rate.take(address)
        except RateExceeded:
            return count
    return most


def test_a_burst_and_then_the_rate() -> None:
    time = Time()
    rate = PullRate(2, 5, time)
    assert pulls(rate, "192.0.2.1") == 5
    assert pulls(rate, "192.0.2.2") == 5
    time.now += 1
    assert pulls(rate, "192.0.2.1") == 2
    time.now += 1000
    assert pulls(rate, "192.0.2.1") == 5


def test_it_says_when_to_come_again() -> None:
    time = Time()
    rate = PullRate(1, 1, time)
    rate.take("192.0.2.1")
    with pytest.raises(RateExceeded) as refused:
        rate.take("192.0.2.1")
    time.now += refused.value.retry_after_seconds
    rate.take("192.0.2.1")


def test_refused_pulls_do_not_put_off_the_next() -> None:
    time = Time()
    rate = PullRate(1, 1, time)
    rate.take("192.0.2.1")
    for _ in range(9):
        time.now += 0.1
        assert pulls(rate, "192.0.2.1") == 0
    time.now += 0.2
    assert pulls(rate, "192.0.2.1") == 1


def test_no_rate_is_no_limit() -> None:
    assert pulls(PullRate(0, 0, Time()), "192.0.2.1") == 100


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    time = Time()
    rate = PullRate(1, 3, time)
    rate.take("192.0.2.1")
    time.now -= 3600
    assert pulls(rate, "192.0.2.1") == 2


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
def test_what_counts_as_one_address(first: str, second: str, is_same: bool) -> None:
    rate = PullRate(1, 4, Time())
    assert pulls(rate, first) == 4
    assert pulls(rate, second) == (0 if is_same else 4)
