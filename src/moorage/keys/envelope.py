"""A wrapping key in memory: AES-256-GCM over small secrets.

::

    blob = version(1) key-id(8) nonce(12) ciphertext tag(16)

The key id is the start of a hash of the wrapping key, so that a wrong root key is named as such and not taken for damage.
Nonces are random: one wrapping key is good for 2^32 blobs (NIST SP 800-38D, section 8.3).
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moorage.keys.provider import DATA_KEY_SIZE, DataKey, KeyContext, WrongKey

KEY_SIZE = 32
_VERSION = b"\x01"
_ID_SIZE = 8
_NONCE_SIZE = 12
_TAG_SIZE = 16
_HEAD_SIZE = 1 + _ID_SIZE


class WrappingKey:
    """A `KeyProvider` over 32 bytes of key material. Its repr shows the key id only."""

    __slots__ = ("_cipher", "_head", "key_id")

    def __init__(self, material: bytes) -> None:
        if len(material) != KEY_SIZE:
            raise ValueError("a wrapping key has 32 bytes")
        identity = hashlib.sha256(b"moorage wrapping key id\x00" + material).digest()[:_ID_SIZE]
        self.key_id = identity.hex()
        self._head = _VERSION + identity
        self._cipher = AESGCM(material)

    def __repr__(self) -> str:
        return f"WrappingKey({self.key_id})"

    def wrap(self, plaintext: bytes, context: KeyContext) -> bytes:
        """Seal `plaintext`; the same input gives another blob each time."""
        nonce = os.urandom(_NONCE_SIZE)
        return self._head + nonce + self._cipher.encrypt(nonce, plaintext, self._bound(context))

    def unwrap(self, blob: bytes, context: KeyContext) -> bytes:
        """Open a blob of `wrap`. Raises WrongKey, which says whether the key or something else is wrong."""
        if len(blob) < _HEAD_SIZE + _NONCE_SIZE + _TAG_SIZE or blob[:1] != _VERSION:
            raise WrongKey("not a wrapped key of a form that this version knows")
        if not hmac.compare_digest(blob[:_HEAD_SIZE], self._head):
            raise WrongKey(f"wrapped by key {blob[1:_HEAD_SIZE].hex()}, and this is key {self.key_id}")
        try:
            return self._cipher.decrypt(
                blob[_HEAD_SIZE : _HEAD_SIZE + _NONCE_SIZE], blob[_HEAD_SIZE + _NONCE_SIZE :], self._bound(context)
            )
        except InvalidTag:
            raise WrongKey("the wrapped key was altered, or was made for something else") from None

    def new_data_key(self, context: KeyContext) -> DataKey:
        """A random key of 32 bytes."""
        plaintext = os.urandom(DATA_KEY_SIZE)
        return DataKey(plaintext, self.wrap(plaintext, context))

    def _bound(self, context: KeyContext) -> bytes:
        return self._head + encode_context(context)


def key_id_of(blob: bytes) -> str:
    """The id of the key that a blob names as its wrapping key (not authenticated)."""
    return blob[1:_HEAD_SIZE].hex()


def encode_context(context: KeyContext) -> bytes:
    """The pairs as bytes, sorted and with their lengths: two contexts give the same bytes only if they are equal."""
    encoded = bytearray()
    for name, value in sorted(context.items()):
        for text in (name.encode(), value.encode()):
            encoded += len(text).to_bytes(4, "big") + text
    return bytes(encoded)
