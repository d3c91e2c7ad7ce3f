"""Pulls of manifests, counted in memory and written once a second, so that a pull is a read for the database.

What a crash can lose is one second of counts, never an image.
"""

from __future__ import annotations

from moorage.metadata.database import Database
from moorage.model.clock import Clock, to_micros
from moorage.model.principal import Caller
from moorage.operations.garbage import record_pulls


class PullBuffer:
    """Belongs to the event loop."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._pulls: dict[tuple[int, str], tuple[int, int]] = {}

    def add(self, manifest_id: int, caller: Caller) -> None:
        """A manifest was pulled now."""
        key = manifest_id, caller.principal_id
        _, count = self._pulls.get(key, (0, 0))
        self._pulls[key] = (to_micros(self._clock()), count + 1)

    async def flush(self) -> None:
        """Write what has gathered."""
        if self._pulls:
            gathered, self._pulls = self._pulls, {}
            await self._db.write(record_pulls, gathered)
