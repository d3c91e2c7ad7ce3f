"""Conditions: an operator with its prefix and suffix, one key, its values, and the verdict for a request.

Source: IAM User Guide, "Condition operators" and "Set operators for multi-valued context keys". Where the key is absent from
the request, or has no values: positive operators do not hold, negated ones do, ``...IfExists`` holds, ``ForAllValues`` holds,
``ForAnyValue`` does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from moorage.policy.context import Context
from moorage.policy.document import Condition
from moorage.policy.operators import NULL, OPERATORS, Matches, read_bool, takes_variables

EVERY, ANY = "ForAllValues", "ForAnyValue"


class ConditionTest(Protocol):
    """A compiled condition."""

    @property
    def condition(self) -> Condition:
        """What was written."""

    @property
    def key(self) -> str:
        """The condition key in lower case."""

    def holds(self, context: Context) -> bool:
        """The verdict for a request."""


@dataclass(frozen=True, slots=True)
class _Comparison:
    condition: Condition
    key: str
    matches: Matches
    negated: bool
    when_absent: bool

    def holds(self, context: Context) -> bool:
        value = context.get(self.key)
        if type(value) is str:
            return self.matches(value, context) is not self.negated
        if not value:
            return self.when_absent
        match self.condition.quantifier:
            case "ForAllValues":
                return all(self.matches(each, context) is not self.negated for each in value)
            case "ForAnyValue":
                return any(self.matches(each, context) is not self.negated for each in value)
        # Several values under a plain operator: one match decides, for either sign.
        return any(self.matches(each, context) for each in value) is not self.negated


@dataclass(frozen=True, slots=True)
class _Presence:
    condition: Condition
    key: str
    wanted: frozenset[bool]
    """Whether the key may be absent."""

    def holds(self, context: Context) -> bool:
        value = context.get(self.key)
        return (type(value) is not str and not value) in self.wanted


def compile_condition(condition: Condition, *, has_variables: bool) -> ConditionTest:
    """Compile a condition of a parsed policy; its operator is known to exist."""
    key = condition.key.lower()
    if condition.operator == NULL:
        told = map(read_bool, condition.values)
        return _Presence(condition, key, frozenset(value == "true" for value in told if value))
    operator = OPERATORS[condition.operator]
    matches = operator.build(condition.values, has_variables and takes_variables(condition.operator))
    if condition.if_exists or condition.quantifier == EVERY:
        when_absent = True
    else:
        when_absent = operator.negated and condition.quantifier != ANY
    return _Comparison(condition, key, matches, operator.negated, when_absent)


def read_operator(name: str) -> tuple[str, str, bool] | None:
    """Take the name of an operator apart: quantifier, operator, whether ``IfExists``. None: there is no such operator."""
    quantifier, colon, rest = name.rpartition(":")
    operator = rest.removesuffix("IfExists")
    if colon and quantifier not in (EVERY, ANY):
        return None
    if operator == NULL:
        return None if colon or operator != rest else ("", NULL, False)
    return (quantifier, operator, operator != rest) if operator in OPERATORS else None
