"""Tokens of processes that share a bucket: together they let through no more than it gives, and what dies takes little along."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.auth.rates import LEASE_SECONDS, HeldTokens, RequestRates, TokensNeeded, most_held
from moorage.model.clock import to_micros
from moorage.model.errors import RateExceeded
from moorage.model.token_bucket import Rate, take, wait_micros
from tests.unit.hands import HandClock

NAME = "000000000000/us-east-1/ecr:PutImage"


class Shared:
    """The row that the processes lease from."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.full_at = 0
        self.leases = 0

    def admits(self, held: HeldTokens, rate: Rate) -> bool:
        """Whether a process lets a request through, with leases where it needs them."""
        for _ in range(3):
            try:
                held.spend(NAME, rate)
                return True
            except RateExceeded as refused:
                assert refused.retry_after_seconds >= 1
                return False
            except TokensNeeded:
                wanted, returned = held.ask(NAME, rate, 1)
                now = to_micros(self.clock())
                self.full_at, taken = take(self.full_at, rate, now, wanted, returned)
                self.leases += 1
                held.put(NAME, rate, taken, 0 if taken == wanted else wait_micros(self.full_at, rate, now))
        raise AssertionError("a lease that was just taken was of no use")


@given(
    st.builds(Rate, st.integers(1, 3_000), st.integers(1, 3_000)),
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 60), st.floats(-3, 3)), max_size=60),
)
def test_processes_let_through_what_the_bucket_gives(rate: Rate, steps: list[tuple[int, int, float]]) -> None:
    clock = HandClock()
    shared, processes = Shared(clock), [HeldTokens(clock) for _ in range(3)]
    admitted, moved_on = 0, 0.0
    for process, requests, step in steps:
        clock.now += step
        moved_on += max(0.0, step)
        admitted += sum(shared.admits(processes[process], rate) for _ in range(requests))
        assert admitted <= rate.burst + rate.per_second * moved_on + 0.01


@pytest.mark.parametrize("rate", [Rate(1, 20), Rate(10, 10), Rate(100, 5), Rate(500, 500), Rate(2000, 2000)])
def test_one_busy_process_has_the_whole_rate_for_few_leases(rate: Rate) -> None:
    clock = HandClock()
    shared, held = Shared(clock), HeldTokens(clock)
    seconds, every = 20, 0.001
    admitted = 0
    for _ in range(int(seconds / every)):
        clock.now += every
        admitted += sum(shared.admits(held, rate) for _ in range(3))
    assert admitted >= 0.95 * (rate.burst + rate.per_second * seconds)
    at_most = min(rate.per_second, max(21, 2 * rate.per_second // rate.burst + 1))  # a second
    assert shared.leases <= seconds * at_most + 30


def test_of_two_busy_processes_none_is_starved() -> None:
    clock, rate = HandClock(), Rate(100, 100)
    shared, processes = Shared(clock), [HeldTokens(clock), HeldTokens(clock)]
    admitted = [0, 0]
    for turn in range(20_000):
        clock.now += 0.001
        which = turn % 2
        admitted[which] += shared.admits(processes[which], rate)
    assert sum(admitted) >= 0.95 * (100 + 100 * 20)
    assert min(admitted) > 0.2 * sum(admitted)


def test_a_process_that_dies_takes_one_lease_along() -> None:
    clock, rate = HandClock(), Rate(10, 100)
    shared, dying, other = Shared(clock), HeldTokens(clock), HeldTokens(clock)
    spent = sum(shared.admits(dying, rate) for _ in range(20))
    assert spent == 20
    left = 0
    while shared.admits(other, rate):
        left += 1
    assert 100 - 20 - most_held(rate) <= left <= 80


def test_what_was_not_spent_goes_back() -> None:
    clock, rate = HandClock(), Rate(1, 80)
    shared, held = Shared(clock), HeldTokens(clock)
    assert shared.admits(held, rate)  # a lease of ten
    clock.now += LEASE_SECONDS
    admitted = 1
    while shared.admits(held, rate):
        admitted += 1
    assert admitted in {81, 82}


def test_a_clock_that_is_set_back_ends_leases_and_refusals() -> None:
    clock, rate = HandClock(), Rate(1, 2)
    shared, held = Shared(clock), HeldTokens(clock)
    assert [shared.admits(held, rate) for _ in range(3)] == [True, True, False]
    clock.now -= 3600
    assert not shared.admits(held, rate)
    clock.now += 1
    assert shared.admits(held, rate)


def test_threads_spend_each_token_once() -> None:
    clock, rate = HandClock(), Rate(1, 8_000)
    held = HeldTokens(clock)
    held.ask(NAME, rate, 1)
    held.put(NAME, rate, 4_000, 0)
    spent = [0] * 4

    def spend(which: int) -> None:
        for _ in range(2_000):
            try:
                held.spend(NAME, rate)
                spent[which] += 1
            except TokensNeeded:
                pass

    threads = [threading.Thread(target=spend, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(spent) == 4_000


def test_a_request_takes_one_token_however_often_it_is_authorised() -> None:
    clock, rate = HandClock(), Rate(1, 8)
    held = HeldTokens(clock)
    held.ask(NAME, rate, 1)
    held.put(NAME, rate, 1, 0)
    rates = RequestRates(held, {"ecr:PutImage": rate})
    assert rates.ticket(("000000000000", "us-east-1", "ecr:DeleteRepository")) is None
    ticket = rates.ticket(("000000000000", "us-east-1", "ecr:PutImage"))
    assert ticket is not None
    ticket.admit()
    ticket.admit()
    ticket.give_back()
    ticket.give_back()
    ticket.admit()
    other = rates.ticket(("000000000000", "us-east-1", "ecr:PutImage"))
    assert other is not None
    with pytest.raises(TokensNeeded):
        other.admit()
