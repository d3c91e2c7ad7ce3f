"""Runs jobs in this process: claims what is due, keeps leases alive, writes down how runs have ended.

It looks when this process has enqueued something, when something becomes due, and otherwise once in a few seconds, since other
nodes and commands enqueue as well. A look reads some entries of indexes; nothing is written unless there is something to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from typing import Any

import msgspec

from moorage.jobs.job_kinds import GiveUp, GoOn, Kind, NotNow, Registry
from moorage.jobs.lease import Stop, Work
from moorage.jobs.slots import Running
from moorage.jobs.turn import Ended, Outcome, Turned, Wanted, next_due_in, turn
from moorage.metadata.database import Database, DatabaseUnavailable
from moorage.metadata.jobs import claims
from moorage.metadata.jobs.enqueueing import Enqueued
from moorage.metadata.jobs.records import ClaimedJob
from moorage.model.errors import StorageFull
from moorage.model.jobs import LeaseLost
from moorage.storage.blob_store import StoreUnavailable

logger = logging.getLogger("moorage.jobs")

SLOTS = 8
POLL_SECONDS = 5.0
STOP_SECONDS = 10.0
_GRACE_SECONDS = 5.0
"""What a handler that was told to stop gets before it is left to itself."""
_TICK_SECONDS = 0.5
_AWAY = (DatabaseUnavailable, StoreUnavailable, StorageFull)
"""What a job cannot help: no attempt is used up."""
_AWAY_SECONDS = 5.0
_AGAIN_SECONDS = 0.2
"""Something is due and cannot be claimed: its key runs, or somebody holds its row. It is tried again after twice this, four times
this, and so on; if what it waits for ends in this process, at once."""


class Runner:
    """Belongs to the event loop that calls `run`.

    Args:
        node: a name of this process for operators.
        slots: how many jobs run at once, two at least: see `moorage.jobs.slots`.
        stop_seconds: what running jobs get when the process ends; then they are given back.
    """

    def __init__(
        self,
        db: Database,
        registry: Registry,
        node: str,
        *,
        slots: int = SLOTS,
        poll_seconds: float = POLL_SECONDS,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        assert slots >= 2, "one slot for each lane"
        self._db, self._kinds, self._node, self._slots = db, registry.kinds, node, slots
        self._poll_seconds, self._stop_seconds = poll_seconds, stop_seconds
        self._running: dict[asyncio.Task[GoOn | None], Work] = {}
        self._ended: list[Ended] = []
        self._left: set[asyncio.Task[GoOn | None]] = set()
        self._turns: dict[str, int] = {}
        self._count = 0
        self._wake = asyncio.Event()
        self._busy = asyncio.Event()
        self._stopping = False
        self._in_vain = 0

    async def run(self) -> None:
        """Run jobs until `stop`, and then end those that run, or give them back."""
        loop = asyncio.get_running_loop()
        enqueued = self._db.memory.of(Enqueued)

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._wake.set)

        enqueued.listeners.append(wake)
        beating = asyncio.create_task(self._keep())
        try:
            while not self._stopping:
                await self._sleep(await self._quietly(self._look()))
            await self._end()
        finally:
            enqueued.listeners.remove(wake)
            beating.cancel()

    def stop(self) -> None:
        """Claim nothing more; `run` returns within `stop_seconds` and a little."""
        self._stopping = True
        for work in self._running.values():
            work.wants_end = True
        self._wake.set()

    @property
    def running(self) -> int:
        """Jobs that run now."""
        return len(self._running)

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return

    async def _quietly(self, look: Any) -> float:
        try:
            seconds: float = await look
        except _AWAY as error:
            logger.warning("background work waits: %s", error)
        except Exception:
            logger.exception("background work failed")
        else:
            return seconds
        return self._poll()

    def _poll(self) -> float:
        return self._poll_seconds * random.uniform(0.5, 1.5)  # noqa: S311  # jitter, no secret

    async def _look(self) -> float:
        """Do what is to be done now; return for how many seconds there is nothing."""
        self._wake.clear()
        running = Running((work.job.kind, work.job.lane) for work in self._running.values())
        wanted = Wanted(self._node, self._slots, running, self._kinds, self._turns)
        if not self._ended:
            due_in = next_due_in(await self._db.lookup(claims.outlook), wanted)
            if due_in is None or due_in > 0:
                return self._poll() if due_in is None else min(self._poll(), due_in)
            if self._stopping:
                return 0.0
        has_ended = bool(self._ended)
        turned = await self._turn(wanted)
        if turned.claimed or has_ended:
            self._in_vain = 0
        due_in = turned.next_due_in
        if due_in == 0:
            self._in_vain += 1
            due_in = _AGAIN_SECONDS * 2 ** min(self._in_vain, 10)
        return self._poll() if due_in is None else min(self._poll(), due_in)

    async def _turn(self, wanted: Wanted) -> Turned:
        ended, self._ended = self._ended, []
        asked_at = time.monotonic()
        try:
            turned = await self._db.write_lightly(turn, ended, wanted)
        except BaseException:
            self._ended = ended + self._ended
            raise
        for job_id in turned.lost:
            logger.warning("job %d was not held any more when it ended: it is somebody else's", job_id)
        for job, error in turned.failed:
            logger.error("job %d (%s) has failed for good: %s; see moorage jobs show %d", job.id, job.kind, error, job.id)
        for claimed in turned.claimed:
            self._count += 1
            self._turns[claimed.kind] = self._count
            self._begin(claimed, asked_at)
        return turned

    def _begin(self, job: ClaimedJob, asked_at: float) -> None:
        kind = self._kinds[job.kind]
        work = Work(job, kind.lease_seconds, kind.timeout_seconds, asked_at)
        work.wants_end = self._stopping
        task = asyncio.create_task(_handle(kind, work), name=f"job {job.id}")
        self._running[task] = work
        task.add_done_callback(self._done)
        self._busy.set()

    def _done(self, task: asyncio.Task[GoOn | None]) -> None:
        if task in self._left:
            self._left.discard(task)
            if not task.cancelled():
                task.exception()  # whatever it is, it is too late
            return
        work = self._running.pop(task)
        ended = self._ended_as(task, work)
        if ended is not None:
            self._ended.append(ended)
        if not self._running:
            self._busy.clear()
        self._wake.set()

    def _ended_as(self, task: asyncio.Task[GoOn | None], work: Work) -> Ended | None:
        """What is to be written down; None: nothing, for it is somebody else's."""
        job = work.job
        error = None if task.cancelled() else task.exception()
        if work.stop is Stop.LOST:
            return None
        if task.cancelled():
            return _stopped(work)
        if error is None:
            return Ended(job, Outcome.DONE if task.result() is None else Outcome.GO_ON)
        if isinstance(error, LeaseLost):
            logger.warning("job %d (%s): %s", job.id, job.kind, error)
            return None
        if isinstance(error, NotNow):
            return Ended(job, Outcome.NOT_NOW, _text_of(error), error.seconds)
        if isinstance(error, _AWAY):
            logger.warning("job %d (%s) waits: %s", job.id, job.kind, error)
            pause = _AWAY_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311  # jitter, no secret
            return Ended(job, Outcome.NOT_NOW, _text_of(error), pause)
        if isinstance(error, GiveUp):
            return Ended(job, Outcome.GIVEN_UP, _text_of(error))
        said = _one_line(error)
        logger.warning("job %d (%s), attempt %d: %s", job.id, job.kind, job.attempts, said, exc_info=_traceback_of(error))
        return Ended(job, Outcome.FAILED, said)

    # Leases.

    async def _keep(self) -> None:
        """While anything runs: extend leases, and end what takes too long."""
        while True:
            await self._busy.wait()
            await asyncio.sleep(_TICK_SECONDS)
            try:
                await self._tick(time.monotonic())
            except _AWAY as error:
                logger.warning("leases cannot be extended: %s", error)
            except Exception:
                logger.exception("leases could not be extended")

    async def _tick(self, now: float) -> None:
        for task, work in list(self._running.items()):
            if now >= work.safe_until:
                self._stop_one(task, work, Stop.LOST)
            elif now >= work.deadline:
                self._stop_one(task, work, Stop.TOO_LONG)
        due = {work.job.id: work for work in self._running.values() if work.needs_beat(now) and work.stop is not Stop.LOST}
        if not due:
            return
        beats = {job_id: work.beat() for job_id, work in due.items()}
        asked_at = time.monotonic()
        held = await self._db.write_lightly(claims.extend, list(beats.values()))
        for task, work in list(self._running.items()):
            if work.job.id not in due:
                continue
            if work.job.id not in held:
                self._stop_one(task, work, Stop.LOST)
                continue
            work.beaten(beats[work.job.id], asked_at)
            if held[work.job.id]:
                self._stop_one(task, work, Stop.CANCELLED)

    def _stop_one(self, task: asyncio.Task[GoOn | None], work: Work, why: Stop) -> None:
        """Have a handler stop; one that does not within the grace is left to itself, and its slot is free again."""
        if work.stop is None:
            work.stop = why
            if why is Stop.LOST:
                logger.warning("job %d (%s): its lease was lost, it stops", work.job.id, work.job.kind)
            task.cancel()
            asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._leave, task)
        elif why is Stop.LOST:
            work.stop = why

    def _leave(self, task: asyncio.Task[GoOn | None]) -> None:
        work = self._running.pop(task, None)
        if work is None:
            return
        logger.error(
            "job %d (%s) does not stop: it is left to itself, and whatever it writes is refused", work.job.id, work.job.kind
        )
        self._left.add(task)
        if work.stop is not Stop.LOST:
            self._ended.append(_stopped(work))
        if not self._running:
            self._busy.clear()
        self._wake.set()

    async def _end(self) -> None:
        """Wait for what runs, then give it back; write down how it ended."""
        until = time.monotonic() + self._stop_seconds
        while self._running and (left := until - time.monotonic()) > 0:
            await self._sleep(left)
            self._wake.clear()
            await self._quietly(self._last())
        for task, work in list(self._running.items()):
            self._stop_one(task, work, Stop.SHUTDOWN)
        if self._running:
            await asyncio.wait(list(self._running), timeout=_GRACE_SECONDS)
        for task in list(self._running):
            self._leave(task)
        await asyncio.sleep(0)
        await self._quietly(self._last())

    async def _last(self) -> float:
        if self._ended:
            await self._turn(Wanted(self._node, 0, Running(), self._kinds, {}))
        return 0.0


async def _handle(kind: Kind[Any], work: Work) -> GoOn | None:
    try:
        payload = msgspec.json.decode(work.job.payload, type=kind.payload)
    except msgspec.MsgspecError as error:
        raise GiveUp(f"its payload cannot be read: {error}") from None
    return await kind.handler(work, payload)


def _stopped(work: Work) -> Ended:
    if work.stop is Stop.CANCELLED:
        return Ended(work.job, Outcome.CANCELLED)
    if work.stop is Stop.SHUTDOWN:
        return Ended(work.job, Outcome.RELEASED)
    said = "it took longer than its kind may" if work.stop is Stop.TOO_LONG else "it was cancelled by itself"
    return Ended(work.job, Outcome.FAILED, said)


def _one_line(error: BaseException) -> str:
    text = _text_of(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text_of(error: BaseException) -> str:
    """On one line, without halves of characters, which names of files may have and neither logs nor databases take."""
    return " ".join(str(error).encode("utf-8", "replace").decode().split())


def _traceback_of(error: BaseException) -> BaseException | None:
    """For whoever looks for a fault in Moorage: only where debugging is asked for, since each attempt would show it again."""
    return error if logger.isEnabledFor(logging.DEBUG) else None
