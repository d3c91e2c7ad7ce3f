"""May this principal do this? One function decides, for live calls and for simulations.

Source: IAM User Guide, "Policy evaluation logic", with the tables of how resource-based policies interact with boundaries and
session policies. In short: a Deny that applies anywhere decides; then service and resource control policies have to allow;
within an account an Allow of either side is enough, across accounts both sides have to allow.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from moorage.model.errors import AccessDenied
from moorage.policy.compile import EMPTY, CompiledStatement, PolicySet
from moorage.policy.context import Context
from moorage.policy.document import Policy
from moorage.policy.principals import Match, Principal, PrincipalKind

UNCONTROLLED = frozenset(("sts:getcalleridentity", "sts:getsessiontoken"))
"""No policy is asked for these. Source: IAM User Guide, "Permissions for AssumeRole" and STS API reference."""
V1_ACTIONS = frozenset(("ecr:replicateimage", "ecr:batchimportupstreamimage", "ecr:createrepository"))
"""What a registry policy of scope V1 is asked about. Source: ECR User Guide, "Private registry permissions"."""
RESCUES = frozenset(
    ("ecr:setrepositorypolicy", "ecr:deleterepositorypolicy", "ecr:putregistrypolicy", "ecr:deleteregistrypolicy")
)
"""Ours: an account's root may always do these in its own account, whatever its resource policies deny."""


class RegistryScope(enum.Enum):
    """Which actions a registry policy is asked about: the account setting REGISTRY_POLICY_SCOPE."""

    V1 = "V1"
    V2 = "V2"


def is_within_v1(policy: Policy) -> bool:
    """Tell whether a registry policy names no actions but those that scope V1 has. Source: PutRegistryPolicy."""
    return all(
        not statement.not_actions and V1_ACTIONS.issuperset(action.lower() for action in statement.actions)
        for statement in policy.statements
    )


class PolicyType(enum.Enum):
    """A role that policies have in an evaluation; the value is what AWS calls it."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    SERVICE_CONTROL = "service control policy"
    RESOURCE_CONTROL = "resource control policy"


class Outcome(enum.Enum):
    """A verdict; the value is that of a simulation's EvalDecision."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked. `action` is in its own case, `resource` an ARN or ``*`` for actions without a resource type."""

    principal: Principal
    action: str
    resource: str
    resource_account: str
    """Whose the resource is."""
    context: Context


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies with a say in a request, by their roles."""

    identity: PolicySet = EMPTY
    boundary: PolicySet | None = None
    """None: the principal has no permissions boundary."""
    session: PolicySet | None = None
    """None: the session is not limited. A federated user whose call passed none has `EMPTY`."""
    resource: PolicySet = EMPTY
    """Of the resource: repository policy, trust policy of a role."""
    registry: PolicySet = EMPTY
    registry_scope: RegistryScope = RegistryScope.V2
    service_control: tuple[PolicySet, ...] = ()
    """One set for each level from the root of the organization to the account; every one has to allow."""
    resource_control: tuple[PolicySet, ...] = ()
    scopes: tuple[PolicySet, ...] = ()
    """Scope-down policies of GetScopedCredentials: every one has to allow, whatever other policies grant."""

    def resource_sets(self, action: str) -> tuple[PolicySet, ...]:
        """The resource-based policies that are asked about an action, given in lower case."""
        if not self.registry.policies:
            return (self.resource,)
        is_asked = action in V1_ACTIONS if self.registry_scope is RegistryScope.V1 else action.startswith("ecr:")
        return (self.resource, self.registry) if is_asked else (self.resource,)

    def by_type(self, action: str) -> Iterator[tuple[PolicyType, PolicySet]]:
        """All sets that are asked, in the order in which a Deny in them is reported."""
        yield from ((PolicyType.SERVICE_CONTROL, level) for level in self.service_control)
        yield from ((PolicyType.RESOURCE_CONTROL, level) for level in self.resource_control)
        yield from ((PolicyType.RESOURCE, policies) for policies in self.resource_sets(action))
        yield PolicyType.IDENTITY, self.identity
        if self.boundary is not None:
            yield PolicyType.BOUNDARY, self.boundary
        if self.session is not None:
            yield PolicyType.SESSION, self.session
        yield from ((PolicyType.SESSION, scope) for scope in self.scopes)


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and what it rests on."""

    outcome: Outcome
    decided_by: PolicyType | None
    """Whose Allow or Deny decided, or whose Allow is missing; None: no policy was needed, as for an account's root."""
    statement: CompiledStatement | None
    """The one that decided; None for an implicit deny."""
    request: Request
    policies: Policies

    @property
    def allowed(self) -> bool:
        """True if the request may go on."""
        return self.outcome is Outcome.ALLOWED

    @property
    def reason(self) -> str:
        """Why not, as `AccessDenied` takes it; empty if it is allowed."""
        if self.outcome is Outcome.ALLOWED or self.decided_by is None:
            return ""
        kind = self.decided_by.value
        if self.outcome is Outcome.IMPLICIT_DENY:
            return f"no {kind} allows the {self.request.action} action"
        article = "an" if kind[0] in "aeiou" else "a"
        source = self.statement.source if self.statement is not None else None
        named = f": {source.id}" if source is not None and source.is_managed and self.decided_by in _NAMED else ""
        return f"with an explicit deny in {article} {kind}{named}"

    def error(self) -> AccessDenied:
        """The error that tells a denial to the caller."""
        request = self.request
        return AccessDenied(request.principal.arn, request.action, request.resource, self.reason)


_NAMED = frozenset((PolicyType.IDENTITY, PolicyType.BOUNDARY, PolicyType.SESSION))
"""Types whose managed policies are named in the text of an explicit deny."""


