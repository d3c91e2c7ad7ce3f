"""Whom the policies of a repository and its registry let in from outside of their account: accounts, principals, services, all.

The question is put as if the stranger's own side allowed everything, which is what its own account has to see to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from moorage.auth.authorize import Question, decision_about
from moorage.auth.compiled_policies import compiled
from moorage.metadata.records import Repository
from moorage.metadata.transaction import ReadTransaction
from moorage.model.principal import Caller, root_arn
from moorage.model.scope import Scope
from moorage.operations.identity.principals import present_arn
from moorage.policy.compile import CompiledStatement, PolicySet, Source
from moorage.policy.document import Kind
from moorage.policy.evaluate import Policies, PolicyType, Request
from moorage.policy.explain import Origin, origin
from moorage.policy.partial import PartialView, Partly, is_denied
from moorage.policy.principals import Principal, PrincipalKind

_OWN_SIDE = compiled(
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}', Kind.IDENTITY, Source("its own side")
)
_ANY_ACCOUNT = "any account"
_ABOUT_RESOURCE = frozenset(
    ("aws:currenttime", "aws:epochtime", "aws:requestedregion", "aws:resourceaccount", "aws:resourceorgid")
)
_FAMILIES = ("aws:resourcetag/", "ecr:resourcetag/", "ecr-public:resourcetag/")


@dataclass(frozen=True, slots=True)
class Grantee:
    """Somebody outside of the account whom a policy lets in."""

    name: str
    kind: str
    origin: Origin
    """A statement that names it, one with few conditions if there are several."""
    unknown_keys: tuple[str, ...]
    needs_own_side: bool


def grantees(tx: ReadTransaction, action: str, scope: Scope, repository: Repository) -> Iterator[Grantee]:
    """Whom the policies name in Allows about the action, and who gets in by them, in the order of the texts."""
    own = Caller("", scope.registry_id, scope.registry_id, root_arn(scope.registry_id))
    asked = decision_about(tx, own, Question(action, scope, repository.arn, repository=repository))
    sets = asked.policies.resource_sets(action.lower())
    named: dict[str, tuple[str, Principal, CompiledStatement]] = {}
    for statement in sorted(_allows(sets, action, repository.arn), key=lambda each: len(each.conditions)):
        for name, kind, principal in _named(tx, statement, scope.registry_id):
            named.setdefault(name, (kind, principal, statement))
    for name, (kind, principal, statement) in named.items():
        partly = _decide(principal, kind, asked.request, asked.policies)
        if not is_denied(partly):
            place = origin(statement, PolicyType.RESOURCE)
            yield Grantee(name, kind, place, partly.unknown_keys, needs_own_side=kind != "service")


def _allows(sets: tuple[PolicySet, ...], action: str, arn: str) -> Iterator[CompiledStatement]:
    for policies in sets:
        yield from policies.candidates(action.lower(), arn).allows


def _named(tx: ReadTransaction, statement: CompiledStatement, home: str) -> Iterator[tuple[str, str, Principal]]:
    """Name, kind and stand-in of everybody outside of the account whom a statement names."""
    named, matcher = statement.statement.principals, statement.principals
    if named is None or matcher is None:
        return
    if named.everyone or named.negated:
        # A stand-in in no account of this server: it is hit by what is said of everybody.
        yield "*", "everyone", Principal(PrincipalKind.ROOT, root_arn(_ANY_ACCOUNT), _ANY_ACCOUNT)
        if named.negated:
            return
    for account in named.accounts:
        if account != home:
            yield root_arn(account), "account", Principal.root(account)
    for arn in named.arns:
        unique_id = matcher.ids.get(arn)
        now = present_arn(tx, arn, unique_id) if unique_id is not None and arn.split(":", 5)[4] != home else None
        if now is not None and unique_id is not None:
            yield now, "principal", _principal(now, unique_id)
    for service in named.services:
        yield service, "service", Principal.service(service)


def _principal(arn: str, unique_id: str) -> Principal:
    kind, _, rest = arn.split(":", 5)[5].partition("/")
    if kind == "user":
        return Principal.user(arn, unique_id)
    if kind == "role":
        return Principal.session(arn, unique_id, "*")
    account = arn.split(":", 5)[4]
    if kind == "federated-user":
        return Principal.federated_user(account, rest)
    role_name, _, session_name = rest.partition("/")
    return Principal.session(f"arn:aws:iam::{account}:role/{role_name}", unique_id, session_name)


def _decide(principal: Principal, kind: str, asked: Request, policies: Policies) -> Partly:
    request = Request(principal, asked.action, asked.resource, asked.resource_account, asked.context)
    theirs = Policies(
        identity=PolicySet([_OWN_SIDE]) if kind != "service" else PolicySet(),
        resource=policies.resource,
        registry=policies.registry,
        registry_scope=policies.registry_scope,
    )
    return PartialView(_is_known).decide(request, theirs)


def _is_known(key: str) -> bool:
    """The context was made for the account's own root: only what it says of the resource counts for others."""
    return key in _ABOUT_RESOURCE or key.startswith(_FAMILIES)
