"""What policies would say: the IAM policy simulator. Source: SimulatePrincipalPolicy, SimulateCustomPolicy and
GetContextKeysFor...Policy of IAM.

The decisions are those of live calls (`policy.evaluate`); only where policies and context come from differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from moorage.auth.authorize import snapshot_about
from moorage.metadata.identity.records import Identity
from moorage.metadata.transaction import ReadTransaction
from moorage.model.errors import MalformedPolicy
from moorage.model.identity import KINDS, account_of_root, parse_iam_arn
from moorage.model.identity_errors import EntityNotFound, InputInvalid
from moorage.model.principal import Caller
from moorage.operations.identity.authorized import identity_for, permit
from moorage.operations.identity.paging import Key, Page
from moorage.operations.identity.simulated_context import ContextEntry, context_of
from moorage.policy import actions
from moorage.policy.compile import EMPTY, CompiledPolicy, PolicySet, Source, compile_policy
from moorage.policy.context import Value
from moorage.policy.document import Kind, Policy
from moorage.policy.evaluate import Outcome, Policies, Request, decide
from moorage.policy.explain import Explanation, context_keys, explain
from moorage.policy.parse import parse
from moorage.policy.principals import Principal, PrincipalKind

_WORK = 50_000
"""Statements that one page is worked out from, at most: long policies give short pages."""
_RESOURCE_KINDS = (Kind.REPOSITORY, Kind.TRUST, Kind.REGISTRY, Kind.PUBLIC_REPOSITORY, Kind.RESOURCE_CONTROL)
"""What a resource-based policy may be; the last one takes the actions of any service, on resources that it names."""
_NOBODY = Principal(PrincipalKind.USER, "")
_NEEDS_CALLER = "CallerArn has to name a user when a ResourcePolicy is given."


@dataclass(frozen=True, slots=True)
class Simulation:
    """What is to be simulated. `boundary` None: that of the principal, if there is one."""

    actions: Sequence[str]
    resources: Sequence[str] = ()
    policies: Sequence[str] = ()
    boundary: Sequence[str] | None = None
    service_control: Sequence[Sequence[str]] = ()
    """By level, from the organization's root to the account."""
    resource_policy: str | None = None
    resource_owner: str | None = None
    caller_arn: str | None = None
    context: Sequence[ContextEntry] = ()
    excluded: frozenset[str] = frozenset()
    """Of its own policies: ARNs and types (``inline``, ``aws-managed``, ``user-managed``, ``permission-boundary``)."""
    excluded_inline: Sequence[tuple[str, str, str]] = ()
    """Inline policies to leave out: name, kind and name of the holder."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """One pair of action and resource, decided. `details` is None for a request that is about no particular resource."""

    explanation: Explanation
    details: Mapping[str, Outcome] | None
    """By kind of policy, across accounts; empty within one."""
    allowed_by_organization: bool | None
    """None: no service control policies were given."""

    @property
    def action(self) -> str:
        """As it was asked about."""
        return self.explanation.decision.request.action

    @property
    def resource(self) -> str:
        """The ARN, or ``*``."""
        return self.explanation.decision.request.resource


@dataclass(frozen=True, slots=True)
class _Setting:
    """What all pairs of a simulation have in common."""

    principal: Principal
    account: str
    context: Mapping[str, Value]
    policies: Policies
    resources: Sequence[str]

    def owner_of(self, resource: str, owner: str | None) -> str:
        """The account of a resource: by its ARN, else as it is given, else the caller's."""
        parts = resource.split(":", 5)
        named = parts[4] if len(parts) == 6 else ""
        return named or owner or self.account


def simulate_custom_policy(
    tx: ReadTransaction, caller: Caller, simulation: Simulation, after: Key, count: int
) -> Page[Simulated]:
    """Decide every action on every resource by the given policies alone. Raises InputInvalid."""
    permit(tx, caller, "SimulateCustomPolicy", "*")
    if simulation.resource_policy is not None and simulation.caller_arn is None:
        raise InputInvalid(_NEEDS_CALLER)
    principal = _caller(simulation.caller_arn)
    given = PolicySet(_compiled(simulation.policies, "PolicyInputList", Kind.IDENTITY))
    return _page(_setting(caller, simulation, principal, {}, given, None), simulation, after, count)


