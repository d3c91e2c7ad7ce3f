"""Who may do an action on a repository: every principal of its account, and whoever its policies let in from elsewhere.

Each is decided as `authorize` would decide it, twice where a condition asks for something that only a request has (`partial`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from moorage.auth.authorize import Question, decision_about
from moorage.metadata.identity import identities
from moorage.metadata.registry import registries, repositories
from moorage.metadata.transaction import ReadTransaction
from moorage.model.errors import InvalidValue, NotAuthenticated
from moorage.model.identity import Kind
from moorage.model.names import parse_repository_name
from moorage.model.principal import Caller, RequestFacts, Session, root_arn
from moorage.model.scope import Scope
from moorage.operations.access.external_access import grantees
from moorage.operations.access.principals import UNNAMED_SESSION, QuestionInvalid
from moorage.operations.access.questions import action_named, needs_repository
from moorage.policy.context import PRINCIPAL_KEYS
from moorage.policy.explain import Origin, origin
from moorage.policy.partial import PartialView, Partly, is_denied

_PAGE = 1000
_ALWAYS_KNOWN = frozenset(PRINCIPAL_KEYS) - {"aws:federatedprovider"} | {
    "aws:currenttime",
    "aws:epochtime",
    "aws:requestedregion",
    "aws:resourceaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:resourceorgid",
    "aws:resourceorgpaths",
    "aws:viaawsservice",
}
_KNOWN_FAMILIES = ("aws:resourcetag/", "ecr:resourcetag/", "ecr-public:resourcetag/", "aws:principaltag/")


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who may do it. `origin` None: no policy is needed, as for an account's root."""

    arn: str
    kind: str
    """``user``, ``role`` or ``root``; of others ``account``, ``principal``, ``everyone`` or ``service``."""
    origin: Origin | None
    unknown_keys: tuple[str, ...]
    """Empty: now and always. Otherwise it depends on what a request has under these condition keys."""
    needs_own_side: bool = False
    """It belongs to another account, whose own policies have to allow it as well."""


@dataclass(frozen=True, slots=True)
class Holders:
    """Who may, in the order of kinds and names."""

    action: str
    resource: str
    holders: tuple[Holder, ...]


def who_can(tx: ReadTransaction, action: str, scope: Scope, repository_name: str) -> Holders:
    """Whoever may do `action` on a repository now.

    Raises:
        QuestionInvalid: there is no such action, account or repository, or the action is not about a repository.
    """
    named = action_named(action)
    if not needs_repository(named):
        raise QuestionInvalid(f"{named} is not about a repository of ECR")
    if named.startswith("ecr-public:"):
        scope = Scope.public(scope.registry_id)
    if not registries.account_exists(tx, scope.registry_id):
        raise QuestionInvalid(f"there is no account {scope.registry_id}")
    try:
        name = parse_repository_name(repository_name)
    except InvalidValue:
        raise QuestionInvalid(f"{repository_name} is not the name of a repository") from None
    repository = repositories.find(tx, scope, name)
    if repository is None:
        raise QuestionInvalid(f"there is no repository {name} in the registry {scope.registry_id} of {scope.region}")
    users, roles = PartialView(_is_known_of_user), PartialView(_is_known_of_role)
    holders = []
    for caller, kind in _principals(tx, scope.registry_id):
        try:
            decision = decision_about(tx, caller, Question(named, scope, repository.arn, RequestFacts(), repository=repository))
        except NotAuthenticated:  # deleted since it was listed
            continue
        view = roles if kind == "role" else users
        partly = view.decide(decision.request, decision.policies)
        if not is_denied(partly):
            holders.append(_holder(caller.arn, kind, partly))
    for grantee in grantees(tx, named, scope, repository):
        holders.append(
            Holder(grantee.name, grantee.kind, grantee.origin, grantee.unknown_keys, needs_own_side=grantee.needs_own_side)
        )
    return Holders(named, repository.arn, tuple(holders))


def _principals(tx: ReadTransaction, account: str) -> Iterator[tuple[Caller, str]]:
    yield Caller("", account, account, root_arn(account)), "root"
    kinds: tuple[Kind, ...] = ("user", "role")
    for kind in kinds:
        after = ""
        while page := identities.list_page(tx, account, kind, "/", after, _PAGE):
            for found in page:
                session = None if kind == "user" else Session("AssumedRole", UNNAMED_SESSION, 0, 0)
                yield Caller("", account, found.id, found.arn, session=session), kind
            after = page[-1].name.lower()


def _is_known_of_user(key: str) -> bool:
    return key in _ALWAYS_KNOWN or key.startswith(_KNOWN_FAMILIES)


def _is_known_of_role(key: str) -> bool:
    return key != "aws:userid" and _is_known_of_user(key)


def _holder(arn: str, kind: str, partly: Partly) -> Holder:
    decision = partly.possible
    found = None
    if decision.statement is not None and decision.decided_by is not None:
        found = origin(decision.statement, decision.decided_by)
    return Holder(arn, kind, found, partly.unknown_keys)
