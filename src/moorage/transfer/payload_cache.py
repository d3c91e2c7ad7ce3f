"""Opened manifests, by the id of their row. A row's bytes never change, so the cache needs no invalidation: whether the image
exists and the caller may have it is asked of the database every time."""

from __future__ import annotations

from collections import OrderedDict

from moorage.keys.registry_keys import LocalKeyring
from moorage.metadata.records import Repository, StoredManifest
from moorage.operations.payloads import open_payload

_BUDGET_BYTES = 16 * 1024 * 1024


class PayloadCache:
    """Bounded by bytes, least recently used first. Belongs to the event loop."""

    def __init__(self, keyring: LocalKeyring) -> None:
        self._keyring = keyring
        self._open: OrderedDict[int, bytes] = OrderedDict()
        self._size = 0

    def open(self, repository: Repository, stored: StoredManifest) -> bytes:
        """The exact bytes of a manifest. Raises StorageCorrupt."""
        data = self._open.get(stored.image.id)
        if data is not None:
            self._open.move_to_end(stored.image.id)
            return data
        data = open_payload(self._keyring, repository, stored)
        self._open[stored.image.id] = data
        self._size += len(data)
        while self._size > _BUDGET_BYTES:
            _, dropped = self._open.popitem(last=False)
            self._size -= len(dropped)
        return data
