"""How long a sign-in to the console may last: MaxSigninSessionDuration of roles and of login profiles.

It is kept as a document beside the identity, since few have one.
"""

from __future__ import annotations

from typing import Literal

from moorage.metadata.identity import account_facts
from moorage.metadata.identity.records import Identity
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.identity_errors import InputInvalid

Bound = Literal["role", "profile"]


def signin_seconds(tx: ReadTransaction, bound: Bound, identity: Identity) -> int | None:
    """The longest sign-in session, in seconds; None where none was set."""
    found = account_facts.find_document(tx, identity.account_id, _kind(bound, identity))
    return None if found is None else int(found.text)


def change_signin_seconds(tx: Transaction, bound: Bound, identity: Identity, seconds: int | None, *, reset: bool = False) -> None:
    """Set it, or with `reset` take it away; None and no reset: it stays. Raises InputInvalid for both at once."""
    if reset and seconds is not None:
        raise InputInvalid("MaxSigninSessionDuration and ResetMaxSigninSessionDuration cannot be given together")
    if reset:
        account_facts.drop_document(tx, identity.account_id, _kind(bound, identity))
    elif seconds is not None:
        account_facts.put_document(tx, identity.account_id, _kind(bound, identity), str(seconds))


def _kind(bound: Bound, identity: Identity) -> str:
    return f"signin-{bound}:{identity.id}"
