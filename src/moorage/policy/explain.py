"""Why a decision is what it is: which statement decided, what was missing, which statements nearly applied and why they did not.

All of it is worked out again from the decision's own request and policies, so that deciding costs nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from moorage.policy.compile import CompiledStatement, PolicySet
from moorage.policy.document import Policy, PolicyStatement
from moorage.policy.evaluate import Decision, Outcome, PolicyType
from moorage.policy.jsontext import Span, statement_spans
from moorage.policy.operators import takes_variables
from moorage.policy.resources import Fit, split_arn
from moorage.policy.variables import variable_keys

MAX_NEAR = 20
"""Statements that nearly applied, at most: more help nobody."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a statement stands."""

    policy_id: str
    policy_type: str
    """Type of the source, as a simulation shows it."""
    role: PolicyType
    """What the policy is in this evaluation."""
    index: int
    sid: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Failure:
    """One element of a statement that a request does not meet."""

    element: str
    """``Action``, ``Resource``, ``Principal`` (or their negation) or ``Condition``."""
    wanted: tuple[str, ...]
    got: tuple[str, ...]
    """Empty: the request has no such key."""
    operator: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Near:
    """An Allow whose action or resource fits, and what kept it from applying."""

    origin: Origin
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision in facts."""

    decision: Decision
    matched: tuple[Origin, ...]
    """All statements that lead to the same verdict, the deciding one first."""
    missing: PolicyType | None
    """Of an implicit deny: the kind of policy in which an Allow is wanting."""
    near: tuple[Near, ...]
    missing_keys: tuple[str, ...]
    allowed_by_boundary: bool | None
    """None: there is no boundary."""
    assumed: tuple[str, ...] = ()
    """What was not known of the principal and what was assumed in its place: always what allows most."""


def explain(decision: Decision) -> Explanation:
    """Work out the reasons of a decision."""
    denied = decision.outcome is Outcome.IMPLICIT_DENY
    boundary = decision.policies.boundary
    return Explanation(
        decision,
        tuple(_matched(decision)),
        decision.decided_by if denied else None,
        tuple(_near(decision)) if denied else (),
        missing_keys(decision),
        None if boundary is None else _allows(decision, boundary),
    )


def origin(statement: CompiledStatement, role: PolicyType) -> Origin:
    """Where a statement stands; its place in the text is looked up now."""
    source, index = statement.source, statement.statement.index
    span = statement_spans(statement.document.text)[index]
    return Origin(source.id, source.type, role, index, statement.statement.sid, span)


def _statements(decision: Decision) -> Iterator[tuple[PolicyType, CompiledStatement]]:
    for role, policies in decision.policies.by_type(decision.request.action.lower()):
        for policy in policies.policies:
            for statement in policy.statements:
                yield role, statement


def _matched(decision: Decision) -> Iterator[Origin]:
    if decision.statement is None or decision.decided_by is None:
        return
    yield origin(decision.statement, decision.decided_by)
    allows = decision.allowed
    for role, statement in _statements(decision):
        is_other = statement is not decision.statement and statement.statement.allows is allows
        if is_other and role is decision.decided_by and not any(_failures(decision, statement)):
            yield origin(statement, role)


def _allows(decision: Decision, policies: PolicySet) -> bool:
    applying = [
        statement.statement.allows
        for policy in policies.policies
        for statement in policy.statements
        if not any(_failures(decision, statement))
    ]
    return bool(applying) and all(applying)


def _failures(decision: Decision, compiled: CompiledStatement) -> Iterator[Failure]:
    request, statement = decision.request, compiled.statement
    if compiled.principals is not None:
        has_boundary = decision.policies.boundary is not None
        if not compiled.principals.match(request.principal, has_boundary=has_boundary):
            named = statement.principals
            wanted = () if named is None else (*named.accounts, *named.arns, *named.services, *named.federated)
            negation = "Not" if compiled.principals.negated else ""
            yield Failure(f"{negation}Principal", wanted, (request.principal.arn,))
    if not compiled.actions.matches(request.action.lower()):
        yield Failure("NotAction" if statement.not_actions else "Action", statement.actions, (request.action,))
    if not compiled.fits(request.resource, request.context):
        element = "NotResource" if statement.not_resources else "Resource"
        yield Failure(element, statement.resources or (), (request.resource,))
    for test in compiled.conditions:
        if not test.holds(request.context):
            value = request.context.get(test.key)
            got = () if value is None else (value,) if isinstance(value, str) else tuple(value)
            yield Failure("Condition", test.condition.values, got, test.condition.name, test.condition.key)


def _near(decision: Decision) -> Iterator[Near]:
    """The Allows of the missing kind that are about the action or, failing that, about this very resource."""
    found = 0
    for role, statement in _statements(decision):
        if role is not decision.decided_by or not statement.statement.allows:
            continue
        failures = tuple(_failures(decision, statement))
        elements = {failure.element.removeprefix("Not") for failure in failures}
        is_about_all = statement.resources is not None and statement.resources.everything
        if "Action" in elements and ("Resource" in elements or is_about_all or statement.resources is None):
            continue
        found += 1
        if found > MAX_NEAR:
            return
        # No failure: it applies, but names the principal in a way that is no grant by itself.
        yield Near(origin(statement, role), failures or (_only_delegates(statement, decision),))


def _only_delegates(statement: CompiledStatement, decision: Decision) -> Failure:
    named = statement.statement.principals
    return Failure("Principal", () if named is None else named.accounts, (decision.request.principal.arn,))


def missing_keys(decision: Decision) -> tuple[str, ...]:
    """The condition keys that the statements about this action and resource name and the request does not have, sorted."""
    request, keys = decision.request, dict[str, str]()
    arn = split_arn(request.resource)
    for _, compiled in _statements(decision):
        if compiled.actions.matches(request.action.lower()) and compiled.fit(request.resource, arn) is not Fit.NO:
            for key in _keys(compiled.document, compiled.statement):
                keys.setdefault(key.lower(), key)
    return tuple(sorted(written for key, written in keys.items() if not _is_there(request.context.get(key))))


def context_keys(policies: Iterable[Policy]) -> tuple[str, ...]:
    """All condition keys that policies name, in conditions and as variables, as first written, sorted."""
    keys = dict[str, str]()
    for policy in policies:
        for statement in policy.statements:
            for key in _keys(policy, statement):
                keys.setdefault(key.lower(), key)
    return tuple(sorted(keys.values()))


def _keys(policy: Policy, statement: PolicyStatement) -> Iterator[str]:
    for condition in statement.conditions:
        yield condition.key
        if policy.has_variables and takes_variables(condition.operator):
            for value in condition.values:
                yield from variable_keys(value)
    if policy.has_variables:
        for resource in statement.resources or ():
            yield from variable_keys(resource)


def _is_there(value: object) -> bool:
    return isinstance(value, str) or bool(value)


def to_dict(explanation: Explanation) -> dict[str, Any]:
    """The explanation as JSON has it."""
    decision = explanation.decision
    return {
        "principal": decision.request.principal.arn,
        "action": decision.request.action,
        "resource": decision.request.resource,
        "decision": decision.outcome.value,
        "decidedBy": None if decision.decided_by is None else decision.decided_by.value,
        "reason": decision.reason,
        "matched": [origin_dict(each) for each in explanation.matched],
        "missing": None if explanation.missing is None else explanation.missing.value,
        "near": [
            {**origin_dict(near.origin), "failures": [_failure_dict(failure) for failure in near.failures]}
            for near in explanation.near
        ],
        "missingContextKeys": list(explanation.missing_keys),
        "allowedByBoundary": explanation.allowed_by_boundary,
        "assumed": list(explanation.assumed),
    }


def origin_dict(where: Origin) -> dict[str, Any]:
    """A statement's place as JSON has it."""
    span = where.span
    return {
        "policy": where.policy_id,
        "policyType": where.policy_type,
        "role": where.role.value,
        "statement": where.index,
        "sid": where.sid,
        "start": {"line": span.start_line, "column": span.start_column},
        "end": {"line": span.end_line, "column": span.end_column},
    }


