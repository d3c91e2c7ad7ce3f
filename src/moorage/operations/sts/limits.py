"""What all sessions obey: how long they last, which policies and tags they may bring. Source: STS API reference."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from moorage.auth.packed_session import packed_percent
from moorage.metadata.identity import managed_policies
from moorage.metadata.transaction import ReadTransaction
from moorage.model.errors import ParameterInvalid
from moorage.model.principal import Caller, Session
from moorage.model.sts_errors import DurationTooLong, PackedPolicyTooLarge, SessionPolicyUnknown, SessionTagInvalid
from moorage.policy.document import Kind
from moorage.policy.managed import find_managed
from moorage.policy.parse import parse
from moorage.policy.sizes import size_limit

DEFAULT_SECONDS = 3600
"""Of a role's session."""
CHAINED_SECONDS = 3600
"""The most that a role's session can ask of another role."""
USER_SECONDS = 43_200
"""Default of GetSessionToken and GetFederationToken."""
ROOT_SECONDS = 3600
"""The most that a root gets: more is cut to it."""
POLICY_ARNS = 10

Tags = Sequence[tuple[str, str]]


class Limits(Struct, frozen=True):
    """Session policies and tags as a request brings them; nothing is checked yet but the shapes of the API."""

    policy: str | None = None
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive_keys: tuple[str, ...] = ()


def role_seconds(requested: int | None, most: int | None, *, is_chained: bool) -> int:
    """How long a role's session lasts; `most` is the role's MaxSessionDuration. Raises DurationTooLong."""
    seconds = DEFAULT_SECONDS if requested is None else requested
    if is_chained and seconds > CHAINED_SECONDS:
        raise DurationTooLong(seconds, CHAINED_SECONDS, is_chained=True)
    most = DEFAULT_SECONDS if most is None else most
    if seconds > most:
        raise DurationTooLong(seconds, most, is_chained=False)
    return seconds


def user_seconds(requested: int | None, *, is_root: bool) -> int:
    """How long a session of GetSessionToken or GetFederationToken lasts."""
    seconds = USER_SECONDS if requested is None else requested
    return min(seconds, ROOT_SECONDS) if is_root else seconds


def check_policies(tx: ReadTransaction, account_id: str, limits: Limits) -> None:
    """Make sure that session policies can be used.

    Raises:
        MalformedPolicy: the inline one breaks the rules of the language.
        ParameterInvalid: it is too long, or there are too many managed ones.
        SessionPolicyUnknown: a managed one is neither the account's nor AWS's.
    """
    if limits.policy is not None:
        if len(limits.policy) > size_limit(Kind.SESSION):
            raise ParameterInvalid("policy", f"Member must have length less than or equal to {size_limit(Kind.SESSION)}")
        parse(limits.policy, Kind.SESSION)
    if len(limits.policy_arns) > POLICY_ARNS:
        raise ParameterInvalid("policyArns", f"Member must have length less than or equal to {POLICY_ARNS}")
    for arn in limits.policy_arns:
        known = find_managed(arn)
        if managed_policies.find(tx, account_id, arn) is None and (known is None or not known.is_attachable):
            raise SessionPolicyUnknown(arn)


def check_tags(limits: Limits) -> None:
    """Make sure that session tags go together. Raises SessionTagInvalid."""
    seen: set[str] = set()
    for key, _ in limits.tags:
        if key.lower().startswith("aws:"):
            raise SessionTagInvalid(key, "reserved")
        if key.lower() in seen:
            raise SessionTagInvalid(key, "twice")
        seen.add(key.lower())
    for key in limits.transitive_keys:
        if key.lower() not in seen:
            raise SessionTagInvalid(key, "absent")


def inherited_tags(caller: Caller) -> dict[str, str]:
    """The tags that the caller's session passes on to those that it asks for."""
    if caller.session is None:
        return {}
    transitive = {key.lower() for key in caller.session.transitive_keys}
    return {key: value for key, value in caller.session.tags if key.lower() in transitive}


def with_inherited(limits: Limits, inherited: dict[str, str]) -> Limits:
    """The tags of a new session, together with those that are passed on to it. Raises SessionTagInvalid."""
    taken = {key.lower() for key in inherited}
    for key, _ in limits.tags:
        if key.lower() in taken:
            raise SessionTagInvalid(key, "inherited")
    transitive = {key.lower() for key in limits.transitive_keys}
    return Limits(
        policy=limits.policy,
        policy_arns=limits.policy_arns,
        tags=(*limits.tags, *inherited.items()),
        transitive_keys=(*(key for key, _ in limits.tags if key.lower() in transitive), *inherited),
    )


def check_packed(session: Session) -> int:
    """PackedPolicySize, in percent. Raises PackedPolicyTooLarge."""
    percent = packed_percent(session)
    if percent > 100:
        raise PackedPolicyTooLarge(percent)
    return percent
