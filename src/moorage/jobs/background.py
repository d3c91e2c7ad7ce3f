"""The background of a node: what it has counted is written, periodic jobs are enqueued, jobs are run."""

from __future__ import annotations

import asyncio
import os
import socket

from moorage.jobs.flusher import Flusher
from moorage.jobs.periodic import Schedule
from moorage.jobs.registry import Registry
from moorage.jobs.runner import Runner
from moorage.metadata.database import Database


class Background:
    """Belongs to the event loop that it is started on."""

    def __init__(self, db: Database, registry: Registry, flusher: Flusher) -> None:
        self._flusher = flusher
        self._runner = Runner(db, registry, f"{socket.gethostname()}:{os.getpid()}")
        self._schedule = Schedule(db, registry.periodic)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        running = (self._flusher.run(), self._runner.run(), self._schedule.run())
        self._tasks = [asyncio.create_task(each) for each in running]

    def end(self) -> None:
        """The process is about to stop: no further job begins, those that run come to an end or are given back."""
        self._schedule.stop()
        self._runner.stop()

    async def stop(self) -> None:
        """Wait for that a bounded time, and write what is counted."""
        self.end()
        self._flusher.stop()
        for task in self._tasks:
            await task
