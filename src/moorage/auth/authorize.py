"""May this caller do that, now? The one place where it is decided, for both planes, inside the transaction that acts.

A request is asked about as it is now: whether its key still counts, and under which epoch of its account. What the policies of
that epoch say is remembered compiled (`snapshots`); the decision itself is that of `moorage.policy.evaluate`. An Allow in which
no condition and no variable had a say rests on the policies alone, so it is kept for as long as they are the same objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import is_not
from typing import NamedTuple

from moorage.auth.anonymous import LOGIN_NEEDED, OPEN, PUBLIC_ACTION
from moorage.auth.compiled_policies import compiled, policy_set, resource_policies
from moorage.auth.request_context import CallContext
from moorage.auth.snapshots import (
    RegistryPolicies,
    Snapshot,
    principal_of,
    registry_policies,
    scope_policies,
    session_policies,
    snapshot_of,
)
from moorage.metadata.identity import identities
from moorage.metadata.records import Repository
from moorage.metadata.transaction import ReadTransaction
from moorage.model.errors import DomainError, NotAuthenticated
from moorage.model.principal import NO_FACTS, Caller, RequestFacts
from moorage.model.scope import PUBLIC_HOME, Scope
from moorage.policy.compile import EMPTY, CompiledStatement, PolicySet, Source
from moorage.policy.document import Kind
from moorage.policy.evaluate import Decision, Outcome, Policies, PolicyType, RegistryScope, Request, decide
from moorage.policy.principals import PrincipalKind

INVALID_CREDENTIALS = "The security token included in the request is invalid."

_EVERYTHING = policy_set(
    [
        compiled(
            '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}', Kind.IDENTITY, Source("root")
        )
    ]
)
_LIMITS = frozenset((PolicyType.BOUNDARY, PolicyType.SESSION))
_REMEMBERED = 256
"""Allows that are kept for a principal."""

CredentialStatus = tuple[int, tuple[str, str, str] | None]
"""The epoch of the caller's account (negative: there is no such account), and account, principal and status of its key."""


def key_to_check(caller: Caller) -> str:
    """The long-term key on which the caller stands: its own, or the one that asked for its session. Empty: none."""
    if caller.session is None:
        return caller.access_key_id
    return caller.session.issuer_key_id or ""


def check_status(tx: ReadTransaction, caller: Caller) -> Snapshot:
    """Make sure that the caller still counts: its key, and the user or role that it acts as. Raises NotAuthenticated."""
    return _check(tx, _status_of(tx, caller), caller)


