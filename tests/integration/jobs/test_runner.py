"""A runner with handlers that succeed, fail, hang, are cancelled, are too many."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter

import pytest

from moorage.jobs.job_kinds import GiveUp, GoOn, Kind, Nothing, NotNow, Periodic, Registry
from moorage.jobs.lease import Work
from moorage.jobs.runner import Runner
from moorage.metadata.database import Database, DatabaseUnavailable
from moorage.metadata.jobs import administration, claims
from moorage.metadata.jobs.enqueueing import enqueue
from moorage.metadata.transaction import Transaction
from moorage.model.jobs import JobState, Lane, LeaseLost
from tests.integration.jobs.conftest import Fault, add, jobs_in, kind, running, until, until_empty
from tests.integration.jobs.payloads import Number

LEASE_SECONDS = 3.0


async def do_nothing(work: Work, payload: Number) -> None:
    """A handler."""


def test_jobs_run_at_once_where_they_are_enqueued(db: Database) -> None:
    seen: list[int] = []

    async def note(work: Work, payload: Number) -> None:
        seen.append(payload.number)

    async def steps() -> None:
        async with running(db, kind("a", note), poll_seconds=3600.0):
            await asyncio.sleep(0)
            for number in range(20):
                await db.write(enqueue, "a", Number(number))
            await until_empty(db)

    asyncio.run(steps())
    assert sorted(seen) == list(range(20))


def test_a_poison_job_fails_and_the_others_go_on(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    tries: Counter[int] = Counter()

    async def handle(work: Work, payload: Number) -> None:
        tries[payload.number] += 1
        assert work.job.attempts == tries[payload.number]
        if payload.number == 0:
            raise Fault("it is poison")

    poison = add(db, number=0)
    for number in range(1, 10):
        add(db, number=number)

    async def steps() -> None:
        async with running(db, kind("a", handle, attempts=3)):
            await until(lambda: [job.state for job in jobs_in(db)] == [JobState.FAILED])

    asyncio.run(steps())
    (failed,) = jobs_in(db)
    assert (failed.id, failed.attempts, failed.last_error) == (poison, 3, "Fault: it is poison")
    assert tries == Counter({0: 3, **dict.fromkeys(range(1, 10), 1)})
    assert f"moorage jobs show {poison}" in caplog.text


def test_what_no_attempt_mends_fails_at_once(db: Database) -> None:
    async def handle(work: Work, payload: Number) -> None:
        raise GiveUp("there is no such image")

    add(db)
    db.run_write(enqueue, "nothing", Number(1))

    async def steps() -> None:
        strict = Kind("nothing", _Strict, _refuse)
        async with running(db, kind("a", handle), strict):
            await until(lambda: [job.state for job in jobs_in(db)] == [JobState.FAILED] * 2)

    asyncio.run(steps())
    first, second = jobs_in(db)
    assert (first.attempts, first.last_error) == (1, "there is no such image")
    assert second.last_error is not None and second.last_error.startswith("its payload cannot be read")


class _Strict(Number, frozen=True, forbid_unknown_fields=True):
    other: str = ""


async def _refuse(work: Work, payload: _Strict) -> None:
    raise GiveUp("never called") if payload.number != 1 else GiveUp("its payload cannot be read")


def test_whatever_an_error_says_it_is_written_down(db: Database) -> None:
    async def handle(work: Work, payload: Number) -> None:
        raise Fault("half a character \udcff, a NUL \0, two\nlines, " + "very " * 1000 + "long")

    add(db)

    async def steps() -> None:
        async with running(db, kind("a", handle, attempts=1)):
            await until(lambda: [job.state for job in jobs_in(db)] == [JobState.FAILED])

    asyncio.run(steps())
    (failed,) = jobs_in(db)
    assert failed.last_error is not None
    assert failed.last_error.startswith("Fault: half a character ?, a NUL , two lines, very")
    assert len(failed.last_error) == 1000


def test_what_is_away_uses_up_no_attempt(db: Database) -> None:
    tries = Counter[str]()

    async def handle(work: Work, payload: Number) -> None:
        tries["all"] += 1
        assert work.job.attempts == 1
        if tries["all"] < 6:
            raise NotNow("the upstream is away", 0.01)

    async def away(work: Work, payload: Number) -> None:
        tries["away"] += 1
        raise DatabaseUnavailable("away")

    add(db)
    add(db, "b")

    async def steps() -> None:
        async with running(db, kind("a", handle, attempts=2), kind("b", away, attempts=1)):
            await until(lambda: [job.kind for job in jobs_in(db)] == ["b"])
            await until(lambda: jobs_in(db)[0].state is JobState.READY)

    asyncio.run(steps())
    assert tries == {"all": 6, "away": 1}
    (waiting,) = jobs_in(db)
    assert (waiting.attempts, waiting.last_error) == (0, "away")


def test_a_handler_that_hangs_is_ended_and_tried_again(db: Database) -> None:
    tries: list[int] = []

    async def hang(work: Work, payload: Number) -> None:
        tries.append(work.job.attempts)
        if len(tries) == 1:
            await asyncio.Event().wait()

    add(db)

    async def steps() -> None:
        async with running(db, kind("a", hang, timeout_seconds=0.2)):
            await until_empty(db)

    asyncio.run(steps())
    assert tries == [1, 2]


def test_a_handler_that_does_not_stop_is_left_to_itself_and_its_late_finish_is_refused(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moorage.jobs.runner._GRACE_SECONDS", 0.1)
    released, late = asyncio.Event(), list[BaseException]()

    async def stubborn(work: Work, payload: Number) -> None:
        if work.job.attempts > 1:
            return
        while not released.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await released.wait()
        try:
            await db.write(write, work)
        except LeaseLost as error:
            late.append(error)
            raise

    def write(tx: Transaction, work: Work) -> None:
        work.hold(tx)
        raise AssertionError("it wrote")

    add(db)

    async def steps() -> None:
        async with running(db, kind("a", stubborn, timeout_seconds=0.2, at_once=1)):
            await until_empty(db)
            released.set()
            await until(lambda: bool(late))

    asyncio.run(steps())


def test_a_lease_that_is_lost_stops_the_handler(db: Database) -> None:
    begun, stopped = asyncio.Event(), list[str]()

    async def handle(work: Work, payload: Number) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(work.stop.name if work.stop else "")
            raise

    job = add(db)

    def take(tx: Transaction) -> None:
        claims.end_all_leases(tx)
        (lost,) = claims.lost(tx, 1)
        claims.fail(tx, lost, "taken by the test")

    async def steps() -> None:
        async with running(db, kind("a", handle, lease_seconds=1.0)):
            await begun.wait()
            await db.write(take)
            await until(lambda: stopped == ["LOST"])

    asyncio.run(steps())
    (left,) = jobs_in(db)
    assert (left.id, left.state, left.last_error) == (job, JobState.FAILED, "taken by the test")


def test_long_jobs_keep_their_lease_and_tell_how_far_they_are(db: Database) -> None:
    go_on = asyncio.Event()

    async def handle(work: Work, payload: Number) -> None:
        for done in range(1, 10_000):
            work.progress(done, 20_000)
            if go_on.is_set():
                return
            await asyncio.sleep(0.01)

    add(db)

    def told() -> int:
        return next((job.done or 0 for job in jobs_in(db)), 0)

    async def steps() -> None:
        async with running(db, kind("a", handle, lease_seconds=LEASE_SECONDS)):
            await until(lambda: told() > 0)
            first, deadline = told(), time.monotonic() + LEASE_SECONDS
            async with running(db, kind("a", handle), node="other") as other:
                await until(lambda: told() > first and time.monotonic() > deadline)
                (row,) = jobs_in(db)
                assert (row.total, row.attempts, row.leased_by) == (20_000, 1, "test")
                assert row.rate and row.seconds_left
                assert other.running == 0
                go_on.set()
                await until_empty(db)

    asyncio.run(steps())


def test_cancelling_stops_what_runs(db: Database) -> None:
    begun, stopped = asyncio.Event(), list[str]()

    async def handle(work: Work, payload: Number) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(work.stop.name if work.stop else "")

    job = add(db)

    async def steps() -> None:
        async with running(db, kind("a", handle, lease_seconds=1.0)):
            await begun.wait()
            assert await db.write(administration.cancel, job) is JobState.LEASED
            await until_empty(db)

    asyncio.run(steps())
    assert stopped == ["CANCELLED"]


def test_a_runner_that_stops_gives_back_what_does_not_end(db: Database) -> None:
    begun, quick_one = list[int](), asyncio.Event()

    async def handle(work: Work, payload: Number) -> None:
        begun.append(payload.number)
        if payload.number == 0:
            await asyncio.Event().wait()
        await quick_one.wait()

    add(db, number=0)
    add(db, number=1)

    async def steps() -> None:
        async with running(db, kind("a", handle), stop_seconds=0.5) as runner:
            await until(lambda: len(begun) == 2)
            runner.stop()
            add(db, number=2)
            quick_one.set()

    asyncio.run(steps())
    given_back, never_begun = jobs_in(db)
    assert (given_back.payload, given_back.state, given_back.attempts) == ('{"number":0}', JobState.READY, 0)
    assert never_begun.payload == '{"number":2}'
    assert sorted(begun) == [0, 1]


def test_one_that_goes_on_later_lets_others_go_first(db: Database) -> None:
    order: list[str] = []

    async def slices(work: Work, payload: Number) -> GoOn | None:
        order.append(f"slice {work.job.attempts}")
        return GoOn.LATER if len([each for each in order if each.startswith("slice")]) < 3 else None

    async def other(work: Work, payload: Number) -> None:
        order.append("other")

    add(db, "a")
    add(db, "a", number=1)

    async def steps() -> None:
        async with running(db, kind("a", slices, at_once=1)):
            await until_empty(db)

    asyncio.run(steps())
    assert order == ["slice 1"] * 4


def test_bulk_leaves_slots_to_small_jobs_and_goes_on_beside_them(db: Database) -> None:
    """Eight slots: bulk never has more than four of them, small jobs never all."""
    most, now, ended = Counter[Lane](), Counter[Lane](), Counter[Lane]()
    order: list[Lane] = []

    async def handle(work: Work, payload: Number) -> None:
        lane = work.job.lane
        now[lane] += 1
        most[lane] = max(most[lane], now[lane])
        await asyncio.sleep(0.005)
        now[lane] -= 1
        ended[lane] += 1
        order.append(lane)

    def fill(tx: Transaction) -> None:
        for lane in (Lane.BULK, Lane.SMALL):
            for _ in range(60):
                enqueue(tx, "a", lane=lane)

    db.run_write(fill)

    async def steps() -> None:
        async with running(db, kind("a", handle, at_once=100)):
            await until_empty(db)

    asyncio.run(steps())
    assert most[Lane.BULK] <= 4 and most[Lane.SMALL] <= 7
    assert order[:40].count(Lane.SMALL) > 25, "small ones go first"
    assert order[:40].count(Lane.BULK) > 0, "bulk goes on"


def test_a_small_job_does_not_wait_for_bulk_that_takes_long(db: Database) -> None:
    """All the slots that bulk may have are taken by jobs that do not end."""
    forever, small = asyncio.Event(), asyncio.Event()
    begun: list[int] = []

    async def bulk(work: Work, payload: Number) -> None:
        begun.append(payload.number)
        await forever.wait()

    async def quick(work: Work, payload: Number) -> None:
        small.set()

    for number in range(20):
        add(db, "bulk", number, lane=Lane.BULK)

    async def steps() -> None:
        async with running(db, kind("bulk", bulk, at_once=100), kind("small", quick)):
            await until(lambda: len(begun) == 4)
            add(db, "small")
            await asyncio.wait_for(small.wait(), 10)
            assert len(begun) == 4
            forever.set()
            await until_empty(db)

    asyncio.run(steps())


def test_kinds_take_turns(db: Database) -> None:
    order: list[str] = []

    async def note(work: Work, payload: Number) -> None:
        order.append(work.job.kind)

    def fill(tx: Transaction) -> None:
        for _ in range(100):
            enqueue(tx, "many", Number())
        for _ in range(3):
            enqueue(tx, "few", Number())

    db.run_write(fill)

    async def steps() -> None:
        async with running(db, kind("many", note), kind("few", note)):
            await until_empty(db)

    asyncio.run(steps())
    assert order.index("few") < 8
    assert [index for index, name in enumerate(order) if name == "few"][-1] < 30


def test_kinds_that_are_unknown_here_are_left_alone(db: Database) -> None:
    add(db, "newer")
    add(db, "a")

    async def steps() -> None:
        async with running(db, kind("a", do_nothing)):
            await until(lambda: [job.kind for job in jobs_in(db)] == ["newer"])

    asyncio.run(steps())
    assert jobs_in(db)[0].attempts == 0


def test_an_idle_runner_writes_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[object] = []
    looks = 0
    write, lookup = type(db).write_lightly, type(db).lookup

    async def counted(self: Database, function: object, *args: object, **kwargs: object) -> object:
        writes.append(function)
        return await write(self, function, *args, **kwargs)  # type: ignore[arg-type]

    async def looked(self: Database, function: object, *args: object, **kwargs: object) -> object:
        nonlocal looks
        looks += 1
        return await lookup(self, function, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(type(db), "write_lightly", counted)
    monkeypatch.setattr(type(db), "lookup", looked)
    add(db, delay=3600)
    add(db, "newer")

    async def steps() -> None:
        async with running(db, kind("a", do_nothing), poll_seconds=0.02):
            await until(lambda: looks > 20)

    asyncio.run(steps())
    assert writes == []


def test_registries_refuse_what_does_not_fit() -> None:
    registry = Registry([kind("a", do_nothing)])
    with pytest.raises(ValueError, match="there is a kind a already"):
        registry.add(kind("a", do_nothing))
    with pytest.raises(ValueError, match="there is no kind b"):
        registry.add_periodic(Periodic("b", 30))


def test_pauses_grow_and_are_no_two_alike() -> None:
    found = Kind("a", Nothing, do_nothing, pause_seconds=2.0, longest_pause_seconds=100.0)  # type: ignore[arg-type]
    assert [found.pause_after(attempt, 1.0) for attempt in (1, 2, 3, 10, 10_000)] == [2.0, 4.0, 8.0, 100.0, 100.0]
    assert [found.pause_after(attempt, 0.0) for attempt in (1, 2, 10_000)] == [1.0, 2.0, 50.0]


def test_a_runner_outlives_a_database_that_is_away(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has ended is written when it is back; nothing is run twice for that."""
    seen: list[int] = []
    is_away = False
    write = type(db).write_lightly

    async def sometimes(self: Database, function: object, *args: object, **kwargs: object) -> object:
        if is_away:
            raise DatabaseUnavailable("away")
        return await write(self, function, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(type(db), "write_lightly", sometimes)

    async def note(work: Work, payload: Number) -> None:
        nonlocal is_away
        seen.append(payload.number)
        is_away = True

    async def steps() -> None:
        nonlocal is_away
        async with running(db, kind("a", note)) as runner:
            await db.write(enqueue, "a", Number(1))
            await until(lambda: seen == [1] and runner.running == 0)
            assert len(jobs_in(db)) == 1
            is_away = False
            await until_empty(db)

    asyncio.run(steps())
    assert seen == [1]


def test_a_runner_needs_a_slot_for_each_lane(db: Database) -> None:
    with pytest.raises(AssertionError):
        Runner(db, Registry(), "test", slots=1)
