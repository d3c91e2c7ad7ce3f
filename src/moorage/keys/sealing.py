"""AES-256-GCM with a random nonce and bound data: the one place where that is written down.

What is sealed is the nonce (12 bytes), the ciphertext and the tag (16). Frames of objects in the store number their nonces
instead, and have their own place (`moorage.storage.sealed`).
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
OVERHEAD_BYTES = NONCE_BYTES + 16
"""What sealing adds to the length."""


class NotAuthentic(Exception):
    """Sealed under another key, bound to something else, cut off or altered. It is never said which."""


class Sealing:
    """Seals and opens under one key. Thread-safe.

    A nonce is random, so a key may seal 2^32 times before two of them are likely to be the same: a data key seals one object,
    and of tokens a server makes fewer.
    """

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
        self._aead = AESGCM(key)

    def seal(self, data: bytes, bound: bytes) -> bytes:
        """`data`, to be opened with the same `bound` only."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, data, bound)

    def open(self, sealed: bytes, bound: bytes) -> bytes:
        """What `seal` was given. Raises NotAuthentic."""
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
        except (InvalidTag, ValueError):  # ValueError: shorter than a nonce
            raise NotAuthentic from None
