"""Content digests as the OCI image specification writes them: ``algorithm:hex``.

Source: OCI image-spec 1.1 "Digests"; distribution-spec 1.1 registers sha256 and sha512.
"""

from __future__ import annotations

import hashlib
import re
from typing import NewType, Protocol

from moorage.model.errors import DigestInvalid

Digest = NewType("Digest", str)
"""A digest that has passed `parse_digest`: known algorithm, lower-case hex of the right length."""

_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_PATTERN = re.compile(r"(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")
ALGORITHMS = tuple(_HEX_LENGTH)


class Hasher(Protocol):
    """The part of hashlib's objects that this package uses."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...
    def copy(self) -> Hasher: ...


def parse_digest(text: str) -> Digest:
    """Return `text` as a Digest.

    Raises:
        DigestInvalid: unknown algorithm, wrong length or characters.
    """
    if _PATTERN.fullmatch(text) is None:
        raise DigestInvalid(text[:200])
    return Digest(text)


def is_digest(text: str) -> bool:
    """Tell whether `text` is a digest this registry can store."""
    return _PATTERN.fullmatch(text) is not None


def algorithm_of(digest: Digest) -> str:
    """The algorithm's registered name: ``sha256`` or ``sha512``."""
    return digest.partition(":")[0]


def digest_of(data: bytes | bytearray | memoryview, algorithm: str = "sha256") -> Digest:
    """The digest of `data`."""
    return Digest(f"{algorithm}:{hashlib.new(algorithm, data, usedforsecurity=True).hexdigest()}")


def new_hasher(algorithm: str = "sha256") -> Hasher:
    """A hasher of one of `ALGORITHMS`; updates above 2 KiB release the GIL."""
    return hashlib.sha512() if algorithm == "sha512" else hashlib.sha256()


def finish(hasher: Hasher, algorithm: str = "sha256") -> Digest:
    """The digest of all that `hasher` has seen."""
    return Digest(f"{algorithm}:{hasher.hexdigest()}")
