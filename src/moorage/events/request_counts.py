"""How many requests were made, and how many of them were refused for their rate: by account, region and operation.

Source: CloudWatch, namespace ``AWS/Usage``: CallCount and ThrottleCount.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from moorage.events.event import Event, Passed
from moorage.model.rates import RequestKey

_MOST_KEYS = 4096
"""What is counted apart. An account can sign for regions of any name: the rest of them are counted together."""
OTHER = "other"

Counts = tuple[int, int]
"""Requests, and those of them that were throttled."""


class RequestCounts:
    """Counts of this process. Belongs to the event loop."""

    def __init__(self) -> None:
        self._new: dict[RequestKey, list[int]] = {}
        self._total: dict[RequestKey, list[int]] = {}

    def add(self, event: Event, passed: Passed) -> None:
        """Count requests of somebody who is known."""
        if event.counted_as is not None:
            entry = self._entry(self._new, event.counted_as)
            entry[0] += passed.count
            if event.is_throttled:
                entry[1] += passed.count

    def take(self) -> dict[RequestKey, Counts]:
        """What has gathered since the last time, which whoever takes it writes down."""
        new, self._new = self._new, {}
        for key, (calls, throttles) in new.items():
            total = self._entry(self._total, key)
            total[0] += calls
            total[1] += throttles
        return {key: (calls, throttles) for key, (calls, throttles) in new.items()}

    def put_back(self, counts: Mapping[RequestKey, Counts]) -> None:
        """What was taken could not be written: it is to be taken again."""
        for key, (calls, throttles) in counts.items():
            for kept, sign in ((self._new, 1), (self._total, -1)):
                entry = self._entry(kept, key)
                entry[0] += sign * calls
                entry[1] += sign * throttles

    def totals(self) -> dict[RequestKey, Counts]:
        """All that was counted since the beginning."""
        found = {key: (calls, throttles) for key, (calls, throttles) in self._total.items()}
        return merged((found, {key: (calls, throttles) for key, (calls, throttles) in self._new.items()}))

    def packed(self) -> bytes:
        """`totals`, for another process."""
        return msgspec.msgpack.encode([(*key, *counts) for key, counts in self.totals().items()])

    def go_on_from(self, packed: bytes) -> None:
        """Go on from what a process before this one had counted; that was its own to write down."""
        for key, (calls, throttles) in unpacked(packed).items():
            total = self._entry(self._total, key)
            total[0] += calls
            total[1] += throttles

    @staticmethod
    def _entry(kept: dict[RequestKey, list[int]], key: RequestKey) -> list[int]:
        found = kept.get(key)
        if found is None:
            if len(kept) >= _MOST_KEYS:
                key = (OTHER, OTHER, OTHER)
            found = kept.setdefault(key, [0, 0])
        return found


def unpacked(packed: bytes) -> dict[RequestKey, Counts]:
    """What `RequestCounts.packed` was made of."""
    rows = msgspec.msgpack.decode(packed, type=list[tuple[str, str, str, int, int]])
    return {(account, region, operation): (calls, throttles) for account, region, operation, calls, throttles in rows}


def merged(parts: Iterable[Mapping[RequestKey, Counts]]) -> dict[RequestKey, Counts]:
    """The sum of several counts."""
    total: dict[RequestKey, Counts] = {}
    for part in parts:
        for key, (calls, throttles) in part.items():
            have = total.get(key, (0, 0))
            total[key] = have[0] + calls, have[1] + throttles
    return total
