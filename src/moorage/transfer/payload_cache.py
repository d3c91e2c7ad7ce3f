"""Opened manifests, by the id of their row. A row's bytes never change, so the cache needs no invalidation: whether the image
exists and the caller may have it is asked of the database every time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Coroutine
from typing import Any

from moorage.keys.data_keys import DataKeys
from moorage.metadata.database import Database
from moorage.metadata.records import Image, Payload, Repository
from moorage.model.errors import StorageCorrupt
from moorage.operations.images.pull import sealed_payload
from moorage.transfer.payloads import open_payload

_BUDGET_BYTES = 16 * 1024 * 1024
_AT_ONCE_BYTES = 64 * 1024
"""What takes the event loop less time than a task would."""


class PayloadCache:
    """Bounded by bytes, least recently used first. Belongs to the event loop."""

    def __init__(self, db: Database, keys: DataKeys) -> None:
        self._db, self._keys = db, keys
        self._open: OrderedDict[int, bytes] = OrderedDict()
        self._size = 0

    def opened(self, image: Image) -> bytes | None:
        """The bytes of a manifest that was found for its caller, if they are here."""
        data = self._open.get(image.id)
        if data is not None:
            self._open.move_to_end(image.id)
        return data

    async def open(self, repository: Repository, image: Image) -> bytes:
        """The exact bytes of a manifest that was found for its caller. Raises StorageCorrupt, ImageNotFound, KeyUnusable."""
        data = self.opened(image)
        if data is not None:
            return data
        return await self._open_sealed(repository, image, await self._db.lookup(sealed_payload, repository, image))

    def has(self, image: Image) -> bool:
        """Whether the bytes are here, or too many to be opened at once."""
        return image.id in self._open or image.size_bytes > _AT_ONCE_BYTES

    def open_at_once(self, repository: Repository, image: Image, payload: Payload | None) -> bytes | None:
        """`open` where nothing has to be waited for; None: it has to be.

        Args:
            payload: the sealed bytes, unless the image `has` been opened.
        """
        data = self.opened(image)
        if data is None and payload is not None and self._keys.answers_at_once(repository.seal):
            data = _run_through(self._open_sealed(repository, image, payload))
        return data

    async def _open_sealed(self, repository: Repository, image: Image, payload: Payload) -> bytes:
        try:
            data = await open_payload(self._keys, repository.seal, repository.id, image.digest, payload)
        except StorageCorrupt as damage:
            raise StorageCorrupt(f"{damage}, in repository {repository.arn}") from None
        if image.id not in self._open:
            self._open[image.id] = data
            self._size += len(data)
        while self._size > _BUDGET_BYTES:
            _, dropped = self._open.popitem(last=False)
            self._size -= len(dropped)
        return data


def _run_through(coroutine: Coroutine[Any, Any, bytes]) -> bytes:
    """What a coroutine returns that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        data: bytes = end.value
        return data
    coroutine.close()
    raise AssertionError("a provider that answers at once has waited")
