"""Enqueues periodic jobs: each node looks once in each period, and whoever comes first takes the slot.

A look is a read; only where a slot is free and there is something to do, anything is written.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moorage.jobs.job_kinds import Periodic
from moorage.metadata.database import Database, DatabaseUnavailable
from moorage.metadata.jobs import schedules
from moorage.metadata.jobs.enqueueing import enqueue
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.errors import StorageFull

logger = logging.getLogger("moorage.jobs")

_SPREAD = 0.1
"""Part of the shortest period by which nodes look apart, so that one of them is early and the others find the slot taken."""
_LONGEST_SPREAD_SECONDS = 3.0


class Schedule:
    """Belongs to the event loop that calls `run`."""

    def __init__(self, db: Database, periodic: Sequence[Periodic]) -> None:
        self._db, self._periodic = db, periodic
        self._stopping = asyncio.Event()
        self._looked: dict[str, int] = {}

    async def run(self) -> None:
        """Enqueue until `stop`."""
        while self._periodic and not self._stopping.is_set():
            seconds = await self._look()
            try:
                await asyncio.wait_for(self._stopping.wait(), seconds)
            except TimeoutError:
                continue

    def stop(self) -> None:
        """End after the look that goes on."""
        self._stopping.set()

    async def _look(self) -> float:
        """Enqueue what is due; return for how many seconds there is nothing to look at."""
        try:
            look = await self._db.read(look_at, self._periodic, self._looked)
            if look.due:
                await self._db.write_lightly(enqueue_periodic, look.due, at_start=not self._looked)
        except (DatabaseUnavailable, StorageFull) as error:
            logger.warning("background work waits: %s", error)
        except Exception:
            logger.exception("background work failed")
        else:
            self._looked = look.slots
            spread = min(_LONGEST_SPREAD_SECONDS, look.shortest_seconds * _SPREAD)
            return look.next_in_seconds + random.uniform(0.01, 0.01 + spread)  # noqa: S311  # jitter, no secret
        return _LONGEST_SPREAD_SECONDS


@dataclass(frozen=True, slots=True)
class Look:
    """What a look has found.

    Args:
        due: those whose slot has not been taken, and that have something to do.
        slots: the present slot of each kind.
        next_in_seconds: when the next slot of any begins.
        shortest_seconds: the shortest of all periods.
    """

    due: list[Periodic]
    slots: dict[str, int]
    next_in_seconds: float
    shortest_seconds: int


def look_at(tx: ReadTransaction, periodic: Sequence[Periodic], looked: Mapping[str, int]) -> Look:
    """Look at those whose present slot was not looked at yet. `looked`: the slots of the last look; empty at a start."""
    now = tx.now / 1_000_000
    slots = {each.kind: int(now // each.seconds) for each in periodic}
    fresh = [each for each in periodic if looked.get(each.kind) != slots[each.kind]]
    free = [each for each in fresh if (each.at_start and not looked) or schedules.is_slot_free(tx, each.kind, each.seconds)]
    return Look(
        [each for each in free if each.is_due is None or each.is_due(tx)],
        slots,
        min(each.seconds - now % each.seconds for each in periodic),
        min(each.seconds for each in periodic),
    )


def enqueue_periodic(tx: Transaction, due: Sequence[Periodic], *, at_start: bool) -> list[str]:
    """Enqueue those whose slot nobody has taken meanwhile; return their kinds."""
    taken = [each for each in due if schedules.take_slot(tx, each.kind, each.seconds) or (at_start and each.at_start)]
    for each in taken:
        enqueue(tx, each.kind, unique_key="", lane=each.lane)
    return [each.kind for each in taken]
