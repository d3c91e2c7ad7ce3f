"""Pulls of manifests, counted in memory and written by and by, so that a pull is a read for the database.

The first pull of an image by somebody is written within a second, what they pull again and again within ten: that is what a
crash can lose. A write that fails loses nothing: lifecycle rules decide by the time of the last pull.
"""

from __future__ import annotations

from collections.abc import Mapping

from moorage.events.event import Event, Passed

_FLUSHES_APART = 10
"""Of what is pulled all the time: every how many times it is taken."""

Puller = tuple[int, str]
"""An image's id, and that of the principal that pulls it."""


class PullBuffer:
    """Pulls that are not written yet: when the last one was (microseconds), and how many. Belongs to the event loop."""

    def __init__(self) -> None:
        self._pulls: dict[Puller, tuple[int, int]] = {}
        self._written: set[Puller] = set()
        self._takes = 0

    def add(self, event: Event, passed: Passed) -> None:
        """Count the manifests that were pulled."""
        for manifest_id in event.manifests:
            self._add((manifest_id, event.principal_id), passed.last_at, passed.count)

    def take(self, *, everything: bool = False) -> dict[Puller, tuple[int, int]]:
        """What is due, which whoever takes it writes; to be called every second. `everything`: also of those whose last pulls
        were just written."""
        self._takes += 1
        if everything or self._takes % _FLUSHES_APART == 0:
            self._written.clear()
        due = {key: pulled for key, pulled in self._pulls.items() if key not in self._written}
        if due:
            self._pulls = {key: pulled for key, pulled in self._pulls.items() if key in self._written}
            self._written.update(due)
        return due

    def put_back(self, pulls: Mapping[Puller, tuple[int, int]]) -> None:
        """What was taken could not be written: it is to be taken again, the next time."""
        for key, (at, count) in pulls.items():
            self._written.discard(key)
            self._add(key, at, count)

    def _add(self, key: Puller, at: int, count: int) -> None:
        last_at, counted = self._pulls.get(key, (0, 0))
        self._pulls[key] = max(at, last_at), counted + count
