"""Data keys from a provider that is slow, fails or hangs: who waits for which, and for how long."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from moorage.keys.data_keys import DataKeys
from moorage.keys.envelope import WrongKey
from moorage.keys.local_keyring import LocalKeyring
from moorage.keys.provider import DataKey
from moorage.keys.root_key import RootKey
from moorage.model.errors import KeyUnavailable, KeyUnusable
from moorage.model.seal import AES256, Seal
from moorage.testing.remote_keyring import RemoteKeyring

CONTEXT = {"object": "x"}
_PATIENCE_SECONDS = 20.0


@dataclass
class World:
    """Two seals of a far-away provider, and a clock that is moved."""

    remote: RemoteKeyring
    keys: DataKeys
    seal: Seal
    other: Seal
    now: list[float]

    async def made(self) -> DataKey:
        """A data key of `seal`; asking for it is not counted."""
        key = await self.keys.new(self.seal, CONTEXT)
        self.remote.asked.clear()
        return key


def run(scene: Callable[[World], Coroutine[Any, Any, None]], **bounds: Any) -> None:
    """Play a scene. `bounds` are those of the `DataKeys`."""

    async def play() -> None:
        local = LocalKeyring(RootKey(os.urandom(32), "test"))
        remote, now = RemoteKeyring(local), [1000.0]
        keys = DataKeys({"KMS": remote, AES256: local}, clock=lambda: now[0], **bounds)
        one, other = [(await local.new_seal_key("")).wrapped_key for _ in range(2)]
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await scene(World(remote, keys, Seal(1, "KMS", one), Seal(2, "KMS", other), now))

    asyncio.run(play())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # of whatever it is
        await asyncio.sleep(0.002)


def test_an_opened_key_is_kept_for_its_time() -> None:
    async def scene(world: World) -> None:
        key = await world.made()
        for _ in range(3):
            assert await world.keys.open(world.seal, key.wrapped, CONTEXT) == key.plaintext
        assert world.remote.asked[1] == 1
        world.now[0] += 301
        assert await world.keys.open(world.seal, key.wrapped, CONTEXT) == key.plaintext
        assert world.remote.asked[1] == 2

    run(scene)


def test_a_kept_key_is_no_answer_to_another_question() -> None:
    async def scene(world: World) -> None:
        key = await world.made()
        await world.keys.open(world.seal, key.wrapped, CONTEXT)
        with pytest.raises(WrongKey):
            await world.keys.open(world.seal, key.wrapped, {"object": "y"})
        with pytest.raises(WrongKey):
            await world.keys.open(world.other, key.wrapped, CONTEXT)

    run(scene)


def test_few_are_kept_and_the_oldest_goes_first() -> None:
    async def scene(world: World) -> None:
        made = [await world.keys.new(world.seal, CONTEXT) for _ in range(5)]
        world.remote.asked.clear()
        for key in made:
            await world.keys.open(world.seal, key.wrapped, CONTEXT)
        for key in made[2:]:
            await world.keys.open(world.seal, key.wrapped, CONTEXT)
        assert world.remote.asked[1] == 5
        await world.keys.open(world.seal, made[0].wrapped, CONTEXT)
        assert world.remote.asked[1] == 6

    run(scene, kept=3)


def test_an_idle_server_keeps_none() -> None:
    async def scene(world: World) -> None:
        key = await world.made()
        await world.keys.open(world.seal, key.wrapped, CONTEXT)
        assert world.keys.kept == 1
        world.now[0] += 1
        await until(lambda: world.keys.kept == 0)

    run(scene, kept_seconds=0.05)


def test_one_opening_serves_all_who_wait_and_outlives_who_leaves() -> None:
    async def scene(world: World) -> None:
        key = await world.made()
        world.remote.held.add(1)
        waiting = [asyncio.create_task(world.keys.open(world.seal, key.wrapped, CONTEXT)) for _ in range(50)]
        await until(lambda: world.remote.asked[1] > 0)
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
        world.remote.held.clear()
        assert set(await asyncio.gather(*waiting[1:])) == {key.plaintext}
        assert world.remote.asked[1] == 1

    run(scene)


def test_a_failure_is_told_to_all_who_wait_and_not_remembered() -> None:
    async def scene(world: World) -> None:
        key = await world.made()
        world.remote.faults[1] = KeyUnusable("arn:aws:kms:k is disabled.", "DisabledException")
        told = await asyncio.gather(
            *(world.keys.open(world.seal, key.wrapped, CONTEXT) for _ in range(5)), return_exceptions=True
        )
        assert [type(each) for each in told] == [KeyUnusable] * 5
        assert world.remote.asked[1] == 1
        world.remote.faults.clear()
        assert await world.keys.open(world.seal, key.wrapped, CONTEXT) == key.plaintext

    run(scene)


def test_a_key_that_hangs_is_given_up_and_holds_up_nobody_else() -> None:
    async def scene(world: World) -> None:
        key = await world.made()
        theirs = await world.keys.new(world.other, CONTEXT)
        world.remote.held.add(1)
        begun = time.monotonic()
        waiting = [asyncio.create_task(world.keys.open(world.seal, key.wrapped, CONTEXT)) for _ in range(100)]
        waiting += [asyncio.create_task(_opened_new(world)) for _ in range(100)]
        await until(lambda: world.remote.asked[1] > 0)
        for _ in range(20):
            assert await world.keys.open(world.other, theirs.wrapped, CONTEXT) == theirs.plaintext
            await world.keys.new(world.other, CONTEXT)
        assert not any(task.done() for task in waiting)
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert {(type(each), getattr(each, "code", "")) for each in told} == {(KeyUnavailable, "DependencyTimeoutException")}
        assert time.monotonic() - begun < 10
        assert world.remote.most_at_once[1] <= 32

    run(scene, timeout_seconds=3.0)


async def _opened_new(world: World) -> bytes:
    return (await world.keys.new(world.seal, CONTEXT)).plaintext


@pytest.mark.parametrize("fault", [OSError("connection refused"), TimeoutError(), RuntimeError("a bug of a plug-in")])
def test_whatever_a_provider_lets_out_is_a_key_to_be_asked_for_again(fault: Exception) -> None:
    async def scene(world: World) -> None:
        key = await world.made()
        world.remote.faults[1] = world.remote.faults[0] = fault
        with pytest.raises(KeyUnavailable, match="try again"):
            await world.keys.new(world.seal, CONTEXT)
        with pytest.raises(KeyUnavailable, match="try again"):
            await world.keys.open(world.seal, key.wrapped, CONTEXT)
        with pytest.raises(KeyUnavailable, match="try again"):
            await world.keys.new_seal_key("KMS", "")

    run(scene)


def test_a_seal_of_a_kind_that_is_not_set_up() -> None:
    async def scene(world: World) -> None:
        strange = Seal(9, "KMS_DSSE", None, "arn:aws:kms:us-east-1:000000000000:key/k")
        with pytest.raises(KeyUnusable, match="KMS_DSSE"):
            await world.keys.new(strange, CONTEXT)
        with pytest.raises(KeyUnusable, match="KMS_DSSE"):
            await world.keys.open(strange, b"", CONTEXT)

    run(scene)


def test_a_seal_that_is_forgotten_is_asked_for_again() -> None:
    async def scene(world: World) -> None:
        key = await world.made()
        await world.keys.open(world.seal, key.wrapped, CONTEXT)
        world.keys.forget(1)
        world.remote.held.add(1)
        waiting = asyncio.create_task(world.keys.open(world.seal, key.wrapped, CONTEXT))
        await until(lambda: world.remote.asked[1] == 2)
        world.keys.forget(1)  # disabled while it was being opened: the answer is not kept
        world.remote.held.clear()
        assert await waiting == key.plaintext
        assert world.keys.kept == 0

    run(scene)


def test_several_keys_are_opened_side_by_side_and_come_in_order() -> None:
    async def scene(world: World) -> None:
        made = [await world.keys.new(world.seal, {"object": str(number)}) for number in range(100)]
        world.remote.most_at_once.clear()
        wanted = [(key.wrapped, {"object": str(number)}) for number, key in enumerate(made)]
        assert await world.keys.open_all(world.seal, wanted) == [key.plaintext for key in made]
        assert 1 < world.remote.most_at_once[1] <= 32

    run(scene)