def _failure_dict(failure: Failure) -> dict[str, Any]:
    told: dict[str, Any] = {"element": failure.element, "wanted": list(failure.wanted), "got": list(failure.got)}
    return {**told, "operator": failure.operator, "key": failure.key} if failure.key else told


def to_text(explanation: Explanation) -> str:
    """The explanation for humans, a fact to a line."""
    decision, request = explanation.decision, explanation.decision.request
    verdict = "may" if decision.allowed else "may not"
    lines = [f"{request.principal.arn or 'anonymous'} {verdict} {request.action} on {request.resource}"]
    if decision.reason:
        lines.append(f"  {decision.reason}")
    elif decision.decided_by is None:
        lines.append("  no policy is needed for it")
    lines += [f"  decided by {origin_text(each)}" for each in explanation.matched]
    for near in explanation.near:
        lines.append(f"  nearly: {origin_text(near.origin)}")
        lines += [f"    {_failure_text(failure)}" for failure in near.failures]
    if explanation.missing_keys:
        lines.append(f"  the request has no {', '.join(explanation.missing_keys)}")
    lines += [f"  assumed: {each}" for each in explanation.assumed]
    return "\n".join(lines)


def origin_text(where: Origin) -> str:
    """A statement's place for humans."""
    span = where.span
    lines = f"line {span.start_line}" if span.start_line == span.end_line else f"lines {span.start_line}-{span.end_line}"
    name = f"{where.sid!r} " if where.sid else ""
    return f"statement {where.index + 1} {name}of {where.role.value} {where.policy_id} ({lines})"


def _failure_text(failure: Failure) -> str:
    got = ", ".join(failure.got) or "nothing"
    what = f"{failure.operator} {failure.key}" if failure.key else failure.element
    return f"{what} wants {', '.join(failure.wanted) or 'nobody'}, got {got}"
