"""Who wraps data keys: the Protocol, and what every implementation promises.

A provider stands before keys that it alone can use: the registries' own under the root key (`local_keyring`), or a customer's in
a key management service. A repository's seal names the provider and the key. Content is never sent to a provider: it makes a
fresh data key for each object, and opens that again.

What callers may rely on, and `moorage.testing.contracts.key_provider` tests:

* A data key opens under the seal that it was made for, with the context that it was made with, and in no other way.
* Every data key is new, and 32 bytes long.
* A call may take any time and may fail, but it never blocks the event loop: it awaits.
* A call that is cancelled ends soon.
* Nothing is raised but what the methods name.

Callers go by `moorage.keys.data_keys`, which bounds the waiting and shares the work. A transaction never calls a provider.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from moorage.keys.envelope import Context
from moorage.model.seal import Seal, SealKey


@dataclass(frozen=True, slots=True)
class DataKey:
    """A key for one object alone: for use now, and as it is stored."""

    plaintext: bytes = field(repr=False)
    wrapped: bytes


class KeyProvider(Protocol):
    """Makes data keys and opens them. Belongs to the event loop.

    `answers_at_once`: no call ever waits for anything, so there is nothing to bound or to share.

    A key management service maps `context` to the encryption context of its own calls, to which it adds what the seal names.
    """

    answers_at_once: bool

    async def new_seal_key(self, wanted: str) -> SealKey:
        """What a new seal is to remember.

        Args:
            wanted: the key as its user named it (id, alias, ARN); empty: a key of the registry's own.

        Raises:
            KeyUnusable: there is no such key, or it cannot seal.
            KeyUnavailable: not at the moment.
        """

    async def new_data_key(self, seal: Seal, context: Context) -> DataKey:
        """A fresh data key for one object, bound to `context`.

        Raises:
            WrongKey: the seal's own key does not open.
            KeyUnusable: the key is disabled, deleted or not permitted. `code` is the one that KMS gives the cause.
            KeyUnavailable: not at the moment.
        """

    async def open_data_key(self, seal: Seal, wrapped: bytes, context: Context) -> bytes:
        """The plaintext of a data key.

        Raises:
            WrongKey: not wrapped under this seal for this context, or altered.
            KeyUnusable, KeyUnavailable: as `new_data_key`.
        """