def simulate_principal_policy(
    tx: ReadTransaction, caller: Caller, source_arn: str, simulation: Simulation, after: Key, count: int
) -> Page[Simulated]:
    """Decide every action on every resource by the policies of a user, group or role, and by those given.

    Raises:
        EntityNotFound, InputInvalid
    """
    source = _entity(tx, caller, "SimulatePrincipalPolicy", source_arn)
    snapshot = snapshot_about(tx, Caller("", source.account_id, source.id, source.arn))
    own = [policy for policy in snapshot.policies.policies if not _is_excluded(simulation, policy, source)]
    given = _compiled(simulation.policies, "PolicyInputList", Kind.IDENTITY)
    if source.kind == "user" and simulation.caller_arn in {None, source.arn}:
        principal, tags = snapshot.principal, snapshot.tags
    elif source.kind == "role" and simulation.caller_arn is None:
        principal, tags = replace(snapshot.principal, arn=source.arn, unique_id=""), snapshot.tags
    else:
        principal, tags = _caller(simulation.caller_arn), {}
    if simulation.resource_policy is not None and (principal.kind is not PrincipalKind.USER or not principal.arn):
        raise InputInvalid(_NEEDS_CALLER)
    boundary = None if "permission-boundary" in simulation.excluded else snapshot.boundary
    setting = _setting(caller, simulation, principal, tags, PolicySet([*own, *given]), boundary)
    return _page(setting, simulation, after, count)


def context_keys_for_custom_policy(tx: ReadTransaction, caller: Caller, texts: Sequence[str]) -> tuple[str, ...]:
    """The condition keys that policies name. Raises InputInvalid."""
    permit(tx, caller, "GetContextKeysForCustomPolicy", "*")
    return context_keys(_parsed(text, Kind.IDENTITY) for text in texts)


def context_keys_for_principal_policy(
    tx: ReadTransaction, caller: Caller, source_arn: str, texts: Sequence[str]
) -> tuple[str, ...]:
    """The condition keys that the policies of an identity name, and those given. Raises EntityNotFound, InputInvalid."""
    source = _entity(tx, caller, "GetContextKeysForPrincipalPolicy", source_arn)
    snapshot = snapshot_about(tx, Caller("", source.account_id, source.id, source.arn))
    own = [policy.document for policy in snapshot.policies.policies]
    return context_keys([*own, *(_parsed(text, Kind.IDENTITY) for text in texts)])


def _entity(tx: ReadTransaction, caller: Caller, action: str, arn: str) -> Identity:
    """The user, group or role with that ARN, in the caller's account. Raises EntityNotFound, InputInvalid."""
    parts = parse_iam_arn(arn)
    kind = next((each for each in KINDS if parts is not None and parts.kind == each), None)
    if parts is None or kind is None or parts.account != caller.account_id:
        permit(tx, caller, action, arn)
        raise InputInvalid(f"Invalid Entity Arn: {arn[:256]}")
    found = identity_for(tx, caller, action, kind, parts.name)
    if found.arn != arn:
        raise EntityNotFound(kind, parts.name)
    return found


def _is_excluded(simulation: Simulation, policy: CompiledPolicy, source: Identity) -> bool:
    known = policy.source
    if known.is_managed:
        return known.type in simulation.excluded or known.id in simulation.excluded
    if "inline" in simulation.excluded:
        return True
    return any(
        name == known.id and kind == known.type and (kind == "group" or holder in {"*", source.name})
        for name, kind, holder in simulation.excluded_inline
    )


def _caller(arn: str | None) -> Principal:
    """The simulated caller. Raises InputInvalid: not the ARN of a user."""
    if arn is None:
        return _NOBODY
    parts = parse_iam_arn(arn)
    if parts is None or parts.kind != "user":
        raise InputInvalid(f"Invalid Caller Arn: {arn[:256]}")
    return Principal.user(arn, "")


