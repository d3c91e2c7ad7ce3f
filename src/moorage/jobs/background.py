"""The background of a node: what it has counted is written, periodic jobs are enqueued, jobs are run."""

from __future__ import annotations

import asyncio
import os
import socket

from moorage.jobs.flusher import Flusher
from moorage.jobs.job_kinds import Registry
from moorage.jobs.periodic import Schedule
from moorage.jobs.runner import Runner
from moorage.metadata.database import Database, DatabaseUnavailable
from moorage.metadata.jobs import administration
from moorage.model.jobs import KindLoad

_LOADS_SECONDS = 1.0
"""Whoever collects metrics has the others of them even if the database hangs."""


class Background:
    """Belongs to the event loop that it is started on."""

    def __init__(self, db: Database, registry: Registry, flusher: Flusher) -> None:
        self._flusher = flusher
        self._runner = Runner(db, registry, f"{socket.gethostname()}:{os.getpid()}")
        self._schedule = Schedule(db, registry.periodic)
        self._db, self._kinds = db, registry.kinds
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        running = (self._flusher.run(), self._runner.run(), self._schedule.run())
        self._tasks = [asyncio.create_task(each) for each in running]

    def end(self) -> None:
        """The process is about to stop: no further job begins, those that run come to an end or are given back."""
        self._schedule.stop()
        self._runner.stop()

    async def loads(self) -> list[KindLoad] | None:
        """What waits and has failed, of all nodes, by kind; those known here are all there. None: the database does not say."""
        try:
            found = await asyncio.wait_for(self._db.read(administration.loads), _LOADS_SECONDS)
        except (DatabaseUnavailable, TimeoutError):
            return None
        idle = (KindLoad(name, 0, 0.0, 0) for name in self._kinds.keys() - {load.kind for load in found})
        return sorted((*found, *idle), key=lambda load: load.kind)

    async def stop(self) -> None:
        """Wait for that a bounded time, and write what is counted."""
        self.end()
        self._flusher.stop()
        for task in self._tasks:
            await task
