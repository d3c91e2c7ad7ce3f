"""What remembered answers rest on: a version that tells of every commit that may change one, of any process, and of no other."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.metadata.database import Database, Version
from moorage.metadata.opening import open_database
from moorage.metadata.registry import registries
from moorage.metadata.shared_reads import SharedReads
from moorage.metadata.transaction import ReadTransaction, Transaction


@pytest.fixture(params=["sqlite", "postgresql"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    """One database, opened twice."""
    is_local = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'm.db'}" if is_local else str(request.getfixturevalue("postgres_url"))
    both = open_database(url), open_database(url)
    yield both
    for each in both:
        each.close()


def add(tx: Transaction, account: str) -> bool:
    return registries.insert_account(tx, account, "x")


def count(tx: ReadTransaction) -> int:
    return len(registries.list_accounts(tx))


async def version_of(db: Database) -> Version:
    """The version, as whoever waits for it is told."""
    told: asyncio.Future[Version | None] = asyncio.get_running_loop().create_future()
    db.version_soon(told.set_result)
    version = await told
    assert version is not None
    return version


async def answer_of(shared: SharedReads[int]) -> int | None:
    told: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
    shared.then(lambda answer: None if told.cancelled() else told.set_result(answer))
    return await told


class Refused(Exception):
    pass


def add_and_fail(tx: Transaction, account: str) -> None:
    add(tx, account)
    raise Refused(account)


def test_it_tells_of_commits_that_may_change_an_answer(nodes: tuple[Database, Database]) -> None:
    async def steps() -> None:
        ours, theirs = nodes
        seen: list[Version] = [await version_of(ours)]
        for number, writer in enumerate((ours, theirs, ours)):
            await writer.write(add, f"{number:012d}")
            seen.append(await version_of(ours))
            assert await version_of(theirs) == seen[-1]
        assert len(set(seen)) == 4

    asyncio.run(steps())


def test_it_tells_of_no_others(nodes: tuple[Database, Database]) -> None:
    async def steps() -> None:
        ours, theirs = nodes
        before = await version_of(ours)
        await theirs.write_aside(add, "000000000001")
        await theirs.write_lightly(add, "000000000002")
        assert await ours.read(count) == 2
        assert await version_of(ours) == before

    asyncio.run(steps())


def test_it_comes_with_the_change_and_not_before(nodes: tuple[Database, Database]) -> None:
    """What was read between two equal versions is what everybody reads at that version."""

    async def steps() -> None:
        ours, theirs = nodes
        read_at: defaultdict[Version, set[int]] = defaultdict(set)
        is_over = False

        async def watch() -> None:
            while not is_over:
                before = await version_of(ours)
                found = await ours.read(count)
                if await version_of(ours) == before:
                    read_at[before].add(found)

        watching = [asyncio.create_task(watch()) for _ in range(3)]
        for number in range(40):
            await asyncio.gather(*(each.write(add, f"{number:06d}{node:06d}") for node, each in enumerate(nodes)))
            await theirs.read(count)
        is_over = True
        await asyncio.gather(*watching)
        assert len(read_at) > 5
        assert {version: found for version, found in read_at.items() if len(found) > 1} == {}

    asyncio.run(steps())


class Source:
    """Answers by number, each when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = asyncio.Event()

    async def ask(self) -> int:
        self.asked += 1
        mine = self.asked
        await self.gate.wait()
        if mine == 3:
            raise Refused("third")
        return mine


async def _turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_whoever_comes_later_is_not_given_an_earlier_answer() -> None:
    async def steps() -> None:
        source = Source()
        shared = SharedReads(source.ask)
        first = asyncio.create_task(answer_of(shared))
        await _turns()
        later = [asyncio.create_task(answer_of(shared)) for _ in range(10)]
        left = asyncio.create_task(answer_of(shared))
        await _turns()
        left.cancel()
        assert source.asked == 1
        source.gate.set()
        assert await first == 1
        assert await asyncio.gather(*later) == [2] * 10
        assert left.cancelled() or left.cancelling()
        assert list(await asyncio.gather(answer_of(shared), answer_of(shared))) == [None, None]  # the third question failed
        assert await answer_of(shared) == 4

    asyncio.run(steps())