def _setting(
    caller: Caller,
    simulation: Simulation,
    principal: Principal,
    tags: Mapping[str, str],
    identity: PolicySet,
    boundary: PolicySet | None,
) -> _Setting:
    unknown = next((name for name in simulation.actions if name.lower() not in actions.NAMES), None)
    if unknown is not None:
        raise InputInvalid(f"Invalid action name: {unknown[:128]}")
    resources = list(simulation.resources) or ["*"]
    wrong = next((text for text in resources if not _is_resource(text)), None)
    if wrong is not None:
        raise InputInvalid(f"ResourceNames are not in a valid ARN format: {wrong[:256]}.")
    if simulation.resource_owner is not None and account_of_root(simulation.resource_owner) is None:
        raise InputInvalid(f"'{simulation.resource_owner[:256]}' is not a valid as a Resource Owner.")
    if simulation.boundary is not None:
        if len(simulation.boundary) > 1:
            raise InputInvalid("Only one permissions boundary can be given.")
        limits = _compiled(simulation.boundary, "PermissionsBoundaryPolicyInputList", Kind.BOUNDARY)
        boundary = PolicySet(limits) if limits else boundary
    levels = [
        PolicySet(_compiled(texts, f"OrderedOrganizationPolicyInputList.{number}", Kind.SERVICE_CONTROL))
        for number, texts in enumerate(simulation.service_control, 1)
    ]
    policies = Policies(
        identity=identity,
        boundary=boundary,
        resource=EMPTY if simulation.resource_policy is None else _resource_policy(simulation.resource_policy),
        service_control=tuple(levels),
    )
    context = context_of(simulation.context, principal if principal.arn else None, tags)
    return _Setting(principal, principal.account or caller.account_id, context, policies, resources)


def _is_resource(text: str) -> bool:
    parts = text.split(":", 5)
    return text == "*" or (len(parts) == 6 and parts[0] == "arn" and all(parts[1:3]) and bool(parts[5]))


def _page(setting: _Setting, simulation: Simulation, after: Key, count: int) -> Page[Simulated]:
    """Results from the number that `after` holds on: actions in the order given, each with the resources in theirs."""
    first = int(after[0]) if after else 0
    statements = sum(len(policy.statements) for _, each in setting.policies.by_type("*") for policy in each.policies)
    count = max(1, min(count, _WORK // max(statements, 1)))
    total = len(simulation.actions) * len(setting.resources)
    end = min(first + count, total)
    items = []
    for number in range(first, end):
        action, resource = divmod(number, len(setting.resources))
        items.append(_simulate(setting, simulation, simulation.actions[action], setting.resources[resource]))
    return Page(items, [end] if end < total else None)


def _simulate(setting: _Setting, simulation: Simulation, action: str, resource: str) -> Simulated:
    named = account_of_root(simulation.resource_owner) if simulation.resource_owner is not None else None
    owner = setting.owner_of(resource, named)
    principal = setting.principal
    if not principal.account:  # a policy without a holder: it is taken to be one of the account that owns the resource
        principal = Principal(PrincipalKind.USER, "", owner)
    decision = decide(Request(principal, action, resource, owner, setting.context), setting.policies)
    levels = setting.policies.service_control
    organization = None
    if levels:
        asked = Request(principal, action, resource, principal.account, setting.context)
        organization = decide(asked, Policies(identity=_EVERYTHING, service_control=levels)).allowed
    details: dict[str, Outcome] | None = None
    if resource != "*" and organization is not False:
        details = {} if owner == principal.account else _details(setting, principal, action, resource, owner)
    return Simulated(explain(decision), details, organization)


def _details(setting: _Setting, principal: Principal, action: str, resource: str, owner: str) -> dict[str, Outcome]:
    """How either side contributes across accounts: each decided as if the other allowed everything."""
    own = Request(principal, action, resource, principal.account, setting.context)
    policies = setting.policies
    identity = decide(own, Policies(identity=policies.identity, boundary=policies.boundary))
    theirs = decide(
        Request(principal, action, resource, owner, setting.context),
        Policies(identity=_EVERYTHING, resource=policies.resource),
    )
    return {"IAM Policy": identity.outcome, "Resource Policy": theirs.outcome}


def _resource_policy(text: str) -> PolicySet:
    refused: MalformedPolicy | None = None
    for kind in _RESOURCE_KINDS:
        try:
            return PolicySet([compile_policy(parse(text, kind), Source("ResourcePolicy", type="resource"))])
        except MalformedPolicy as error:
            refused = refused or error
    raise InputInvalid(f"Invalid resource policy: {refused}")


def _compiled(texts: Sequence[str], member: str, kind: Kind) -> list[CompiledPolicy]:
    return [compile_policy(_parsed(text, kind), Source(f"{member}.{number}")) for number, text in enumerate(texts, 1)]


def _parsed(text: str, kind: Kind) -> Policy:
    try:
        return parse(text, kind)
    except MalformedPolicy as error:
        raise InputInvalid(str(error)) from None


_EVERYTHING = PolicySet(
    _compiled(
        ['{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'], "everything", Kind.IDENTITY
    )
)
