"""Keys of registries and small secrets, all under the server's root key.

::

    root key  wraps  a key per registry  wraps  a data key per object
    root key  wraps  small secrets (access keys)

A registry's key can be destroyed alone, and rewrapping for a new root key touches as many rows as there are registries.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from moorage.keys.envelope import WrappingKey
from moorage.keys.provider import KeyContext, KeyProvider

_REGISTRY_KEY = "registry-key"
_SECRET = "secret"  # noqa: S105 - a purpose, not a secret


class LocalKeyring:
    """Turns the wrapped keys of registries, which live in the metadata, into providers; keeps the `capacity` last used ones open.

    Safe for use by several threads.
    """

    def __init__(self, root: KeyProvider, capacity: int = 1024) -> None:
        self._root = root
        self._capacity = capacity
        self._open: OrderedDict[tuple[bytes, str], WrappingKey] = OrderedDict()
        self._lock = threading.Lock()

    def new_registry_key(self, registry: str) -> bytes:
        """A new key for `registry` (any stable name of it, e.g. its ARN), wrapped: to be stored, and given to `registry_key`."""
        return self._root.new_data_key(_context(_REGISTRY_KEY, {"registry": registry})).wrapped

    def registry_key(self, wrapped: bytes, registry: str) -> KeyProvider:
        """The provider behind a wrapped registry key. Raises WrongKey when it belongs to another registry or root key."""
        cached = (wrapped, registry)
        with self._lock:
            key = self._open.get(cached)
            if key is not None:
                self._open.move_to_end(cached)
                return key
        key = WrappingKey(self._root.unwrap(wrapped, _context(_REGISTRY_KEY, {"registry": registry})))
        with self._lock:
            self._open[cached] = key
            if len(self._open) > self._capacity:
                self._open.popitem(last=False)
        return key

    def forget(self) -> None:
        """Drop every open registry key."""
        with self._lock:
            self._open.clear()


def seal_secret(root: KeyProvider, secret: str, context: KeyContext) -> bytes:
    """Seal a small secret for storage; `context` names its place (e.g. the access key's id), so that rows cannot be exchanged."""
    return root.wrap(secret.encode(), _context(_SECRET, context))


def open_secret(root: KeyProvider, blob: bytes, context: KeyContext) -> str:
    """Open what `seal_secret` sealed. Raises WrongKey."""
    return root.unwrap(blob, _context(_SECRET, context)).decode()


def _context(purpose: str, context: KeyContext) -> dict[str, str]:
    """`context` with the purpose, so that a blob made for one purpose cannot be used for another."""
    return {**context, "moorage:purpose": purpose}
