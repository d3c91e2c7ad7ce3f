"""Which of the jobs that are due a process takes.

A process runs so many at once. Of these slots bulk never has more than half, and small jobs never have the last one; what is free
goes to the small ones first. So a small job waits for small ones only, never for bulk to end; and bulk goes on in one slot at
least, however many small ones come. Within a lane kinds take turns: of a kind with very many waiting jobs not all run at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from moorage.model.jobs import Lane

Running = Counter[tuple[str, Lane]]
"""How many jobs run, by kind and lane."""


def lane_limit(lane: Lane, slots: int) -> int:
    """How many of a process's slots, of which there are two at least, a lane may have."""
    return slots - 1 if lane is Lane.SMALL else slots // 2


def room_of(lane: Lane, slots: int, running: Running) -> int:
    """How many more jobs may begin in a lane."""
    in_lane = sum(count for (_, of_lane), count in running.items() if of_lane is lane)
    return max(0, min(slots - running.total(), lane_limit(lane, slots) - in_lane))


def left_of(kind: str, running: Running, at_once: Mapping[str, int]) -> int:
    """How many more jobs of a kind may begin, as far as the kind is concerned."""
    return at_once[kind] - sum(running[kind, lane] for lane in Lane)


def shares(
    lane: Lane, kinds: Iterable[str], slots: int, running: Running, at_once: Mapping[str, int], turns: Mapping[str, int]
) -> dict[str, int]:
    """How many jobs of each kind to claim in a lane now.

    Args:
        kinds: those that are due in the lane and may be claimed.
        slots: of the process, free or not.
        at_once: how many of a kind run at most.
        turns: when a kind was last claimed, in any growing number: the one that has waited longest comes first.
    """
    room = room_of(lane, slots, running)
    left = {kind: left_of(kind, running, at_once) for kind in kinds}
    order = sorted((kind for kind, count in left.items() if count > 0), key=lambda kind: (turns.get(kind, 0), kind))
    found: dict[str, int] = {}
    while room > 0 and order:
        for kind in order[:room]:
            found[kind] = found.get(kind, 0) + 1
        room -= len(order[:room])
        order = [kind for kind in order if found.get(kind, 0) < left[kind]]
    return found
