"""What seals a repository's content: whose key wraps the data keys of its objects."""

from __future__ import annotations

from msgspec import Struct

AES256 = "AES256"
"""The kind of seal whose key belongs to the registry itself. Source: ECR EncryptionConfiguration, encryptionType."""


class Seal(Struct, frozen=True, gc=False):
    """What a repository was given when it was created, and keeps for life.

    `kind` says which provider wraps its data keys, `key_reference` which of that provider's keys does: the ARN of a customer's
    key, or nothing for the registry's own. `wrapped_key` is what the provider wants to be handed back each time: the registry's
    own key, wrapped; None where the provider keeps its keys itself.
    """

    id: int
    kind: str
    wrapped_key: bytes | None
    key_reference: str = ""


class SealKey(Struct, frozen=True, gc=False):
    """What a new seal is to remember of its key: see the members of `Seal`."""

    reference: str
    wrapped_key: bytes | None
