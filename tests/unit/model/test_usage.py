"""Counts of requests: taken once, put back, added up, and bounded whatever regions are signed for."""

from __future__ import annotations

from moorage.model.usage import OTHER, UsageCounts, merged, unpacked

KEY = ("000000000000", "us-east-1", "ecr:PutImage")


def test_what_is_taken_stays_in_the_totals() -> None:
    usage = UsageCounts()
    usage.count(KEY)
    usage.count(KEY)
    usage.throttled(KEY)
    assert usage.totals() == {KEY: (2, 1)}
    taken = usage.take()
    assert taken == {KEY: (2, 1)}
    assert usage.take() == {}
    usage.count(KEY)
    assert usage.totals() == {KEY: (3, 1)}
    usage.put_back(taken)
    assert usage.totals() == {KEY: (3, 1)}
    assert usage.take() == {KEY: (3, 1)}


def test_what_another_process_counted_is_shown_and_not_written_again() -> None:
    before, usage = UsageCounts(), UsageCounts()
    before.count(KEY)
    usage.add(before.packed())
    usage.count(KEY)
    assert usage.take() == {KEY: (1, 0)}
    assert usage.totals() == {KEY: (2, 0)}
    assert merged((usage.totals(), unpacked(before.packed()))) == {KEY: (3, 0)}


def test_regions_of_any_name_take_bounded_room() -> None:
    usage = UsageCounts()
    for number in range(10_000):
        usage.count(("000000000000", f"aa-east-{number}", "ecr:PutImage"))
    totals = usage.totals()
    assert len(totals) < 5_000
    assert totals[OTHER, OTHER, OTHER][0] + len(totals) - 1 == 10_000
    assert len(usage.packed()) < 512 * 1024
