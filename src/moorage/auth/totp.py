"""Codes of virtual MFA devices: TOTP (RFC 6238) with SHA-1, 6 digits, 30 seconds, as every authenticator app shows them."""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Iterable
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS = 30
_SEED_BYTES = 20


def new_seed() -> bytes:
    """A fresh seed of 160 bits, what RFC 4226 advises."""
    return os.urandom(_SEED_BYTES)


def as_base32(seed: bytes) -> str:
    """The seed as it is typed into an app."""
    return base64.b32encode(seed).decode("ascii")


def as_uri(seed: bytes, name: str, issuer: str) -> str:
    """The seed as it is scanned by an app."""
    return f"otpauth://totp/{quote(name, safe='@')}?{urlencode({'secret': as_base32(seed), 'issuer': issuer})}"


def step_at(seconds: float) -> int:
    """The number of the step that a moment (seconds since the epoch) lies in."""
    return int(seconds) // STEP_SECONDS


def code_at(seed: bytes, step: int) -> str:
    """The code of a step."""
    totp = TOTP(seed, 6, SHA1(), STEP_SECONDS)  # noqa: S303  # RFC 6238; HMAC does not need what SHA-1 has lost
    return totp.generate(step * STEP_SECONDS).decode("ascii")


def matching_step(seed: bytes, codes: tuple[str, ...], steps: Iterable[int]) -> int | None:
    """The last step of the first run of consecutive steps, beginning at one of `steps`, whose codes these are."""
    found = None
    for first in steps:
        matches = [
            hmac.compare_digest(code_at(seed, first + offset).encode(), code.encode()) for offset, code in enumerate(codes)
        ]
        if all(matches) and found is None:
            found = first + len(codes) - 1
    return found
