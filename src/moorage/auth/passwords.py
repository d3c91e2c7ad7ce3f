"""Passwords at rest: argon2id in PHC strings, so that parameters may change and old hashes still verify (RFC 9106).

Hashing takes tens of milliseconds and 19 MiB on purpose: never on the event loop, never in a transaction.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

_MEMORY_KIB, _ITERATIONS, _LANES = 19 * 1024, 2, 1
"""OWASP's Password Storage Cheat Sheet, first choice for argon2id."""


def hash_password(password: str) -> str:
    """A hash of the password with a salt of its own."""
    derivation = Argon2id(salt=os.urandom(16), length=32, iterations=_ITERATIONS, lanes=_LANES, memory_cost=_MEMORY_KIB)
    return derivation.derive_phc_encoded(password.encode())


def verify_password(password: str, hashed: str) -> bool:
    """Tell whether `hashed` is a hash of the password."""
    try:
        Argon2id.verify_phc_encoded(password.encode(), hashed)
    except InvalidKey:
        return False
    return True


def is_among(password: str, hashes: Sequence[str]) -> bool:
    """Tell whether the password is one of those that were hashed."""
    return any(verify_password(password, hashed) for hashed in hashes)
