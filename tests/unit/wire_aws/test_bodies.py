"""Bodies of AWS requests: limits by what arrives, waiting for room, clients that stop or leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from moorage.transfer.handover import ClientLeft
from moorage.wire.aws.bodies import MIB, BodyBudget, RequestBody
from moorage.wire.aws.faults import BodyStalled, BodyTooLarge, Overloaded

T = TypeVar("T")


class Client:
    """Sends what it is told to, piece by piece; `receive` is its side of ASGI."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def send(self, data: bytes, *, more: bool = True) -> None:
        self._pieces.put_nowait({"type": "http.request", "body": data, "more_body": more})

    def leave(self) -> None:
        self._pieces.put_nowait({"type": "http.disconnect"})

    async def receive(self) -> dict[str, Any]:
        return await self._pieces.get()


def run(test: Callable[[], Awaitable[T]]) -> T:
    """A test on an event loop of its own."""

    async def main() -> T:
        return await test()

    return asyncio.run(main())


def test_pieces_are_put_together() -> None:
    async def test() -> None:
        client = Client()
        for piece in (b"a", b"b", b"c"):
            client.send(piece)
        client.send(b"", more=False)
        body = RequestBody(client.receive, BodyBudget())
        assert await body.read(10, None) == b"abc"
        assert body.is_finished

    run(test)


def test_the_limit_counts_what_arrives() -> None:
    async def test() -> None:
        client = Client()
        client.send(b"x" * 6)
        client.send(b"x" * 6)
        with pytest.raises(BodyTooLarge):
            await RequestBody(client.receive, BodyBudget()).read(10, 5)
        with pytest.raises(BodyTooLarge):
            await RequestBody(client.receive, BodyBudget()).read(10, 11)

    run(test)


def test_a_client_that_stops_is_told_so() -> None:
    async def test() -> None:
        client = Client()
        client.send(b"x")
        with pytest.raises(BodyStalled):
            await RequestBody(client.receive, BodyBudget(stall_seconds=0.05)).read(10, None)
        client.leave()
        with pytest.raises(ClientLeft):
            await RequestBody(client.receive, BodyBudget()).read(10, None)

    run(test)


def test_large_bodies_wait_for_room() -> None:
    async def test() -> None:
        budget = BodyBudget(total_bytes=4 * MIB, wait_seconds=10)
        first, second = Client(), Client()
        large = b"x" * (3 * MIB)
        first.send(large, more=False)
        second.send(large, more=False)
        holding, waiting = RequestBody(first.receive, budget), RequestBody(second.receive, budget)
        assert len(await holding.read(8 * MIB, len(large))) == len(large)
        reading = asyncio.create_task(waiting.read(8 * MIB, len(large)))
        await asyncio.wait([reading], timeout=0.05)
        assert not reading.done()
        await holding.close()
        await holding.close()  # once more gives nothing back
        assert len(await reading) == len(large)
        await waiting.close()
        small = Client()
        small.send(b"x", more=False)
        assert await RequestBody(small.receive, budget).read(10, 1) == b"x"

    run(test)


def test_who_waits_too_long_is_throttled() -> None:
    async def test() -> None:
        budget = BodyBudget(total_bytes=2 * MIB, wait_seconds=0.05)
        await budget.take(2 * MIB)
        client = Client()
        client.send(b"x" * (2 * MIB), more=False)
        with pytest.raises(Overloaded):
            await RequestBody(client.receive, budget).read(8 * MIB, 2 * MIB)
        await budget.give_back(2 * MIB)
        assert await budget.take(5 * MIB) == 2 * MIB  # never more than there is

    run(test)


def test_an_owner_gets_no_more_than_it_leaves_to_others() -> None:
    """Whoever sends slowly under one key, or from one address, holds half of the room at most."""

    async def test() -> None:
        budget = BodyBudget(total_bytes=8 * MIB, wait_seconds=0.05)
        for _ in range(4):
            await budget.take(MIB, ("from a", "key stolen"))
        for owners in (("from a", "key other"), ("from b", "key stolen"), ("from a", "key stolen")):
            with pytest.raises(Overloaded):
                await budget.take(MIB, owners)
        assert await budget.take(MIB, ("from b", "key honest")) == MIB
        assert await budget.take(MIB, ("from b", "key honest")) == MIB
        await budget.give_back(MIB, ("from a", "key stolen"))
        assert await budget.take(MIB, ("from c", "key another")) == MIB

    run(test)


def test_not_everybody_of_one_owner_may_wait() -> None:
    async def test() -> None:
        budget = BodyBudget(total_bytes=MIB, wait_seconds=10)
        await budget.take(MIB)
        waiting = [asyncio.create_task(budget.take(MIB, ("from a",))) for _ in range(32)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await budget.take(MIB, ("from a", "key b"))
        waiting.append(asyncio.create_task(budget.take(MIB, ("from b",))))
        await asyncio.sleep(0)
        assert not waiting[-1].done()
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await budget.give_back(MIB)
        assert await budget.take(MIB) == MIB

    run(test)


def test_who_drips_is_late_as_well() -> None:
    """Each byte is progress, and yet the whole comes too slowly."""

    async def test() -> None:
        client = Client()

        async def drip() -> None:
            while True:
                client.send(b"x")
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        budget = BodyBudget(stall_seconds=0.1, least_per_second=10_000)
        async with asyncio.timeout(5):
            with pytest.raises(BodyStalled):
                await RequestBody(client.receive, budget).read(MIB, None)
        dripping.cancel()

    run(test)
