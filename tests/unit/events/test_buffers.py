"""What waits to be written: counted once, taken once, and back where it was if it could not be written."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from moorage.events.activity import Activity
from moorage.events.door import pass_through
from moorage.events.event import Asked, Event, Passed
from moorage.events.pulls import PullBuffer
from moorage.events.record import FinishedRequest
from moorage.events.request_counts import RequestCounts

ASKED = Asked("arn:aws:iam::000000000000:user/a", "000000000000", "ecr:BatchGetImage")
KEY = ("000000000000", "us-east-1", "ecr:BatchGetImage")


def pull(manifest_id: int, principal: str) -> Event:
    event = Event(ASKED, principal)
    event.manifests.append(manifest_id)
    return event


steps = st.lists(
    st.one_of(
        st.tuples(st.just("pull"), st.integers(1, 3), st.sampled_from("AB")),
        st.tuples(st.just("write"), st.booleans(), st.booleans()),
    ),
    max_size=60,
)


@given(steps)
def test_pulls_are_written_once_whatever_fails(script: list[tuple[str, int, str]]) -> None:
    buffer, written, sent, latest, at = PullBuffer(), Counter[tuple[int, str]](), Counter[tuple[int, str]](), {}, 0
    last_written: dict[tuple[int, str], int] = {}
    for what, first, second in [*script, ("write", 1, "all")]:
        if what == "pull":
            at += 1
            buffer.add(pull(first, second), Passed(1, at))
            sent[first, second] += 1
            latest[first, second] = at
            continue
        taken = buffer.take(everything=bool(second))
        if not first:
            buffer.put_back(taken)
            continue
        for key, (time, count) in taken.items():
            written[key] += count
            last_written[key] = max(last_written.get(key, 0), time)
    assert written == sent
    assert last_written == latest


def test_activity_that_was_not_written_is_taken_again() -> None:
    activity = Activity()
    event = Event(ASKED, "AIDAEXAMPLE", "AKIAEXAMPLE")
    event.allow("ecr:BatchGetImage", "*", "us-east-1")
    event.allow("ecr:BatchGetImage", "*", "us-east-1")  # asked twice is used once
    activity.add(event, Passed(1, 10))
    uses, keys = activity.take_uses(), activity.take_keys()
    activity.add(event, Passed(2, 20))
    activity.put_back_uses(uses)
    activity.put_back_keys(keys)
    again = activity.take_uses()["AIDAEXAMPLE", "ecr:BatchGetImage", "*"]
    assert (again.first_at, again.last_at, again.uses) == (10, 20, 3)
    assert activity.take_keys()["AKIAEXAMPLE"].at == 20
    assert not activity.take_uses()


def test_activity_stays_bounded_while_nothing_can_be_written() -> None:
    activity = Activity()
    for round_ in range(3):
        taken = activity.take_uses()
        event = Event(ASKED, f"AIDA{round_}")
        for number in range(30_000):
            event.allow("ecr:BatchGetImage", f"arn:{number}", "us-east-1")
        activity.add(event, Passed(1, 10))
        activity.put_back_uses(taken)
    assert len(activity.take_uses()) == 50_000


def test_what_is_denied_is_no_use() -> None:
    activity, event = Activity(), Event(ASKED, "AIDAEXAMPLE", "AKIAEXAMPLE")
    event.deny("ecr:BatchGetImage", "*", "no identity-based policy allows it")
    activity.add(event, Passed(1, 10))
    assert not activity.take_uses()
    assert not activity.take_keys()


def test_a_shared_event_passes_the_door_as_often_as_it_was_answered() -> None:
    counts, pulls = RequestCounts(), PullBuffer()
    shared = Event(ASKED, "AIDAEXAMPLE", "", KEY, (counts, pulls))
    shared.manifests.append(7)
    other = Event(ASKED, "AIDAEXAMPLE", "", KEY, (counts,))

    def finished(event: Event | None, ended: float) -> FinishedRequest:
        return FinishedRequest("GET", b"/", 200, 0, 0, True, None, b"", event, ended - 0.001, ended, b"")

    pass_through([finished(shared, 1.0), finished(None, 1.5), finished(other, 2.0), finished(shared, 3.0)], 100.0)
    assert counts.take() == {KEY: (3, 0)}
    assert pulls.take() == {(7, "AIDAEXAMPLE"): (103_000_000, 2)}
