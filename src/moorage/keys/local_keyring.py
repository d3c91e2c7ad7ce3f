"""The provider that needs nobody else: a key for each registry, wrapped by the root key; data keys wrapped by it."""

from __future__ import annotations

import os
from collections import OrderedDict

from moorage.keys.envelope import KEY_BYTES, Context, Envelope, WrongKey
from moorage.keys.provider import DataKey, KeyProvider
from moorage.keys.root_key import RootKey
from moorage.model.errors import KeyUnusable
from moorage.model.seal import Seal, SealKey

_REGISTRY: Context = {"registry-key": "1"}
_OPEN_REGISTRIES = 1024


class LocalKeyring(KeyProvider):
    """Data keys under registry keys under the root key: microseconds each. Keeps a bounded number of opened registry keys."""

    answers_at_once = True

    def __init__(self, root: RootKey) -> None:
        self._root = root
        self._open: OrderedDict[bytes, Envelope] = OrderedDict()

    async def new_seal_key(self, wanted: str) -> SealKey:
        """A fresh key for a registry, wrapped. Raises KeyUnusable for any that is named: here are none of customers."""
        if wanted:
            raise KeyUnusable(f"Key '{wanted}' does not exist", "NotFoundException")
        return SealKey("", self._root.wrap(os.urandom(KEY_BYTES), _REGISTRY))

    async def new_data_key(self, seal: Seal, context: Context) -> DataKey:
        """A fresh data key under the registry's key. Raises WrongKey."""
        plaintext = os.urandom(KEY_BYTES)
        return DataKey(plaintext, self._envelope(seal).wrap(plaintext, context))

    async def open_data_key(self, seal: Seal, wrapped: bytes, context: Context) -> bytes:
        """A data key, ready for use. Raises WrongKey."""
        return self._envelope(seal).unwrap(wrapped, context)

    def _envelope(self, seal: Seal) -> Envelope:
        wrapped = seal.wrapped_key
        if wrapped is None:
            raise WrongKey("the registry's own key is missing")
        envelope = self._open.get(wrapped)
        if envelope is None:
            envelope = self._open[wrapped] = Envelope(self._root.unwrap(wrapped, _REGISTRY))
            if len(self._open) > _OPEN_REGISTRIES:
                self._open.popitem(last=False)
        return envelope
