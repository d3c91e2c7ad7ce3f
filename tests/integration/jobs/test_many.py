"""A hundred thousand jobs wait: a claim costs what it costs among few, and a small job does not wait for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from moorage.jobs.lease import Work
from moorage.metadata.database import Database
from moorage.metadata.jobs import administration, claims
from moorage.metadata.jobs.enqueueing import enqueue
from moorage.metadata.transaction import Transaction
from moorage.model.jobs import Lane
from tests.integration.jobs.conftest import kind, running
from tests.integration.jobs.payloads import Number

MANY = 100_000
_COLUMNS = "kind, unique_key, lane, payload, state, run_after, attempts, epoch, lease_until, is_cancelled, enqueued_at"
_VALUES = "'bulk', 'key-' || n, 1, '{\"number\":' || n || '}', 'ready', n, 0, 0, 0, 0, n"
_SERIES = {
    "sqlite": f"WITH RECURSIVE m(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM m WHERE n < {MANY}) SELECT {_VALUES} FROM m",
    "postgresql": f"SELECT {_VALUES} FROM generate_series(1, {MANY}) AS many(n)",
}


def fill(tx: Transaction) -> None:
    """Enqueue so many at once: through `enqueue` it would take minutes on PostgreSQL."""
    tx._connection.execute(f"INSERT INTO jobs ({_COLUMNS}) {_SERIES[tx.dialect]}")


def quickest(work: Callable[[], object], times: int = 30) -> float:
    """Seconds of the quickest run: the others had to wait for something else."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return min(found)


def test_a_hundred_thousand_wait(db: Database) -> None:
    def steps() -> dict[str, Callable[[], object]]:
        return {
            "claim": lambda: db.run_write(claims.claim, "bulk", Lane.BULK, 8, 60.0, "test"),
            "outlook": lambda: db.run_read(claims.outlook),
            "enqueue": lambda: db.run_write(enqueue, "bulk", Number(), unique_key="another", delay_seconds=60, lane=Lane.BULK),
        }

    for number in range(300):
        db.run_write(enqueue, "bulk", Number(number), lane=Lane.BULK)
    few = {name: quickest(step) for name, step in steps().items()}
    db.run_write(fill)
    many = {name: quickest(step) for name, step in steps().items()}
    assert all(many[name] < 5 * few[name] + 0.002 for name in few), (few, many)
    load = {load.kind: load for load in db.run_read(administration.loads)}["bulk"]
    assert load.overdue == 10_000, "counted so far and no further"
    assert quickest(lambda: db.run_read(administration.loads), 5) < 0.1

    done = 0
    done_before_small: list[int] = []

    async def bulk(work: Work, payload: Number) -> None:
        nonlocal done
        done += 1

    async def small(work: Work, payload: Number) -> None:
        done_before_small.append(done)

    async def run() -> None:
        async with running(db, kind("bulk", bulk, at_once=100), kind("small", small)):
            for _ in range(5):
                while done < 20 * (len(done_before_small) + 1):  # noqa: ASYNC110  # it is under way
                    await asyncio.sleep(0.001)
                before, ran = done, len(done_before_small)
                await db.write(enqueue, "small")
                while len(done_before_small) == ran:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
                waited.append(done_before_small[-1] - before)

    waited: list[int] = []
    asyncio.run(run())
    assert max(waited) < 500, "a small job was begun after that many of bulk"


def test_what_a_job_costs(db: Database) -> None:
    """A thousand small jobs a second on SQLite, on one core that has nothing else to do."""
    if db.dialect != "sqlite":
        return
    many, done = 3000, asyncio.Event()
    left = many

    async def count(work: Work, payload: Number) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    def fill_some(tx: Transaction) -> None:
        for number in range(many):
            enqueue(tx, "a", Number(number))

    async def run() -> None:
        async with running(db, kind("a", count, at_once=100)):
            await done.wait()

    begun = time.process_time()
    db.run_write(fill_some)
    asyncio.run(run())
    assert (time.process_time() - begun) / many < 0.001
