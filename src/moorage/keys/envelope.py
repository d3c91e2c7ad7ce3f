"""Keys under keys: AES-256-GCM, the wrapping key named in the blob, the context bound to it.

Layout: version (1 byte), id of the wrapping key (8), nonce (12), ciphertext and tag. The id lets a wrong key be named instead
of guessed at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from moorage.keys.sealing import KEY_BYTES, NotAuthentic, Sealing

_VERSION = b"\x01"
_ID_BYTES = 8

Context = Mapping[str, str]
"""What a wrapped key is for; unwrapping needs the same pairs, in any order."""


class WrongKey(Exception):
    """Wrapped under another key, for another purpose, or altered."""


def key_id(key: bytes) -> str:
    """A name for a key that says nothing about it: the first 8 bytes of a hash, in hex."""
    return hashlib.sha256(b"moorage key id\0" + key).digest()[:_ID_BYTES].hex()


class Envelope:
    """Wraps and unwraps under one key."""

    def __init__(self, key: bytes) -> None:
        self._sealing = Sealing(key)
        self._prefix = _VERSION + bytes.fromhex(key_id(key))

    def wrap(self, plaintext: bytes, context: Context) -> bytes:
        """`plaintext` under this key, bound to `context`."""
        return self._prefix + self._sealing.seal(plaintext, _bind(context))

    def unwrap(self, wrapped: bytes, context: Context) -> bytes:
        """What `wrap` was given. Raises WrongKey."""
        if wrapped[: len(self._prefix)] != self._prefix:
            raise WrongKey(f"wrapped under key {wrapped[1 : 1 + _ID_BYTES].hex()}, this is key {self._prefix[1:].hex()}")
        try:
            return self._sealing.open(wrapped[len(self._prefix) :], _bind(context))
        except NotAuthentic:
            raise WrongKey("altered, or wrapped for another purpose") from None


def _bind(context: Context) -> bytes:
    """The pairs with their lengths: two different contexts never give the same bytes."""
    texts = [text.encode() for pair in sorted(context.items()) for text in pair]
    return b"".join(b"%d:%b" % (len(text), text) for text in texts)


__all__ = ["KEY_BYTES", "Context", "Envelope", "WrongKey", "key_id"]
