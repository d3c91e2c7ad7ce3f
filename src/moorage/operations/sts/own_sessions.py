"""GetSessionToken and GetFederationToken: sessions that users and roots ask for with their own long-term keys."""

from __future__ import annotations

from msgspec import Struct

from moorage.auth.authorize import Question, admit, authorize, check_status
from moorage.auth.sessions import TemporaryKey, new_key
from moorage.metadata.transaction import ReadTransaction
from moorage.model.identity import home
from moorage.model.principal import Caller, Session
from moorage.model.sts_errors import SessionsMayNotAsk
from moorage.operations.sts.assume_role import tag_facts
from moorage.operations.sts.limits import Limits, check_packed, check_policies, check_tags, user_seconds


class Federated(Struct, frozen=True):
    """A federated user's session. `packed_percent` is PackedPolicySize; None where nothing was packed."""

    key: TemporaryKey
    packed_percent: int | None


def get_session_token(tx: ReadTransaction, caller: Caller, seconds: int | None, mfa_at: int | None = None) -> TemporaryKey:
    """Temporary credentials for the caller itself. No permission is needed, and no policy can forbid it.

    Raises:
        SessionsMayNotAsk: the caller has temporary credentials already.
    """
    check_status(tx, caller)
    if caller.session is not None:
        raise SessionsMayNotAsk("GetSessionToken")
    admit(caller)
    now = tx.now // 1_000_000
    session = Session(
        kind="SessionToken",
        name="",
        issued_at=now,
        expires_at=now + user_seconds(seconds, is_root=caller.is_root),
        mfa_at=mfa_at,
        issuer_key_id=caller.access_key_id,
    )
    return new_key(caller.account_id, caller.principal_id, caller.arn, session)


def get_federation_token(tx: ReadTransaction, caller: Caller, name: str, seconds: int | None, limits: Limits) -> Federated:
    """Temporary credentials for a user of the caller's, who has what both the caller and the session policies allow.

    They stay bound to the caller's unique id, whose policies count; without a session policy they can do nothing but what
    resource policies grant them by name.

    Raises:
        SessionsMayNotAsk, AccessDenied
        MalformedPolicy, SessionPolicyUnknown, SessionTagInvalid, PackedPolicyTooLarge
    """
    check_status(tx, caller)
    if caller.session is not None:
        raise SessionsMayNotAsk("GetFederationToken")
    check_tags(limits)
    arn = f"arn:aws:sts::{caller.account_id}:federated-user/{name}"
    facts = tag_facts(limits, {})
    for action in ["sts:GetFederationToken", *(["sts:TagSession"] if limits.tags else [])]:
        authorize(tx, caller, Question(action, home(caller.account_id), arn, facts))
    check_policies(tx, caller.account_id, limits)
    now = tx.now // 1_000_000
    session = Session(
        kind="FederatedUser",
        name=name,
        issued_at=now,
        expires_at=now + user_seconds(seconds, is_root=caller.is_root),
        policies=() if limits.policy is None else (limits.policy,),
        policy_arns=limits.policy_arns,
        tags=limits.tags,
        issuer_key_id=caller.access_key_id,
    )
    percent = check_packed(session)
    return Federated(new_key(caller.account_id, caller.principal_id, arn, session), percent or None)
