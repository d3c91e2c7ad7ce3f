"""Who calls. A Caller is made by `auth` from verified credentials, never by a use case."""

from __future__ import annotations

from msgspec import Struct


class Caller(Struct, frozen=True):
    """The verified holder of an access key.

    A Caller points to a principal and is never a grant: `auth.authorize` looks the key up again in the transaction
    that acts, so a key that was deleted or disabled after verification has no rights left.
    """

    access_key_id: str
    account_id: str
    principal_id: str
    """The unique id that tokens and sessions are bound to; for an account's root the account id."""
    arn: str
    source_ip: str = ""
    user_agent: str = ""


def root_arn(account_id: str, partition: str = "aws") -> str:
    """The ARN of an account's root user."""
    return f"arn:{partition}:iam::{account_id}:root"
