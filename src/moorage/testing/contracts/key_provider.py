"""The specification of `moorage.keys.provider.KeyProvider`, as tests.

A plug-in's suite subclasses `KeyProviderContract` and defines the fixture `make_provider`, which stands before the same keys each
time it is called, as another node does; and `wanted`, if its keys have names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from itertools import count
from typing import Any, TypeVar

import pytest

from moorage.keys.envelope import WrongKey
from moorage.keys.provider import KeyProvider
from moorage.model.errors import KeyUnusable
from moorage.model.seal import Seal

T = TypeVar("T")
MakeProvider = Callable[[], KeyProvider]

CONTEXT = {"repository": "7", "manifest": "sha256:0f"}
_PATIENCE_SECONDS = 20.0
_ids = count(1)


async def new_seal(provider: KeyProvider, wanted: str = "") -> Seal:
    """A seal as the database keeps it."""
    key = await provider.new_seal_key(wanted)
    return Seal(next(_ids), "TEST", key.wrapped_key, key.reference)


def run(work: Coroutine[Any, Any, T]) -> T:
    """The outcome of a coroutine, in bounded time."""

    async def bounded() -> T:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await work

    return asyncio.run(bounded())


class KeyProviderContract:
    """What every provider promises."""

    @pytest.fixture
    def make_provider(self) -> MakeProvider:
        """Makes the provider under test."""
        raise NotImplementedError("a suite defines this fixture")

    @pytest.fixture
    def wanted(self) -> str:
        """How a user names a key of this provider."""
        return ""

    def test_a_data_key_opens_for_its_context_in_any_order(self, make_provider: MakeProvider, wanted: str) -> None:
        async def work() -> None:
            provider = make_provider()
            seal = await new_seal(provider, wanted)
            key = await provider.new_data_key(seal, CONTEXT)
            assert await provider.open_data_key(seal, key.wrapped, dict(reversed(CONTEXT.items()))) == key.plaintext
            assert key.plaintext not in key.wrapped
            assert repr(key.plaintext) not in repr(key)

        run(work())

    def test_every_data_key_is_new_and_of_32_bytes(self, make_provider: MakeProvider, wanted: str) -> None:
        async def work() -> None:
            provider = make_provider()
            seal = await new_seal(provider, wanted)
            keys = await asyncio.gather(*(provider.new_data_key(seal, CONTEXT) for _ in range(50)))
            assert {len(key.plaintext) for key in keys} == {32}
            assert len({key.plaintext for key in keys}) == len({key.wrapped for key in keys}) == 50

        run(work())

    @pytest.mark.parametrize(
        "other",
        [
            {},
            {"repository": "7"},
            {**CONTEXT, "more": ""},
            {"repository": "8", "manifest": "sha256:0f"},
            {"repository": "sha256:0f", "manifest": "7"},
            {"repository": "7manifest", "": "sha256:0f"},
            {"object": "x"},
        ],
    )
    def test_another_context_is_refused(self, make_provider: MakeProvider, wanted: str, other: dict[str, str]) -> None:
        async def work() -> None:
            provider = make_provider()
            seal = await new_seal(provider, wanted)
            key = await provider.new_data_key(seal, CONTEXT)
            with pytest.raises(WrongKey):
                await provider.open_data_key(seal, key.wrapped, other)

        run(work())

    def test_another_nodes_provider_opens_it_by_what_the_seal_remembers(self, make_provider: MakeProvider, wanted: str) -> None:
        async def work() -> None:
            seal = await new_seal(make_provider(), wanted)
            key = await make_provider().new_data_key(seal, CONTEXT)
            assert await make_provider().open_data_key(seal, key.wrapped, CONTEXT) == key.plaintext

        run(work())

    def test_what_was_altered_is_refused(self, make_provider: MakeProvider, wanted: str) -> None:
        async def work() -> None:
            provider = make_provider()
            seal = await new_seal(provider, wanted)
            wrapped = (await provider.new_data_key(seal, CONTEXT)).wrapped
            altered = [bytes((*wrapped[:at], wrapped[at] ^ 1, *wrapped[at + 1 :])) for at in range(len(wrapped))]
            for each in (*altered, wrapped[:-1], wrapped + b"\0", wrapped[:8], b""):
                with pytest.raises(WrongKey):
                    await provider.open_data_key(seal, each, CONTEXT)

        run(work())

    def test_a_key_that_nobody_has_is_named(self, make_provider: MakeProvider) -> None:
        async def work() -> None:
            with pytest.raises(KeyUnusable, match="alias/nobody") as refused:
                await make_provider().new_seal_key("alias/nobody")
            assert refused.value.code

        run(work())

    def test_the_event_loop_is_not_held_up(self, make_provider: MakeProvider, wanted: str) -> None:
        """One that answers at once never waits; any other lets the loop go round while it does."""

        async def work() -> None:
            provider = make_provider()
            seal = await new_seal(provider, wanted)
            for call in (lambda: provider.new_seal_key(wanted), lambda: provider.new_data_key(seal, CONTEXT)):
                rounds = await _rounds_during(call())
                assert (rounds == 0) if provider.answers_at_once else (rounds > 0)

        run(work())

    def test_a_call_that_is_cancelled_ends(self, make_provider: MakeProvider, wanted: str) -> None:
        async def work() -> None:
            provider = make_provider()
            seal = await new_seal(provider, wanted)
            task = asyncio.create_task(provider.new_data_key(seal, CONTEXT))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task], timeout=_PATIENCE_SECONDS / 2)
            assert task.done()
            key = await provider.new_data_key(seal, CONTEXT)
            assert await provider.open_data_key(seal, key.wrapped, CONTEXT) == key.plaintext

        run(work())


class OwnKeysContract(KeyProviderContract):
    """What a provider promises that makes a key for whoever names none."""

    def test_each_seal_has_a_key_of_its_own(self, make_provider: MakeProvider) -> None:
        async def work() -> None:
            provider = make_provider()
            one, other = await new_seal(provider), await new_seal(provider)
            key = await provider.new_data_key(one, CONTEXT)
            with pytest.raises(WrongKey):
                await provider.open_data_key(other, key.wrapped, CONTEXT)

        run(work())

    def test_a_seal_that_was_altered_opens_nothing(self, make_provider: MakeProvider) -> None:
        async def work() -> None:
            provider = make_provider()
            seal = await new_seal(provider)
            key = await provider.new_data_key(seal, CONTEXT)
            assert seal.wrapped_key is not None
            for damaged in (None, b"", seal.wrapped_key[:-1] + bytes((seal.wrapped_key[-1] ^ 1,))):
                broken = Seal(seal.id, seal.kind, damaged)
                with pytest.raises(WrongKey):
                    await provider.open_data_key(broken, key.wrapped, CONTEXT)
                with pytest.raises(WrongKey):
                    await provider.new_data_key(broken, CONTEXT)

        run(work())


async def _rounds_during(call: Awaitable[Any]) -> int:
    """How often the loop came round to somebody else before the call had ended."""
    rounds, ended = 0, False

    async def others() -> None:
        nonlocal rounds
        while not ended:
            rounds += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    await call
    ended, seen = True, rounds
    await beside
    return seen
