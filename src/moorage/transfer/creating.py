"""New repositories: the first one of a registry needs a key, which is got outside the transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from moorage.keys.data_keys import DataKeys
from moorage.model.seal import SealKey
from moorage.operations.seals import SealKeyMissing

T = TypeVar("T")


async def with_seal_key(keys: DataKeys, create: Callable[[SealKey | None], Awaitable[T]]) -> T:
    """The outcome of `create`, which is run again with a fresh key if its registry has nothing to seal with yet.

    Of two that are first at once each gets a key, and one of the two becomes the registry's.

    Raises:
        KeyUnusable, and what `create` raises
    """
    try:
        return await create(None)
    except SealKeyMissing as missing:
        key = await keys.new_seal_key(missing.kind, missing.wanted)
    return await create(key)
