"""The one door of effects: whatever a request leaves behind beside its own work is taken from its record, here, once.

Alike requests share one event where an answer is remembered, so they are put together first: an event costs its sinks as much as
its kinds, not as its number.
"""

from __future__ import annotations

from collections.abc import Iterable

from moorage.events.event import Event, Passed
from moorage.events.record import FinishedRequest


def pass_through(finished: Iterable[FinishedRequest], epoch: float) -> None:
    """Hand the events of finished requests to their sinks.

    Args:
        epoch: when the clock of the records was 0, in seconds since the epoch.
    """
    counts: dict[Event, int] = {}
    ends: dict[Event, float] = {}
    for each in finished:
        event = each.event
        if event is not None and event.sinks:
            counts[event] = counts.get(event, 0) + 1
            ends[event] = each.ended
    for event, count in counts.items():
        passed = Passed(count, int((epoch + ends[event]) * 1_000_000))
        for sink in event.sinks:
            sink.add(event, passed)