def decide(request: Request, policies: Policies) -> Decision:
    """Decide a request."""
    action = request.action.lower()
    if action in UNCONTROLLED:
        return Decision(Outcome.ALLOWED, None, None, request, policies)
    ask = _Question(request, policies, action)
    denied = ask.explicit_deny()
    if denied is not None:
        return Decision(Outcome.EXPLICIT_DENY, *denied, request, policies)
    outcome, decided_by, statement = ask.allow()
    return Decision(outcome, decided_by, statement, request, policies)


_Answer = tuple[Outcome, PolicyType | None, CompiledStatement | None]


class _Question:
    """One request under evaluation."""

    __slots__ = ("_has_boundary", "action", "policies", "request", "resource_sets")

    def __init__(self, request: Request, policies: Policies, action: str) -> None:
        self.request = request
        self.policies = policies
        self.action = action
        self.resource_sets = policies.resource_sets(action)
        self._has_boundary = policies.boundary is not None

    def explicit_deny(self) -> tuple[PolicyType, CompiledStatement] | None:
        """The Deny that applies; of several, one of the type that is reported first."""
        for kind, policies in self.policies.by_type(self.action):
            statement = self._deny(policies)
            if statement is not None and not (kind is PolicyType.RESOURCE and self._is_rescue()):
                return kind, statement
        return None

    def _deny(self, policies: PolicySet) -> CompiledStatement | None:
        request = self.request
        for statement in policies.candidates(self.action, request.resource).denies:
            if self._match(statement) and statement.holds(request.resource, request.context):
                return statement
        return None

    def _match(self, statement: CompiledStatement) -> Match:
        """How it names the principal. A statement without principals is about whoever it is attached to."""
        if statement.principals is None:
            return Match.SELF
        return statement.principals.match(self.request.principal, has_boundary=self._has_boundary)

    def _is_rescue(self) -> bool:
        return (
            self.action in RESCUES
            and self.request.principal.kind is PrincipalKind.ROOT
            and self.request.principal.account == self.request.resource_account
        )

    def _allowing(self, policies: PolicySet) -> CompiledStatement | None:
        """An Allow that applies, in policies whose statements name no principals or name everybody."""
        request = self.request
        for statement in policies.candidates(self.action, request.resource).allows:
            if statement.is_plain or (self._match(statement) and statement.holds(request.resource, request.context)):
                return statement
        return None

    def _resource_grant(self) -> tuple[Match, CompiledStatement | None]:
        """The strongest Allow of the resource-based policies."""
        request = self.request
        best, by = Match.NONE, None
        for policies in self.resource_sets:
            for statement in policies.candidates(self.action, request.resource).allows:
                match = self._match(statement)
                if match > best and statement.holds(request.resource, request.context):
                    best, by = match, statement
        return best, by

    def allow(self) -> _Answer:
        """The verdict when nothing denies explicitly."""
        for kind, levels in (
            (PolicyType.RESOURCE_CONTROL, self.policies.resource_control),
            (PolicyType.SERVICE_CONTROL, self.policies.service_control),
            (PolicyType.SESSION, self.policies.scopes),
        ):
            if not all(map(self._allowing, levels)):
                return Outcome.IMPLICIT_DENY, kind, None
        principal = self.request.principal
        grant, by = self._resource_grant()
        if principal.kind is PrincipalKind.SERVICE or principal.kind is PrincipalKind.WEB_IDENTITY:
            # They have no policies of their own, and "*" is not meant for them.
            wanted = Match.SERVICE if principal.kind is PrincipalKind.SERVICE else Match.FEDERATED
            return self._allowed_by(by) if grant is wanted else _lacking(PolicyType.RESOURCE)
        if principal.account and (principal.account == self.request.resource_account or self.request.resource == "*"):
            return self._within_account(grant, by)
        return self._across_accounts(grant)

    def _within_account(self, grant: Match, by: CompiledStatement | None) -> _Answer:
        is_user = self.request.principal.kind is PrincipalKind.USER
        if grant is Match.SELF or (grant is Match.ANYONE and is_user):
            return self._allowed_by(by)
        if grant in (Match.ANYONE, Match.ROLE):
            missing = self._missing_limit()
            return self._allowed_by(by) if missing is None else _lacking(missing)
        if self.policies.resource.has_trust and grant is Match.NONE:
            return _lacking(PolicyType.RESOURCE)
        return self._by_identity()

    def _across_accounts(self, grant: Match) -> _Answer:
        own_side = self._by_identity()
        if own_side[0] is Outcome.ALLOWED and grant is Match.NONE:
            return _lacking(PolicyType.RESOURCE)
        return own_side

    def _by_identity(self) -> _Answer:
        """What the principal's own account says: identity policies, within boundary and session policies."""
        principal = self.request.principal
        by = self._allowing(self.policies.identity)
        if by is None and principal.kind is not PrincipalKind.ROOT:
            return _lacking(PolicyType.IDENTITY)
        missing = self._missing_limit()
        if missing is not None:
            return _lacking(missing)
        return Outcome.ALLOWED, PolicyType.IDENTITY if by is not None else None, by

    def _missing_limit(self) -> PolicyType | None:
        """Which of boundary and session policies is there and does not allow."""
        boundary, session = self.policies.boundary, self.policies.session
        if boundary is not None and self._allowing(boundary) is None:
            return PolicyType.BOUNDARY
        return PolicyType.SESSION if session is not None and self._allowing(session) is None else None

    @staticmethod
    def _allowed_by(by: CompiledStatement | None) -> _Answer:
        return Outcome.ALLOWED, PolicyType.RESOURCE, by


def _lacking(kind: PolicyType) -> _Answer:
    return Outcome.IMPLICIT_DENY, kind, None
