"""Opened manifests, by the id of their row. A row's bytes never change, so the cache needs no invalidation: whether the image
exists and the caller may have it is asked of the database every time."""

from __future__ import annotations

from collections import OrderedDict

from moorage.keys.data_keys import DataKeys
from moorage.metadata.database import Database
from moorage.metadata.records import Image, Repository
from moorage.model.errors import StorageCorrupt
from moorage.operations.images.pull import sealed_payload
from moorage.transfer.payloads import open_payload

_BUDGET_BYTES = 16 * 1024 * 1024


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
        payload = await self._db.lookup(sealed_payload, repository, image)
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