def _check(tx: ReadTransaction, status: CredentialStatus, caller: Caller) -> Snapshot:
    epoch, key = status
    session = caller.session
    if session is None:
        counts = key == (caller.account_id, caller.principal_id, "Active")
    else:
        # A role may have been assumed from another account: of the key that did it only its status matters.
        counts = session.issuer_key_id is None or (key is not None and key[2] == "Active")
    snapshot = snapshot_of(tx, caller.account_id, caller.principal_id, epoch) if counts and epoch >= 0 else None
    if snapshot is None:
        raise NotAuthenticated(INVALID_CREDENTIALS)
    return snapshot


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be decided.

    Attributes:
        action: such as ``ecr:PutImage``.
        scope: whose the resource is. Services that know no region (IAM, STS) give that of their account in ``us-east-1``.
        resource: an ARN or ``*``.
        facts: what policy conditions may ask about this request.
        repository: the resource, if it is a repository that exists: its policy and its tags take part.
    """

    action: str
    scope: Scope
    resource: str
    facts: RequestFacts = NO_FACTS
    repository: Repository | None = None


class Verdict(NamedTuple):
    """The answer to a question.

    Attributes:
        refused: what to raise; None: it is allowed.
        action: the action as policies know it; empty: it is open to everybody and no use of a right.
        is_lasting: it holds until something changes in the database, whatever else may differ in the same caller's next request.
    """

    refused: DomainError | None
    action: str
    is_lasting: bool = False


def authorize(tx: ReadTransaction, caller: Caller, question: Question, status: CredentialStatus | None = None) -> bool:
    """Raise unless the caller may; note what was decided in the request's event, and take the request's token.

    Called before it is disclosed whether the resource exists.

    Args:
        status: how the caller stands, where that was looked up already.

    Returns:
        `Verdict.is_lasting`.

    Raises:
        NotAuthenticated: the caller's key or principal was disabled or deleted.
        AccessDenied: it may not.
        RateExceeded, TokensNeeded: as `admit`.
    """
    verdict = decide_for(tx, caller, question, status or _status_of(tx, caller))
    event = caller.event
    if verdict.refused is not None:
        if event is not None:
            event.deny(verdict.action, question.resource, str(verdict.refused))
        raise verdict.refused
    if caller.is_anonymous:
        return verdict.is_lasting
    if caller.ticket is not None:
        caller.ticket.admit()
    if verdict.action and event is not None:
        event.allow(verdict.action, question.resource, question.scope.region or PUBLIC_HOME)
    return verdict.is_lasting


def _status_of(tx: ReadTransaction, caller: Caller) -> CredentialStatus:
    """How the caller stands, asked once in a transaction: a use case has one answer for all that it does."""
    key = (_status_of, caller.account_id, key_to_check(caller))
    found: CredentialStatus | None = tx.seen.get(key)
    if found is None:
        found = tx.seen[key] = identities.credential_status(tx, *key[1:])
    return found


def decide_for(tx: ReadTransaction, caller: Caller, question: Question, status: CredentialStatus) -> Verdict:
    """Decide, and leave no trace but in memory of what policies say. Raises NotAuthenticated."""
    action, scope, resource = question.action, question.scope, question.resource
    if scope.is_public:
        if caller.is_anonymous and action not in OPEN:
            raise NotAuthenticated(LOGIN_NEEDED)
        if action in OPEN:
            # A login that counts no more is refused, as one that never did: the client is to log in again, or not at all.
            if not caller.is_anonymous:
                _check(tx, status, caller)
            return Verdict(None, "")
        action = PUBLIC_ACTION[action]
    snapshot = _check(tx, status, caller)
    own, registry = _resource_side(tx, caller, action, scope, resource, snapshot.epoch, question.repository)
    key, rests_on = (action, resource, id(caller.session)), (caller.session, own, registry)
    # What has no resource of its own is the same "*" in every account: what was allowed at home says nothing of others.
    is_elsewhere = resource == "*" and caller.account_id != scope.registry_id
    known = None if is_elsewhere else snapshot.allowed.get(key)
    if known is not None and not any(map(is_not, known, rests_on)):
        return Verdict(None, action, True)
    decision = _decide(tx, caller, snapshot, action, question, own, registry)
    if not decision.allowed:
        return Verdict(decision.error(), action)
    is_lasting = _asks_no_context(decision)
    if is_lasting:
        if len(snapshot.allowed) >= _REMEMBERED:
            snapshot.allowed.clear()
        snapshot.allowed[key] = rests_on
    return Verdict(None, action, is_lasting)


def admit(caller: Caller) -> None:
    """Count a request of a caller who was found to be allowed, once: `authorize` does. For what needs no permission.

    Raises:
        RateExceeded: too many came before it.
        TokensNeeded: the transaction is to run again when tokens were leased; the database that requests go by sees to that.
    """
    if caller.ticket is not None:
        caller.ticket.admit()


def decision_for(tx: ReadTransaction, caller: Caller, question: Question) -> Decision:
    """What `authorize` would decide, with all that it rests on. Raises NotAuthenticated."""
    return _decision(tx, check_status(tx, caller), caller, question)


def decision_about(tx: ReadTransaction, caller: Caller, question: Question) -> Decision:
    """What `authorize` would decide if somebody called who does not: nobody has verified credentials, and no key is asked for.

    For explanations only. Raises NotAuthenticated: there is no such principal.
    """
    return _decision(tx, snapshot_about(tx, caller), caller, question)


def snapshot_about(tx: ReadTransaction, caller: Caller) -> Snapshot:
    """The principal that `caller` points to, whether it could call now or not. Raises NotAuthenticated: there is none."""
    epoch, _ = identities.credential_status(tx, caller.account_id, "")
    snapshot = snapshot_of(tx, caller.account_id, caller.principal_id, epoch) if epoch >= 0 else None
    if snapshot is None:
        raise NotAuthenticated(INVALID_CREDENTIALS)
    return snapshot


def _decision(tx: ReadTransaction, snapshot: Snapshot, caller: Caller, question: Question) -> Decision:
    action = PUBLIC_ACTION[question.action] if question.scope.is_public else question.action
    own, registry = _resource_side(tx, caller, action, question.scope, question.resource, snapshot.epoch, question.repository)
    return _decide(tx, caller, snapshot, action, question, own, registry)


def _resource_side(
    tx: ReadTransaction, caller: Caller, action: str, scope: Scope, resource: str, epoch: int, repository: Repository | None
) -> tuple[PolicySet, RegistryPolicies | None]:
    """The repository's policy, and the registry's where it has one; None: it has none, or is not asked."""
    own = EMPTY
    if repository is not None and repository.policy is not None:
        kind = Kind.REPOSITORY if scope.region else Kind.PUBLIC_REPOSITORY
        own = resource_policies(repository.policy, repository.policy_bindings, kind, repository.arn)
    if resource == "*" or not action.startswith("ecr:"):
        return own, None
    registry = registry_policies(tx, scope, caller, epoch)
    return own, registry if registry.policies is not EMPTY else None


def _decide(
    tx: ReadTransaction,
    caller: Caller,
    snapshot: Snapshot,
    action: str,
    question: Question,
    own: PolicySet,
    registry: RegistryPolicies | None,
) -> Decision:
    scope, resource = question.scope, question.resource
    principal = principal_of(snapshot, caller)
    identity = snapshot.policies
    if snapshot.identity is None and principal.kind is PrincipalKind.FEDERATED_USER:
        identity = _EVERYTHING  # a root's federated user may do what its session's policies allow
    region = scope.region or PUBLIC_HOME
    context = CallContext(tx, caller, principal, snapshot.tags, region, scope.registry_id, question.facts, question.repository)
    policies = Policies(
        identity=identity,
        boundary=snapshot.boundary,
        session=session_policies(tx, caller.session, caller.account_id, snapshot.epoch),
        scopes=scope_policies(caller.session),
        resource=own,
        registry=EMPTY if registry is None else registry.policies,
        registry_scope=RegistryScope.V2 if registry is None else registry.scope,
    )
    request = Request(principal, action, resource, scope.registry_id, context)
    decision = decide(request, policies)
    if resource == "*" and caller.account_id != scope.registry_id and decision.allowed:
        # What has no resource of its own is done in one's own account only: nobody there can have allowed it.
        return Decision(Outcome.IMPLICIT_DENY, PolicyType.RESOURCE, None, request, policies)
    return decision


def _asks_no_context(decision: Decision) -> bool:
    """Whether an Allow would stand whatever the context: no Deny and no statement that it needs has a condition or a variable."""
    action, resource = decision.request.action.lower(), decision.request.resource
    needed = [decision.statement] if decision.statement is not None else []
    for role, policies in decision.policies.by_type(action):
        about = policies.candidates(action, resource)
        needed += about.denies
        if role in _LIMITS:
            needed += about.allows[:1]  # those without conditions come first
    return not any(map(_asks_context, needed))


def _asks_context(statement: CompiledStatement) -> bool:
    return bool(statement.conditions) or (statement.resources is not None and bool(statement.resources.templates))
