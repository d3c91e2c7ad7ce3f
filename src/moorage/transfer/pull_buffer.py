"""Pulls of manifests, counted in memory and written by and by, so that a pull is a read for the database.

The first pull of an image by somebody is written within a second, what they pull again and again within ten: that is what a
crash can lose of counts, never an image.
"""

from __future__ import annotations

from moorage.metadata.database import Database
from moorage.model.clock import Clock, to_micros
from moorage.model.principal import Caller
from moorage.operations.usage.pulls import record_pulls

_FLUSHES_APART = 10
"""Of what is pulled all the time: every how many flushes it is written."""
_BATCH = 500
"""Pulls that are written in one go: on SQLite everybody waits behind the writer."""

Puller = tuple[int, str]
"""An image's id, and that of the principal that pulls it."""


class PullBuffer:
    """Belongs to the event loop."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._pulls: dict[Puller, tuple[int, int]] = {}
        self._written: set[Puller] = set()
        self._flushes = 0

    def add(self, manifest_id: int, caller: Caller) -> None:
        """A manifest was pulled now."""
        key = manifest_id, caller.principal_id
        _, count = self._pulls.get(key, (0, 0))
        self._pulls[key] = (to_micros(self._clock()), count + 1)

    async def flush(self, *, everything: bool = False) -> None:
        """Write what has gathered, to be called every second; `everything` also of those whose last pulls were just written."""
        self._flushes += 1
        if everything or self._flushes % _FLUSHES_APART == 0:
            self._written.clear()
        due = {key: pulled for key, pulled in self._pulls.items() if key not in self._written}
        if not due:
            return
        self._pulls = {key: pulled for key, pulled in self._pulls.items() if key in self._written}
        self._written.update(due)
        entries = sorted(due.items())
        for begin in range(0, len(entries), _BATCH):
            await self._db.write_lightly(record_pulls, dict(entries[begin : begin + _BATCH]))
