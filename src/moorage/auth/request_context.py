"""The condition keys of a real request. Most policies name none, so nothing is put together before one is asked for.

Source: IAM User Guide, "AWS global condition context keys"; service authorization reference of ECR, IAM and STS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from moorage.metadata.identity import organizations
from moorage.metadata.records import Repository
from moorage.metadata.registry import repositories
from moorage.metadata.transaction import ReadTransaction
from moorage.model.principal import Caller, RequestFacts
from moorage.policy.context import RequestContext, Value, tags
from moorage.policy.principals import Principal

_Values = dict[str, Value | Callable[[], Value | None] | None]


class CallContext:
    """The context of one call of `authorize`, made when a policy first asks."""

    __slots__ = ("_arguments", "_made")

    def __init__(
        self,
        tx: ReadTransaction,
        caller: Caller | None,
        principal: Principal,
        principal_tags: Mapping[str, str],
        region: str,
        resource_account: str,
        facts: RequestFacts,
        repository: Repository | None,
    ) -> None:
        self._arguments = (tx, caller, principal, principal_tags, region, resource_account, facts, repository)
        self._made: RequestContext | None = None

    def get(self, key: str, /) -> Value | None:
        """The value of a condition key, given in lower case."""
        if self._made is None:
            self._made = _make(*self._arguments)
        return self._made.get(key)


def _make(
    tx: ReadTransaction,
    caller: Caller | None,
    principal: Principal,
    principal_tags: Mapping[str, str],
    region: str,
    resource_account: str,
    facts: RequestFacts,
    repository: Repository | None,
) -> RequestContext:
    seconds = tx.now // 1_000_000
    values: _Values = {
        "aws:currenttime": lambda: _iso(seconds),
        "aws:epochtime": lambda: str(seconds),
        "aws:requestedregion": region,
        "aws:resourceaccount": resource_account,
        "aws:viaawsservice": "false",
        "aws:tagkeys": tuple(facts.tag_keys) if facts.tag_keys is not None else None,
        "aws:principalorgid": lambda: _organization(tx) if principal.account else None,
        "aws:principalorgpaths": lambda: _organization_paths(tx) if principal.account else None,
        "aws:resourceorgid": lambda: _organization(tx),
        "aws:resourceorgpaths": lambda: _organization_paths(tx),
    }
    if caller is not None:
        values |= {
            "aws:sourceip": caller.source_ip or None,
            "aws:useragent": caller.user_agent or None,
            "aws:securetransport": "true" if caller.is_secure else "false",
        }
        values |= _of_session(caller, seconds)
    resource_tags = _resource_tags(tx, facts, repository)
    families: dict[str, Callable[[str], Value | None]] = {
        "aws:principaltag/": tags(_principal_tags(caller, principal_tags)),
        "aws:requesttag/": tags(facts.request_tags or {}),
        "aws:resourcetag/": resource_tags,
        "ecr:resourcetag/": resource_tags,
        "ecr-public:resourcetag/": resource_tags,
        "iam:resourcetag/": resource_tags,
    }
    return RequestContext(principal, {**values, **facts.extra}, families)


def _organization(tx: ReadTransaction) -> str | None:
    """The installation's: every account belongs to it."""
    found = organizations.find(tx)
    return None if found is None else found.id


def _organization_paths(tx: ReadTransaction) -> Value | None:
    """All accounts stand directly below the organization's root."""
    found = organizations.find(tx)
    return None if found is None else (f"{found.id}/{found.root_id}/",)


def _of_session(caller: Caller, seconds: int) -> _Values:
    """What only temporary credentials have: their absence tells a long-term key (``BoolIfExists``)."""
    session = caller.session
    if session is None:
        return {}
    return {
        "aws:tokenissuetime": _iso(session.issued_at),
        "aws:sourceidentity": session.source_identity,
        "aws:federatedprovider": session.federated_provider,
        "aws:multifactorauthpresent": "false" if session.mfa_at is None else "true",
        "aws:multifactorauthage": None if session.mfa_at is None else str(seconds - session.mfa_at),
    }


def _principal_tags(caller: Caller | None, own: Mapping[str, str]) -> Mapping[str, str]:
    """The tags of the user or role, and over them those of the session. Keys are the same whatever their case."""
    session = caller.session if caller is not None else None
    if session is None or not session.tags:
        return own
    passed = {key.lower() for key, _ in session.tags}
    return {key: value for key, value in own.items() if key.lower() not in passed} | dict(session.tags)


def _resource_tags(tx: ReadTransaction, facts: RequestFacts, repository: Repository | None) -> Callable[[str], Value | None]:
    if facts.resource_tags is not None or repository is None:
        return tags(facts.resource_tags or {})
    found: list[Callable[[str], Value | None]] = []

    def find(name: str) -> Value | None:
        if not found:
            found.append(tags(repositories.resource_tags_of(tx, repository)))
        return found[0](name)

    return find


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
