"""What an access key stands for, and the door through which a wire asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Credential:
    """An access key that counts right now, with the facts about its principal that a request needs.

    `principal_arn` and `principal_id` are what ``sts:GetCallerIdentity`` shows as Arn and UserId. `session_token` is the token
    that must come with a temporary key, None for a long-term one; `expires_at` is in seconds since the epoch, None: never.
    """

    access_key_id: str
    secret: str = field(repr=False)
    account_id: str
    principal_arn: str
    principal_id: str
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None


class CredentialLookup(Protocol):
    """Finds the credential of an access key id.

    None means unknown, inactive or deleted alike: the caller must not be able to tell them apart. An expired session is
    returned, so that the wire can say that it has expired.
    """

    async def __call__(self, access_key_id: str, /) -> Credential | None: ...


def root_arn(account_id: str, partition: str = "aws") -> str:
    """The ARN of an account's root, ``arn:aws:iam::<account>:root``."""
    return f"arn:{partition}:iam::{account_id}:root"


def root_credential(access_key_id: str, secret: str, account_id: str, partition: str = "aws") -> Credential:
    """The long-term credential of an account's root; its UserId is the account id (STS, GetCallerIdentity)."""
    return Credential(access_key_id, secret, account_id, root_arn(account_id, partition), account_id)
