"""A bucket never gives more than burst and rate allow, whatever the clock does, and is full again in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.model.errors import InvalidValue
from moorage.model.rates import parse_rate
from moorage.model.token_bucket import SKEW_MICROS, Rate, take, wait_micros

SECOND = 1_000_000
rates = st.builds(Rate, st.integers(1, 5_000), st.integers(1, 5_000))
forward = st.integers(0, 5 * SECOND)
anywhere = st.integers(-10 * SECOND, 10 * SECOND)


@given(rates, st.lists(st.tuples(anywhere, st.integers(1, 6_000)), max_size=40))
def test_never_more_than_burst_and_rate(rate: Rate, steps: list[tuple[int, int]]) -> None:
    now = start = 1_790_000_000 * SECOND
    full_at, given_out, moved_on = start, 0, 0
    for step, wanted in steps:
        now += step
        moved_on += max(0, step)
        full_at, taken = take(full_at, rate, now, wanted)
        assert 0 <= taken <= wanted
        given_out += taken
        assert given_out <= rate.burst + rate.per_second * (moved_on + 1) / SECOND


@given(rates, st.lists(st.tuples(forward, st.integers(1, 6_000), st.integers(0, 10)), max_size=40))
def test_what_goes_back_can_be_taken_again_and_no_more(rate: Rate, steps: list[tuple[int, int, int]]) -> None:
    now = start = 1_790_000_000 * SECOND
    full_at, held, spent = start, 0, 0
    for step, wanted, spend in steps:
        now += step
        full_at, taken = take(full_at, rate, now, wanted, returned=held)
        spent += min(spend, taken)
        held = taken - min(spend, taken)
        assert spent + held <= rate.burst + rate.per_second * (now - start + 1) / SECOND


@given(rates, st.integers(1, 6_000))
def test_it_is_full_after_its_span(rate: Rate, wanted: int) -> None:
    now = 1_790_000_000 * SECOND
    full_at, first = take(now, rate, now, wanted)
    assert first == min(wanted, rate.burst)
    _, again = take(full_at, rate, now + rate.span, rate.burst)
    assert again == rate.burst


@given(rates)
def test_after_the_wait_there_is_a_token(rate: Rate) -> None:
    now = 1_790_000_000 * SECOND
    full_at, _ = take(now, rate, now, rate.burst)
    full_at, none = take(full_at, rate, now, 1)
    assert none == 0
    wait = wait_micros(full_at, rate, now)
    assert 0 < wait <= SECOND // rate.per_second + 2
    assert take(full_at, rate, now + wait, 1)[1] == 1


@given(rates, st.integers(0, SKEW_MICROS))
def test_clocks_that_differ_give_no_more_than_the_difference(rate: Rate, skew: int) -> None:
    now = 1_790_000_000 * SECOND
    full_at, given_out = now, 0
    for turn in range(40):
        full_at, taken = take(full_at, rate, now + turn * 1_000 + (skew if turn % 2 else 0), rate.burst)
        given_out += taken
    assert given_out <= rate.burst + rate.per_second * (skew + 40_001) / SECOND


def test_a_clock_that_was_an_hour_ahead_is_got_over() -> None:
    rate, now = Rate(10, 10), 1_790_000_000 * SECOND
    full_at, _ = take(now, rate, now + 3600 * SECOND, 10)
    full_at, taken = take(full_at, rate, now, 1)
    assert taken == 0
    assert take(full_at, rate, now + SECOND, 100)[1] == 10


def test_rates_as_settings_have_them() -> None:
    assert parse_rate("10") == Rate(10, 10)
    assert parse_rate("10/50") == Rate(10, 50)
    assert parse_rate("0") is None
    for text in ("", "x", "-1", "1/", "/1", "1/0", "1.5", "1000001", "10/10/10", "٣"):
        with pytest.raises(InvalidValue):
            parse_rate(text)
