"""The port to keys that wrap other keys.

A provider stands for one wrapping key: the server's root key, the key of a registry, later a key of the KMS. Which one sealed an
object is data (the object's seal), so that a new kind of key is a new provider, not a new path through the code.

The context names what the wrapped key is for. It is authenticated, not hidden: unwrapping needs the very same pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

KeyContext = Mapping[str, str]
"""Pairs without an order, compared exactly (KMS calls this the encryption context)."""

DATA_KEY_SIZE = 32


class WrongKey(Exception):
    """The wrapped key cannot be opened: another wrapping key, another context, or altered bytes. Trying again changes nothing."""


class KeyUnavailable(Exception):
    """The wrapping key may not be used now (disabled, pending deletion, unreachable). `code` says why, in the KMS's words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class DataKey:
    """A fresh key for exactly one object."""

    plaintext: bytes = field(repr=False)
    """32 bytes; only in memory."""
    wrapped: bytes
    """What is stored beside the object."""


class KeyProvider(Protocol):
    """One wrapping key. May block, for a provider across the network; safe for use by several threads."""

    def wrap(self, plaintext: bytes, context: KeyContext) -> bytes:
        """Seal a key (or another small secret). Raises KeyUnavailable."""

    def unwrap(self, blob: bytes, context: KeyContext) -> bytes:
        """Open what `wrap` made with the same context. Raises WrongKey, KeyUnavailable."""

    def new_data_key(self, context: KeyContext) -> DataKey:
        """A random key and its wrapped form. Raises KeyUnavailable."""
