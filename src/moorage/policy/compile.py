"""Policies made ready for decisions: compiled once, then asked as often as they last.

A `PolicySet` is what a caller keeps: of a principal its identity policies, of a repository its policy. It remembers which
statements are about an action and a resource, since neither depends on the rest of the request; principals, conditions and
variables are asked each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from moorage.policy.conditions import ConditionTest, compile_condition
from moorage.policy.context import Context
from moorage.policy.document import Kind, Policy, PolicyStatement
from moorage.policy.patterns import Glob, compile_glob, tokenize
from moorage.policy.principals import Bindings, PrincipalMatcher, compile_principals
from moorage.policy.resources import Fit, ResourceMatcher, compile_resources, split_arn

REMEMBERED = 256
"""How many pairs of action and resource a PolicySet keeps in mind, at some 300 bytes each; then it begins anew."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a policy comes from, for explanations and for the text of a denial."""

    id: str
    """The name of an embedded policy, the ARN of a managed one, or whatever the caller knows it by."""
    is_managed: bool = False
    """Then `id` is its ARN, and an explicit deny names it."""
    type: str = "none"
    """As a simulation shows it: ``user``, ``group``, ``role``, ``aws-managed``, ``user-managed``, ``resource``, ``none``."""


@dataclass(frozen=True, slots=True)
class ActionMatcher:
    """A compiled `Action` or `NotAction` element. Actions are compared in lower case."""

    negated: bool
    everything: bool
    exact: frozenset[str]
    prefixes: tuple[str, ...]
    globs: tuple[tuple[str, Glob], ...]
    """``vendor:`` and the pattern of the name."""

    def matches(self, action: str) -> bool:
        """Tell whether the element is about an action, given in lower case."""
        return self._lists(action) is not self.negated

    def _lists(self, action: str) -> bool:
        if self.everything or action in self.exact or action.startswith(self.prefixes):
            return True
        return any(action.startswith(vendor) and glob.matches(action[len(vendor) :]) for vendor, glob in self.globs)


def compile_actions(texts: Sequence[str], *, negated: bool) -> ActionMatcher:
    """Compile the patterns of an element."""
    exact, prefixes, globs = set(), [], []
    for text in dict.fromkeys(each.lower() for each in texts):
        stem = text[:-1] if text.endswith("*") else text
        if "*" in stem or "?" in stem:
            vendor, _, name = text.partition(":")
            globs.append((f"{vendor}:", compile_glob(tokenize(name))))
        elif stem is text:
            exact.add(text)
        else:
            prefixes.append(stem)
    everything = "*" in texts or "*:*" in texts
    return ActionMatcher(negated, everything, frozenset(exact), tuple(prefixes), tuple(globs))


@dataclass(frozen=True, slots=True, eq=False)
class CompiledStatement:
    """A statement as it is evaluated."""

    document: Policy
    source: Source
    statement: PolicyStatement
    principals: PrincipalMatcher | None
    actions: ActionMatcher
    resources: ResourceMatcher | None
    conditions: tuple[ConditionTest, ...]
    is_plain: bool
    """Nothing but action and resource decides whether it applies."""

    def fit(self, resource: str, arn: Sequence[str]) -> Fit:
        """Whether it is about a resource, given with its parts."""
        return Fit.YES if self.resources is None else self.resources.fit(resource, arn)

    def fits(self, resource: str, context: Context) -> bool:
        """Whether it is about a resource, variables included."""
        resources, arn = self.resources, split_arn(resource)
        fit = self.fit(resource, arn)
        return resources.fits_now(arn, context) if fit is Fit.DEPENDS and resources is not None else fit is Fit.YES

    def holds(self, resource: str, context: Context) -> bool:
        """Whether variables and conditions let it apply, given that it is one of the `Candidates`. Principals are not asked."""
        if self.resources is not None and self.resources.templates and not self.fits(resource, context):
            return False
        for condition in self.conditions:  # noqa: SIM110 - a generator costs more than the conditions
            if not condition.holds(context):
                return False
        return True


@dataclass(frozen=True, slots=True, eq=False)
class CompiledPolicy:
    """A policy as it is evaluated, with its source."""

    document: Policy
    source: Source
    statements: tuple[CompiledStatement, ...]


def compile_policy(policy: Policy, source: Source, *, bindings: Bindings | None = None) -> CompiledPolicy:
    """Compile a parsed policy.

    Args:
        policy: the parsed policy.
        source: where it comes from.
        bindings: of a stored policy with principals, what `bind_principals` made when it was set. None: the principals that it
            names count by ARN alone, which is for simulations of texts that nobody has set, and for policies without any.
    """
    statements = (_compile(policy, source, statement, bindings) for statement in policy.statements)
    return CompiledPolicy(policy, source, tuple(statements))


def _compile(policy: Policy, source: Source, statement: PolicyStatement, bindings: Bindings | None) -> CompiledStatement:
    has_variables = policy.has_variables
    principals, resources = statement.principals, None
    if statement.resources is not None:
        resources = compile_resources(statement.resources, negated=statement.not_resources, has_variables=has_variables)
    return CompiledStatement(
        policy,
        source,
        statement,
        None if principals is None else compile_principals(principals, allows=statement.allows, bindings=bindings),
        compile_actions(statement.actions, negated=statement.not_actions),
        resources,
        tuple(compile_condition(condition, has_variables=has_variables) for condition in statement.conditions),
        principals is None and not statement.conditions and not (resources and resources.templates),
    )


@dataclass(frozen=True, slots=True)
class Candidates:
    """The statements of a PolicySet about an action and a resource."""

    denies: tuple[CompiledStatement, ...]
    allows: tuple[CompiledStatement, ...]
    """Those that are plain first."""


_NOTHING = Candidates((), ())


class PolicySet:
    """A union of policies of one role in an evaluation: any Allow counts, any Deny counts.

    It may be shared by threads: what it remembers depends on nothing but its policies, so it does not matter who fills it in.
    """

    __slots__ = ("_by_action", "_by_request", "has_trust", "policies")

    def __init__(self, policies: Iterable[CompiledPolicy] = ()) -> None:
        self.policies = tuple(policies)
        self.has_trust = any(policy.document.kind is Kind.TRUST for policy in self.policies)
        """It speaks for a role: then nobody gets in whom it does not allow."""
        self._by_action: dict[str, tuple[CompiledStatement, ...]] = {}
        self._by_request: dict[tuple[str, str], Candidates] = {}

    def candidates(self, action: str, resource: str) -> Candidates:
        """The statements about an action, given in lower case, and a resource."""
        if not self.policies:
            return _NOTHING
        found = self._by_request.get((action, resource))
        if found is None:
            found = self._find(action, resource)
            if len(self._by_request) >= REMEMBERED:
                self._by_request = {}
            self._by_request[action, resource] = found
        return found

    def _find(self, action: str, resource: str) -> Candidates:
        about = self._by_action.get(action)
        if about is None:
            about = tuple(
                statement for policy in self.policies for statement in policy.statements if statement.actions.matches(action)
            )
            if len(self._by_action) >= REMEMBERED:
                self._by_action = {}
            self._by_action[action] = about
        arn = split_arn(resource)
        fitting = [statement for statement in about if statement.fit(resource, arn) is not Fit.NO]
        denies = [statement for statement in fitting if not statement.statement.allows]
        allows = [statement for statement in fitting if statement.statement.allows]
        return Candidates(tuple(denies), tuple(sorted(allows, key=_is_not_plain)))


def _is_not_plain(statement: CompiledStatement) -> bool:
    return not statement.is_plain


EMPTY = PolicySet()
"""No policy at all: it allows nothing."""
