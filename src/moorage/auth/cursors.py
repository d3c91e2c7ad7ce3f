"""Cursors: the last key of a page, sealed and bound to the list that it belongs to.

A token made for another operation, another registry or other filters, or altered in one bit, does not open. Every token
differs from every other (a random nonce), because botocore's paginators stop at a repeated one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import msgspec

from moorage.keys.sealing import NotAuthentic, Sealing
from moorage.model.errors import TokenInvalid


class Cursors:
    """Seals and opens cursors under a key that all nodes share."""

    def __init__(self, key: bytes) -> None:
        self._sealing = Sealing(key)

    def seal(self, binding: str, last: Sequence[str | int]) -> str:
        """A token for the page after `last`, valid for the list that `binding` describes."""
        sealed = self._sealing.seal(msgspec.json.encode(list(last)), binding.encode())
        return base64.urlsafe_b64encode(sealed).decode("ascii")

    def open(self, binding: str, token: str) -> list[str | int]:
        """The key that `seal` was given. Raises TokenInvalid."""
        try:
            sealed = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
            if base64.urlsafe_b64encode(sealed).decode("ascii") != token:  # the last character has bits that say nothing
                raise TokenInvalid(token[:40])
            plain = self._sealing.open(sealed, binding.encode())
            return msgspec.json.decode(plain, type=list[str | int])
        except (ValueError, binascii.Error, NotAuthentic, msgspec.DecodeError):
            raise TokenInvalid(token[:40]) from None
