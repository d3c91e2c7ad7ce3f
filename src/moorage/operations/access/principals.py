"""Callers who do not call: whoever an ARN names, as `authorize` would see it with its own credentials."""

from __future__ import annotations

import re

from moorage.metadata.identity import identities
from moorage.metadata.registry import registries
from moorage.metadata.transaction import ReadTransaction
from moorage.model.identity import account_of_root, parse_iam_arn
from moorage.model.principal import Caller, RequestFacts, Session, SessionKind, root_arn

UNNAMED_SESSION = "explain"
"""The session name of a role that is asked about by its own ARN."""
_SESSION = re.compile(r"arn:aws:sts::([0-9]{12}):assumed-role/([\w+=,.@-]{1,64})/([\w+=,.@-]{2,64})", re.ASCII)
_FEDERATED = re.compile(r"arn:aws:sts::([0-9]{12}):federated-user/([\w+=,.@-]{2,32})", re.ASCII)
_ALLOWS_ALL = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'

_ISSUER_ASSUMED = "who called GetFederationToken for it is not known: taken to be the account's root (--federated-by)"
_POLICY_ASSUMED = (
    "its session policy is not known: taken to allow everything (--session-policy);"
    " a session without one may do only what resource-based policies grant this user by name"
)

UNKNOWN_KEYS = (
    "aws:securetransport",
    "aws:tokenissuetime",
    "aws:multifactorauthpresent",
    "aws:multifactorauthage",
    "aws:federatedprovider",
)
"""Condition keys that a real request would have and nobody knows before there is one."""


class QuestionInvalid(Exception):
    """What is asked about does not exist or makes no sense; the message says what to change."""


def caller_for(tx: ReadTransaction, arn: str, session_policies: tuple[str, ...] = ()) -> Caller:
    """The caller that an ARN names: a user, a role (in any session), a role's session, an account's root (also by its id).

    Raises:
        QuestionInvalid: it names nobody, or somebody who does not act.
    """
    account = account_of_root(arn)
    if account is not None:
        if not registries.account_exists(tx, account):
            raise QuestionInvalid(f"there is no account {account}")
        return Caller("", account, account, root_arn(account), session=_limited(tx, session_policies))
    session = _SESSION.fullmatch(arn)
    if session is not None:
        return _role(tx, session[1], session[2], arn, session[3], session_policies, by_arn=False)
    parts = parse_iam_arn(arn)
    if parts is None or parts.kind not in {"user", "role"}:
        raise QuestionInvalid(f"{arn} is not the ARN of a user, a role, a role's or federated user's session, or a root")
    if parts.kind == "role":
        return _role(tx, parts.account, parts.name, arn, UNNAMED_SESSION, session_policies, by_arn=True)
    user = identities.find(tx, parts.account, "user", parts.name)
    if user is None or user.arn != arn:
        raise QuestionInvalid(f"there is no user {arn}" + (f"; there is {user.arn}" if user is not None else ""))
    return Caller("", user.account_id, user.id, user.arn, session=_limited(tx, session_policies))


def federated_caller(
    tx: ReadTransaction, arn: str, federated_by: str | None, session_policies: tuple[str, ...]
) -> tuple[Caller, tuple[str, ...]]:
    """The federated user that an ARN names, and what had to be assumed: the ARN says neither who called GetFederationToken nor
    with which session policy, and the server keeps neither.

    What is not told is taken to be what allows most: a root that called it, a session policy that allows everything.

    Raises:
        QuestionInvalid: it names no federated user, or `federated_by` nobody who could have called.
    """
    found = _FEDERATED.fullmatch(arn)
    if found is None:
        raise QuestionInvalid(f"{arn} is not the ARN of a federated user")
    account, name = found.groups()
    issuer = caller_for(tx, federated_by or account)
    if issuer.account_id != account or issuer.session is not None:
        raise QuestionInvalid(f"{federated_by} cannot have federated {arn}: only users of its account and its root can")
    session = _session(tx, "FederatedUser", name, session_policies or (_ALLOWS_ALL,))
    assumed: tuple[str, ...] = () if federated_by is not None else (_ISSUER_ASSUMED,)
    if not session_policies:
        assumed += (_POLICY_ASSUMED,)
    return Caller("", account, issuer.principal_id, arn, session=session), assumed


def is_federated(arn: str) -> bool:
    """Whether an ARN is one of a federated user."""
    return _FEDERATED.fullmatch(arn) is not None


def _role(
    tx: ReadTransaction, account: str, name: str, arn: str, session_name: str, policies: tuple[str, ...], *, by_arn: bool
) -> Caller:
    role = identities.find(tx, account, "role", name)
    if role is None or (role.arn != arn if by_arn else role.name != name):
        raise QuestionInvalid(f"there is no role {arn}" + (f"; there is {role.arn}" if role is not None else ""))
    return Caller("", account, role.id, arn, session=_session(tx, "AssumedRole", session_name, policies))


def _limited(tx: ReadTransaction, policies: tuple[str, ...]) -> Session | None:
    """Those who have long-term keys act under a session policy only in a session of their own."""
    return _session(tx, "SessionToken", "", policies) if policies else None


def _session(tx: ReadTransaction, kind: SessionKind, name: str, policies: tuple[str, ...]) -> Session:
    now = tx.now // 1_000_000
    return Session(kind, name, now, now + 3600, policies=policies)


def facts_about(facts: RequestFacts, context: dict[str, str | tuple[str, ...]]) -> RequestFacts:
    """What is told of a request, with what only a real one would have taken away. Names in `context` are in any case."""
    told = {name.lower(): value for name, value in context.items()}
    return RequestFacts(
        facts.resource_tags,
        facts.request_tags,
        facts.tag_keys,
        {**dict.fromkeys(UNKNOWN_KEYS, ()), **facts.extra, **told},
    )
