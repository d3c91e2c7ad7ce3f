"""Decisions when part of the context is not known: what holds whatever it turns out to be, and what may hold.

Adding an Allow never denies and adding a Deny never allows, so the truth lies between two ordinary decisions (`evaluate.decide`):
one in which every statement that asks for something unknown does its worst (an Allow is left out, a Deny applies), and one in
which it does its best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from moorage.policy.compile import CompiledPolicy, CompiledStatement, PolicySet
from moorage.policy.evaluate import Decision, Outcome, Policies, Request, decide
from moorage.policy.operators import takes_variables
from moorage.policy.resources import Fit, split_arn
from moorage.policy.variables import variable_keys


@dataclass(frozen=True, slots=True)
class Partly:
    """Two decisions between which the truth lies."""

    certain: Decision
    possible: Decision
    unknown_keys: tuple[str, ...]
    """Those on which it depends, as they are written, sorted; empty where the decisions are the same."""

    @property
    def is_settled(self) -> bool:
        """Both say the same."""
        return self.certain.allowed is self.possible.allowed


class PartialView:
    """What is known: a predicate of condition keys in lower case. What was worked out for a set of policies is kept."""

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self._is_known = is_known
        self._made: dict[PolicySet, tuple[PolicySet, PolicySet]] = {}

    def decide(self, request: Request, policies: Policies) -> Partly:
        """Decide a request whose context may be asked for known keys only."""
        worst, best = self._views(policies)
        certain = decide(request, worst)
        possible = certain if worst is best or certain.allowed else decide(request, best)
        differ = certain.allowed is not possible.allowed
        return Partly(certain, possible, tuple(self._unknown(request, policies)) if differ else ())

    def _views(self, policies: Policies) -> tuple[Policies, Policies]:
        worst, best = self._view_of(policies, 0), self._view_of(policies, 1)
        return (policies, policies) if worst == best else (worst, best)

    def _view_of(self, policies: Policies, place: int) -> Policies:
        boundary, session = policies.boundary, policies.session
        return replace(
            policies,
            identity=self._split(policies.identity)[place],
            boundary=None if boundary is None else self._split(boundary)[place],
            session=None if session is None else self._split(session)[place],
            scopes=tuple(self._split(scope)[place] for scope in policies.scopes),
            resource=self._split(policies.resource)[place],
            registry=self._split(policies.registry)[place],
        )

    def _split(self, policies: PolicySet) -> tuple[PolicySet, PolicySet]:
        made = self._made.get(policies)
        if made is None:
            if any(self._asks_unknown(statement) for policy in policies.policies for statement in policy.statements):
                made = PolicySet(self._view(policies, keep=False)), PolicySet(self._view(policies, keep=True))
            else:
                made = policies, policies
            self._made[policies] = made
        return made

    def _view(self, policies: PolicySet, *, keep: bool) -> Iterator[CompiledPolicy]:
        """The policies with Allows that ask for something unknown applying (`keep`) or left out; Denies the other way."""
        for policy in policies.policies:
            statements = []
            for statement in policy.statements:
                if not self._asks_unknown(statement):
                    statements.append(statement)
                elif statement.statement.allows is keep:
                    statements.append(self._without_unknown(statement))
            yield replace(policy, statements=tuple(statements))

    def _without_unknown(self, statement: CompiledStatement) -> CompiledStatement:
        conditions = tuple(test for test in statement.conditions if not self._is_unknown_test(statement, test.condition.key))
        resources = statement.resources
        if resources is not None and any(map(self._lacks, _resource_keys(statement))):
            resources = None  # whichever one a variable stands for
        has_templates = resources is not None and bool(resources.templates)
        plain = statement.principals is None and not conditions and not has_templates
        return replace(statement, conditions=conditions, resources=resources, is_plain=plain)

    def _is_unknown_test(self, statement: CompiledStatement, key: str) -> bool:
        return any(map(self._lacks, _condition_keys(statement, key)))

    def _asks_unknown(self, statement: CompiledStatement) -> bool:
        return any(map(self._lacks, _keys(statement)))

    def _lacks(self, key: str) -> bool:
        return not self._is_known(key.lower())

    def _unknown(self, request: Request, policies: Policies) -> Iterator[str]:
        action, arn = request.action.lower(), split_arn(request.resource)
        found: dict[str, str] = {}
        for _, each in policies.by_type(action):
            for policy in each.policies:
                for statement in policy.statements:
                    if statement.actions.matches(action) and statement.fit(request.resource, arn) is not Fit.NO:
                        found.update((key.lower(), key) for key in _keys(statement) if self._lacks(key))
        yield from sorted(found.values())


def _keys(statement: CompiledStatement) -> Iterator[str]:
    for test in statement.conditions:
        yield from _condition_keys(statement, test.condition.key)
    yield from _resource_keys(statement)


def _condition_keys(statement: CompiledStatement, key: str) -> Iterator[str]:
    """A condition's key, and those of the variables in the values it is compared with."""
    yield key
    for condition in statement.statement.conditions:
        if condition.key == key and statement.document.has_variables and takes_variables(condition.operator):
            for value in condition.values:
                yield from variable_keys(value)


def _resource_keys(statement: CompiledStatement) -> Iterator[str]:
    if statement.document.has_variables:
        for resource in statement.statement.resources or ():
            yield from variable_keys(resource)


def is_denied(partly: Partly) -> bool:
    """Whatever the unknown turns out to be, it is denied."""
    return partly.possible.outcome is not Outcome.ALLOWED
