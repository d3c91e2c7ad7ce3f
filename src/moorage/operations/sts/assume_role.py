"""AssumeRole: a role's session for a user, or for another role's session."""

from __future__ import annotations

from msgspec import Struct, structs

from moorage.auth.authorize import check_status
from moorage.auth.sessions import TemporaryKey, new_key
from moorage.metadata.identity.records import Identity
from moorage.metadata.transaction import ReadTransaction
from moorage.model.errors import AccessDenied
from moorage.model.principal import Caller, RequestFacts, Session
from moorage.model.sts_errors import RootMayNotAssume
from moorage.operations.sts.limits import (
    Limits,
    check_packed,
    check_policies,
    check_tags,
    inherited_tags,
    role_seconds,
    with_inherited,
)
from moorage.operations.sts.trust import ASSUME, SET_SOURCE_IDENTITY, TAG, find_role, may_assume


class RoleRequest(Struct, frozen=True):
    """What is asked of a role. `seconds` None: the default."""

    role_arn: str
    session_name: str
    seconds: int | None = None
    limits: Limits = Limits()
    external_id: str | None = None
    source_identity: str | None = None


class Assumed(Struct, frozen=True):
    """A role's session. `packed_percent` is PackedPolicySize; None where nothing was packed."""

    key: TemporaryKey
    role_id: str
    packed_percent: int | None


def assume_role(tx: ReadTransaction, caller: Caller, request: RoleRequest, mfa_at: int | None = None) -> Assumed:
    """Credentials of a role for the caller.

    Args:
        mfa_at: when the caller's MFA code was checked that came with the request, in seconds since the epoch.

    Raises:
        RootMayNotAssume, RoleArnInvalid
        AccessDenied: it may not, or there is no such role: nobody is told which.
        DurationTooLong, MalformedPolicy, SessionPolicyUnknown, SessionTagInvalid, PackedPolicyTooLarge
    """
    check_status(tx, caller)
    if caller.is_root and (caller.session is None or caller.session.kind == "SessionToken"):
        raise RootMayNotAssume(caller.account_id)
    check_tags(request.limits)
    role = find_role(tx, request.role_arn)
    if caller.session is not None and caller.session.kind == "FederatedUser":
        role = None  # of STS they have GetCallerIdentity alone
    inherited = inherited_tags(caller)
    facts = _facts(request, mfa_at)
    if role is None or not may_assume(tx, caller, role, ASSUME, facts):
        raise AccessDenied(caller.arn, ASSUME, request.role_arn, "")
    source_identity = _source_identity(tx, caller, role, request, facts)
    if (request.limits.tags or inherited) and not may_assume(tx, caller, role, TAG, facts):
        raise AccessDenied(caller.arn, TAG, role.arn, "")
    is_chained = caller.session is not None and caller.session.kind == "AssumedRole"
    now = tx.now // 1_000_000
    seconds = role_seconds(request.seconds, role.max_session_seconds, is_chained=is_chained)
    if mfa_at is None and caller.session is not None:
        mfa_at = caller.session.mfa_at
    session = Session(
        kind="AssumedRole",
        name=request.session_name,
        issued_at=now,
        expires_at=now + seconds,
        source_identity=source_identity,
        mfa_at=mfa_at,
        is_chained=is_chained,
        issuer_key_id=issuer_key(caller),
    )
    return assumed(tx, role, session, with_inherited(request.limits, inherited))


def issuer_key(caller: Caller) -> str | None:
    """The long-term key that a session is bound to that `caller` asks for; None for a role's session."""
    if caller.session is None:
        return caller.access_key_id
    return caller.session.issuer_key_id if caller.session.kind == "SessionToken" else None


def assumed(tx: ReadTransaction, role: Identity, session: Session, limits: Limits) -> Assumed:
    """The credentials of a role's session, with session policies and tags put in. Raises as `check_policies`, and
    PackedPolicyTooLarge."""
    check_policies(tx, role.account_id, limits)
    whole = structs.replace(
        session,
        policies=() if limits.policy is None else (limits.policy,),
        policy_arns=limits.policy_arns,
        tags=limits.tags,
        transitive_keys=limits.transitive_keys,
    )
    percent = check_packed(whole)
    arn = f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{session.name}"
    return Assumed(new_key(role.account_id, role.id, arn, whole), role.id, percent or None)


def _source_identity(
    tx: ReadTransaction, caller: Caller, role: Identity, request: RoleRequest, facts: RequestFacts
) -> str | None:
    """The session's source identity: once it is set, it goes along a chain of roles and nobody can change it."""
    inherited = caller.session.source_identity if caller.session is not None else None
    chosen = request.source_identity or inherited
    if chosen is None:
        return None
    is_other = inherited is not None and chosen != inherited
    if is_other or not may_assume(tx, caller, role, SET_SOURCE_IDENTITY, facts):
        raise AccessDenied(caller.arn, SET_SOURCE_IDENTITY, role.arn, "")
    return chosen


def _facts(request: RoleRequest, mfa_at: int | None) -> RequestFacts:
    extra: dict[str, str | tuple[str, ...]] = {"sts:rolesessionname": request.session_name}
    if request.external_id is not None:
        extra["sts:externalid"] = request.external_id
    if request.source_identity is not None:
        extra["sts:sourceidentity"] = request.source_identity
    if mfa_at is not None:
        extra |= {"aws:multifactorauthpresent": "true", "aws:multifactorauthage": "0"}
    return tag_facts(request.limits, extra)


def tag_facts(limits: Limits, extra: dict[str, str | tuple[str, ...]]) -> RequestFacts:
    """What conditions may ask about the tags of a session, and `extra`."""
    if limits.transitive_keys:
        extra = extra | {"sts:transitivetagkeys": limits.transitive_keys}
    return RequestFacts(request_tags=dict(limits.tags) or None, tag_keys=[key for key, _ in limits.tags] or None, extra=extra)
