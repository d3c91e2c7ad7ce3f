"""Counts of requests: taken once, put back, added up, and bounded whatever regions are signed for."""

from __future__ import annotations

from moorage.events.event import Asked, Event, Passed
from moorage.events.request_counts import OTHER, RequestCounts, merged, unpacked
from moorage.model.rates import RequestKey

KEY: RequestKey = ("000000000000", "us-east-1", "ecr:PutImage")


def pass_by(counts: RequestCounts, key: RequestKey = KEY, *, is_throttled: bool = False) -> None:
    event = Event(Asked("", key[0], key[2]), counted_as=key)
    event.is_throttled = is_throttled
    counts.add(event, Passed(1, 0))


def test_what_is_taken_stays_in_the_totals() -> None:
    usage = RequestCounts()
    pass_by(usage)
    pass_by(usage, is_throttled=True)
    assert usage.totals() == {KEY: (2, 1)}
    taken = usage.take()
    assert taken == {KEY: (2, 1)}
    assert usage.take() == {}
    pass_by(usage)
    assert usage.totals() == {KEY: (3, 1)}
    usage.put_back(taken)
    assert usage.totals() == {KEY: (3, 1)}
    assert usage.take() == {KEY: (3, 1)}


def test_what_another_process_counted_is_shown_and_not_written_again() -> None:
    before, usage = RequestCounts(), RequestCounts()
    pass_by(before)
    usage.go_on_from(before.packed())
    pass_by(usage)
    assert usage.take() == {KEY: (1, 0)}
    assert usage.totals() == {KEY: (2, 0)}
    assert merged((usage.totals(), unpacked(before.packed()))) == {KEY: (3, 0)}


def test_regions_of_any_name_take_bounded_room() -> None:
    usage = RequestCounts()
    for number in range(10_000):
        pass_by(usage, ("000000000000", f"aa-east-{number}", "ecr:PutImage"))
    totals = usage.totals()
    assert len(totals) < 5_000
    assert totals[OTHER, OTHER, OTHER][0] + len(totals) - 1 == 10_000
    assert len(usage.packed()) < 512 * 1024
