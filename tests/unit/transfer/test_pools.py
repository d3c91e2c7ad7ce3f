"""Pools of threads: who is awaited, who is dropped."""

from __future__ import annotations

import asyncio
import threading

import pytest

from moorage.transfer.pools import Pool, PoolClosed


async def returns_and_raises(pool: Pool) -> None:
    assert await pool.run(lambda a, b: a + b, 1, 2) == 3
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 // 0)
    assert (pool.waiting, pool.running) == (0, 0)


async def cancelled_after_it_began(pool: Pool) -> None:
    loop, began = asyncio.get_running_loop(), asyncio.Event()
    release, ended = threading.Event(), threading.Event()

    def work() -> None:
        loop.call_soon_threadsafe(began.set)
        release.wait(10)
        ended.set()

    task = asyncio.create_task(pool.run(work, interrupt=release.set))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def cancelled_before_it_began(pool: Pool) -> None:
    release, ran = threading.Event(), threading.Event()
    busy = [asyncio.create_task(pool.run(release.wait, 10)) for _ in range(pool.size)]
    await asyncio.sleep(0)
    task = asyncio.create_task(pool.run(ran.set))
    await asyncio.sleep(0)
    assert pool.waiting >= 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await asyncio.gather(*busy)
    await pool.run(int)
    assert not ran.is_set()
    assert (pool.waiting, pool.running) == (0, 0)


@pytest.mark.parametrize("case", [returns_and_raises, cancelled_after_it_began, cancelled_before_it_began])
def test_a_pool(case: object) -> None:
    pool = Pool("unit", 2)
    try:
        asyncio.run(case(pool))  # type: ignore[operator]  # one of the coroutine functions above
    finally:
        pool.close()


def test_threads_bear_the_name_and_end() -> None:
    pool = Pool("unit-names", 3)
    assert asyncio.run(pool.run(lambda: threading.current_thread().name)) == "unit-names-0"
    pool.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("unit-names")]
    with pytest.raises(PoolClosed):
        asyncio.run(pool.run(int))
