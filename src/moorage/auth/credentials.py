"""What an access key stands for, and the door through which a wire asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from moorage.model.principal import Session


@dataclass(frozen=True, slots=True)
class Credential:
    """An access key that counts right now, with the facts about its principal that a request needs.

    `principal_arn` is what ``sts:GetCallerIdentity`` shows as Arn; `principal_id` is the unique id of the user or role, for a
    root the account's. Temporary keys have a `session`, the token that must come with them, and the end of their life in seconds
    since the epoch; long-term ones have none of the three.
    """

    access_key_id: str
    secret: str = field(repr=False)
    account_id: str
    principal_arn: str
    principal_id: str
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    session: Session | None = None

    @property
    def user_id(self) -> str:
        """What ``sts:GetCallerIdentity`` shows as UserId: of a role's session ``AROA...:name``, of a federated user
        ``account:name``, else the unique id."""
        if self.session is None or self.session.kind == "SessionToken":
            return self.principal_id
        owner = self.principal_id if self.session.kind == "AssumedRole" else self.account_id
        return f"{owner}:{self.session.name}"


class CredentialLookup(Protocol):
    """Finds the credential of an access key id and the session token that came with it, None without one.

    None means unknown, inactive or deleted alike, or a token that is not this key's: the caller must not be able to tell them
    apart. An expired session is returned, so that the wire can say that it has expired.
    """

    async def __call__(self, access_key_id: str, session_token: str | None, /) -> Credential | None: ...


def root_arn(account_id: str, partition: str = "aws") -> str:
    """The ARN of an account's root, ``arn:aws:iam::<account>:root``."""
    return f"arn:{partition}:iam::{account_id}:root"


def root_credential(access_key_id: str, secret: str, account_id: str, partition: str = "aws") -> Credential:
    """The long-term credential of an account's root; its UserId is the account id (STS, GetCallerIdentity)."""
    return Credential(access_key_id, secret, account_id, root_arn(account_id, partition), account_id)
