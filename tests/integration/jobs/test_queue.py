"""The rows of the queue: what is enqueued, claimed, ended, and by whom."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from moorage.metadata.database import Database
from moorage.metadata.jobs import administration, claims, schedules
from moorage.metadata.jobs.enqueueing import enqueue
from moorage.metadata.jobs.records import Beat, ClaimedJob
from moorage.metadata.opening import open_database
from moorage.metadata.postgresql import PostgresDatabase
from moorage.metadata.transaction import Transaction
from moorage.model.jobs import JobState, Lane, LeaseLost
from tests.integration.jobs.conftest import Fault, add, jobs_in
from tests.integration.jobs.payloads import Number

LONG = 60.0
OVER = 0.0
"""A lease that has run out when it begins."""


def claim(db: Database, count: int = 1, *, seconds: float = LONG, kind: str = "a", lane: Lane = Lane.SMALL) -> list[ClaimedJob]:
    return db.run_write(claims.claim, kind, lane, count, seconds, "test")


def test_a_job_is_there_with_the_transaction_that_causes_it(db: Database) -> None:
    def cause(tx: Transaction, *, fails: bool) -> None:
        enqueue(tx, "a", Number(1))
        if fails:
            raise Fault

    with pytest.raises(Fault):
        db.run_write(cause, fails=True)
    assert jobs_in(db) == []
    db.run_write(cause, fails=False)
    (job,) = jobs_in(db)
    assert (job.kind, job.payload, job.state, job.attempts) == ("a", '{"number":1}', JobState.READY, 0)


def test_the_longest_due_is_claimed_first_and_nobody_claims_it_again(db: Database) -> None:
    ids = [add(db, number=number) for number in range(3)]
    later = add(db, delay=LONG)
    assert [job.id for job in claim(db, 2)] == ids[:2]
    (last,) = claim(db, 5)
    assert (last.id, last.attempts) == (ids[2], 1)
    assert claim(db, 5) == []
    assert {job.id: job.state for job in jobs_in(db)}[later] is JobState.READY
    assert claim(db, 1, kind="b") == claim(db, 1, lane=Lane.BULK) == []


def test_the_outlook(db: Database) -> None:
    assert db.run_read(claims.outlook).waiting == ()
    assert db.run_read(claims.outlook).lease_ends_in is None
    add(db, "b", delay=LONG)
    add(db, "b", lane=Lane.BULK)
    add(db, "a")
    found = db.run_read(claims.outlook)
    assert [(each.kind, each.lane) for each in found.waiting] == [("a", Lane.SMALL), ("b", Lane.SMALL), ("b", Lane.BULK)]
    assert [each.due_in <= 0 for each in found.waiting] == [True, False, True]
    claim(db)
    ends = db.run_read(claims.outlook).lease_ends_in
    assert ends is not None and 0 < ends <= LONG * 1_000_000


def test_of_a_key_one_waits_and_one_runs(db: Database) -> None:
    first = add(db, number=1, key="k", delay=LONG, lane=Lane.BULK)
    assert add(db, number=2, key="k") == first
    (waiting,) = jobs_in(db)
    assert (waiting.payload, waiting.lane) == ('{"number":2}', Lane.SMALL)
    (running,) = claim(db)
    assert running.id == first
    second = add(db, number=3, key="k")
    assert second != first, "the one that runs may have looked before"
    assert claim(db) == [], "its key runs"
    assert db.run_write(claims.finish, [running]) == {running.id}
    assert [job.id for job in claim(db)] == [second]
    assert add(db, key="k") != add(db, "b", key="k")
    assert add(db) != add(db)


def test_what_is_given_back_while_its_like_waits_is_merged_into_that(db: Database) -> None:
    add(db, number=1, key="k")
    (running,) = claim(db)
    waiting = add(db, number=2, key="k")
    assert db.run_write(claims.give_back, running, attempts=3, delay_seconds=LONG, error="away")
    (left,) = jobs_in(db)
    assert (left.id, left.payload, left.attempts, left.last_error) == (waiting, '{"number":2}', 3, "away")
    assert claim(db) == [], "the pause is kept"


def test_a_key_is_unique_whoever_comes_together(db: Database) -> None:
    barrier = threading.Barrier(8)

    def one(number: int) -> int:
        barrier.wait(10)
        return add(db, number=number, key="k")

    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(one, range(8)))
    assert len(set(ids)) == 1
    assert len(jobs_in(db)) == 1


def test_each_is_claimed_by_one(db: Database) -> None:
    for number in range(60):
        add(db, number=number, key=str(number) if number % 2 else None)
    barrier = threading.Barrier(6)

    def one(_: int) -> list[int]:
        barrier.wait(10)
        found: list[int] = []
        while got := claim(db, 3):
            found += [job.id for job in got]
        return found

    with ThreadPoolExecutor(6) as threads:
        found = [job_id for each in threads.map(one, range(6)) for job_id in each]
    assert sorted(found) == sorted(job.id for job in jobs_in(db))


def test_one_that_was_enqueued_again_is_not_claimed_before_that_is_committed(url: str, db: Database) -> None:
    """Or it would run without seeing what it was enqueued for, and none would run after."""
    if db.dialect == "sqlite":
        return  # one writer: nobody claims while another transaction is open
    job = add(db, key="k")
    enqueued, claimed = threading.Event(), threading.Event()
    other = open_database(url)

    def cause(tx: Transaction) -> None:
        assert enqueue(tx, "a", Number(2), unique_key="k") == job
        enqueued.set()
        assert claimed.wait(20)

    with ThreadPoolExecutor(1) as thread:
        causing = thread.submit(db.run_write, cause)
        assert enqueued.wait(20)
        assert claim(other) == []
        claimed.set()
        causing.result(20)
    assert [job.id for job in claim(other)] == [job]
    other.close()


def test_a_lost_lease_ends_nothing(db: Database) -> None:
    add(db, key="k")
    (late,) = claim(db, seconds=OVER)
    (lost,) = db.run_write(claims.lost, 10)
    assert (lost.id, lost.attempts, lost.leased_by) == (late.id, 1, "test")
    assert db.run_write(claims.give_back, lost, attempts=1, delay_seconds=0, error="lost")
    (now,) = claim(db)
    assert (now.id, now.epoch, now.attempts) == (late.id, late.epoch + 1, 2)
    before = jobs_in(db)
    assert db.run_write(claims.finish, [late]) == set()
    assert not db.run_write(claims.drop, late)
    assert not db.run_write(claims.fail, late, "late")
    assert not db.run_write(claims.give_back, late, attempts=0, delay_seconds=0, error="late")
    assert db.run_write(claims.extend, [Beat(late.id, late.epoch, 1, (1, 2))]) == {}
    with pytest.raises(LeaseLost):
        db.run_write(claims.hold, late.id, late.epoch)
    assert jobs_in(db) == before
    db.run_write(claims.hold, now.id, now.epoch)
    assert db.run_write(claims.finish, [now]) == {now.id}
    assert jobs_in(db) == []


def test_several_are_finished_together_each_by_its_own_epoch(db: Database) -> None:
    """One that was lost has by now the epoch that another one has here."""
    add(db, number=1)
    (lost,) = claim(db, seconds=OVER)
    db.run_write(claims.give_back, lost, attempts=1, delay_seconds=0, error=None)
    (taken,) = claim(db)
    add(db, number=2)
    (given_back,) = claim(db)
    db.run_write(claims.give_back, given_back, attempts=1, delay_seconds=0, error=None)
    (second,) = claim(db)
    add(db, number=3)
    (first,) = claim(db)
    assert (lost.epoch, taken.epoch, second.epoch, first.epoch) == (1, 2, 2, 1)
    assert db.run_write(claims.finish, [lost, second, first]) == {second.id, first.id}
    assert [job.id for job in jobs_in(db)] == [taken.id]


def test_a_lease_that_is_extended_does_not_run_out(db: Database) -> None:
    add(db)
    (job,) = claim(db, seconds=OVER)
    assert db.run_write(claims.extend, [Beat(job.id, job.epoch, round(LONG * 1_000_000))]) == {job.id: False}
    assert db.run_write(claims.lost, 10) == []


def test_failed_ones_stay_one_for_each_key_and_go_when_their_work_is_done(db: Database) -> None:
    for number in range(2):
        add(db, number=number, key="k")
        (job,) = claim(db)
        assert db.run_write(claims.fail, job, f"no {number}\0")
    (failed,) = jobs_in(db)
    assert (failed.state, failed.last_error, failed.payload) == (JobState.FAILED, "no 1", '{"number":1}')
    assert failed.failed_at is not None
    assert claim(db) == []
    add(db, key="k")
    (job,) = claim(db)
    assert db.run_write(claims.finish, [job]) == {job.id}
    assert jobs_in(db) == []


def test_retry(db: Database) -> None:
    failed = add(db)
    (job,) = claim(db)
    db.run_write(claims.fail, job, "no")
    assert db.run_write(administration.retry, failed) is JobState.FAILED
    (job,) = claim(db)
    assert (job.id, job.attempts) == (failed, 1)
    assert db.run_write(administration.retry, failed) is JobState.LEASED
    assert jobs_in(db)[0].state is JobState.LEASED
    later = add(db, delay=LONG)
    assert db.run_write(administration.retry, later) is JobState.READY
    assert [job.id for job in claim(db)] == [later]
    assert db.run_write(administration.retry, 12345) is None


def test_a_failed_one_whose_like_waits_is_that_one(db: Database) -> None:
    failed = add(db, key="k")
    (job,) = claim(db)
    db.run_write(claims.fail, job, "no")
    waiting = add(db, key="k", delay=LONG)
    assert db.run_write(administration.retry, failed) is JobState.FAILED
    assert [job.id for job in claim(db)] == [waiting]
    assert [job.id for job in jobs_in(db)] == [waiting]


def test_cancel(db: Database) -> None:
    waiting, held = add(db, delay=LONG), add(db)
    (job,) = claim(db)
    assert db.run_write(administration.cancel, waiting) is JobState.READY
    assert db.run_write(administration.cancel, held) is JobState.LEASED
    (left,) = jobs_in(db)
    assert left.is_cancelled
    assert db.run_write(claims.extend, [Beat(job.id, job.epoch, 1_000_000)]) == {job.id: True}
    assert db.run_write(claims.drop, job)
    assert db.run_write(administration.cancel, held) is None


def test_progress_has_a_rate(db: Database) -> None:
    add(db)
    (job,) = claim(db)
    for done in (100, 150):
        db.run_write(claims.extend, [Beat(job.id, job.epoch, 1_000_000, (done, 200))])
    (row,) = jobs_in(db)
    assert (row.done, row.total, row.done_before) == (150, 200, 100)
    assert row.rate is not None and row.rate > 0
    assert row.seconds_left == pytest.approx(50 / row.rate)


def test_a_slot_is_taken_once(db: Database) -> None:
    period = 3600 * 24 * 365 * 100
    assert db.run_read(schedules.is_slot_free, "a", period)
    barrier = threading.Barrier(8)

    def one(_: int) -> bool:
        barrier.wait(10)
        return db.run_write(schedules.take_slot, "a", period)

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(one, range(8))) == [False] * 7 + [True]
    assert not db.run_read(schedules.is_slot_free, "a", period)
    assert db.run_read(schedules.is_slot_free, "b", period)


def test_slots_of_a_clock_that_was_set_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    now = [1_700_000_000.0]
    db = open_database(f"sqlite:///{tmp_path_factory.mktemp('clock') / 'm.db'}", lambda: now[0])

    def take() -> bool:
        is_free = db.run_read(schedules.is_slot_free, "a", 30)
        assert db.run_write(schedules.take_slot, "a", 30) is is_free
        return is_free

    assert [take(), take()] == [True, False]
    now[0] += 30
    assert [take(), take()] == [True, False]
    now[0] -= 30
    assert take() is False, "it was taken, by a node whose clock is a little ahead"
    now[0] += 3600
    assert take()
    now[0] -= 3600
    assert [take(), take()] == [True, False], "an hour is not waited for"
    db.close()


def test_leases_go_by_the_databases_clock_even_before_clocks_are_compared(url: str, db: Database) -> None:
    """A node whose clock has just jumped: `tx.now` follows it until the next comparison, the queue does not."""
    if db.dialect == "sqlite":
        return  # the machine's clock is the database's: all processes jump together
    machine = [0.0]
    jumped = PostgresDatabase(url, lambda: __import__("time").time() + machine[0])
    add(db)
    (job,) = claim(db)
    machine[0] = 4 * 3600.0
    assert jumped.run_write(lambda tx: tx.now) > 3 * 3600 * 1_000_000 + db.run_write(lambda tx: tx.now)
    assert jumped.run_write(claims.lost, 10) == []
    delayed = jumped.run_write(enqueue, "b", delay_seconds=0)
    assert [each.id for each in claim(db, kind="b")] == [delayed], "nor is it hours until this one may run"
    period = 3600 * 24
    assert db.run_write(schedules.take_slot, "p", period)
    assert not jumped.run_write(schedules.take_slot, "p", period)
    assert db.run_write(claims.finish, [job]) == {job.id}
    jumped.close()


def test_old_failures_are_forgotten(db: Database) -> None:
    add(db)
    (job,) = claim(db)
    db.run_write(claims.fail, job, "no")
    assert not db.run_read(administration.has_old_failures, 3600)
    assert db.run_write(administration.forget_failed, 3600) == 0
    assert db.run_read(administration.has_old_failures, -1)
    assert db.run_write(administration.forget_failed, -1) == 1


def test_what_waits_and_has_failed_is_counted_by_kind(db: Database) -> None:
    add(db, "a")
    add(db, "b", delay=-3600)
    add(db, "b", delay=-120, lane=Lane.BULK)
    add(db, "c", delay=3600)
    add(db, "d")
    (job,) = claim(db, kind="d")
    db.run_write(claims.fail, job, "no")
    found = {load.kind: load for load in db.run_read(administration.loads)}
    assert {name: (load.overdue, load.failed) for name, load in found.items()} == {
        "a": (0, 0),
        "b": (2, 0),
        "c": (0, 0),
        "d": (0, 1),
    }
    assert found["b"].oldest_due_seconds == pytest.approx(3600, abs=30)
    assert found["c"].oldest_due_seconds == 0


def test_lists_are_narrowed_and_paged(db: Database) -> None:
    ids = [add(db, "ab"[number % 2]) for number in range(6)]
    claim(db, 1)
    assert [job.id for job in db.run_read(administration.list_page, kind="a")] == ids[::2]
    assert [job.id for job in db.run_read(administration.list_page, state=JobState.LEASED)] == ids[:1]
    assert [job.id for job in db.run_read(administration.list_page, kind="a", state=JobState.READY)] == ids[2::2]
    assert [job.id for job in db.run_read(administration.list_page, after=ids[2], count=2)] == ids[3:5]
    found = db.run_read(administration.find, ids[0])
    assert found is not None and found.id == ids[0]
    assert db.run_read(administration.find, 12345) is None


def test_light_writes_of_the_queue_leave_remembered_answers_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    import asyncio

    db = open_database(f"sqlite:///{tmp_path_factory.mktemp('light') / 'm.db'}")
    before = db.version_at_once()

    async def steps() -> None:
        await db.write_lightly(enqueue, "a")
        (job,) = await db.write_lightly(claims.claim, "a", Lane.SMALL, 1, LONG, "test")
        await db.write_lightly(claims.extend, [Beat(job.id, job.epoch, 1, (1, 2))])
        await db.write_lightly(claims.finish, [job])

    asyncio.run(steps())
    assert db.version_at_once() == before
    db.close()
