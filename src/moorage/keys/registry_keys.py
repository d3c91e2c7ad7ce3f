"""A key per registry, wrapped by the root key; data keys wrapped by it.

A KMS key is to become another way to turn a seal's row into an Envelope: callers pass the row's `wrapped_key` and never see
what lies behind.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from moorage.keys.envelope import KEY_BYTES, Context, Envelope
from moorage.keys.root_key import RootKey

_REGISTRY: Context = {"registry-key": "1"}
_OPEN_REGISTRIES = 1024


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key for one object alone: for use now, and as it is stored."""

    plaintext: bytes
    wrapped: bytes


class LocalKeyring:
    """Data keys under registry keys under the root key. Thread-safe; keeps a bounded number of opened registry keys."""

    def __init__(self, root: RootKey) -> None:
        self._root = root
        self._open: OrderedDict[bytes, Envelope] = OrderedDict()
        self._lock = Lock()

    def new_registry_key(self) -> bytes:
        """A fresh key for a registry, wrapped."""
        return self._root.wrap(os.urandom(KEY_BYTES), _REGISTRY)

    def new_data_key(self, registry_key: bytes, context: Context) -> DataKey:
        """A fresh data key under a wrapped registry key, bound to `context`. Raises WrongKey."""
        plaintext = os.urandom(KEY_BYTES)
        return DataKey(plaintext, self._envelope(registry_key).wrap(plaintext, context))

    def open_data_key(self, registry_key: bytes, wrapped: bytes, context: Context) -> bytes:
        """A data key, ready for use. Raises WrongKey."""
        return self._envelope(registry_key).unwrap(wrapped, context)

    def _envelope(self, registry_key: bytes) -> Envelope:
        with self._lock:
            envelope = self._open.get(registry_key)
            if envelope is None:
                envelope = self._open[registry_key] = Envelope(self._root.unwrap(registry_key, _REGISTRY))
                if len(self._open) > _OPEN_REGISTRIES:
                    self._open.popitem(last=False)
            return envelope
