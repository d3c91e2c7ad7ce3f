"""Policy variables: ``${key}``, ``${key, 'default'}`` and the escapes ``${*}``, ``${?}``, ``${$}``.

A value that takes a variable's place is literal: its own ``*`` is no wildcard. Source: IAM User Guide, "IAM policy elements:
Variables and tags".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from moorage.policy.context import Context
from moorage.policy.patterns import Token, tokenize

# Neither can match the same text in two ways, so a hostile one costs no more than its length.
_KEY = re.compile(r"[^{}',$*?]+")
_END = re.compile(r"(?:,\s*'([^']*)'\s*)?\}")


class VariableInvalid(ValueError):
    """A ``${`` that begins no variable."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A place for the value of a condition key."""

    name: str
    """The key as it is written."""
    key: str
    """The key in lower case."""
    default: str | None

    def value(self, context: Context) -> str | None:
        """What stands in its place; None: nothing does. A key with several values is as good as none."""
        found = context.get(self.key)
        if type(found) is str:
            return found
        if found is not None and len(found) == 1:
            return found[0]
        return None if found else self.default


TemplateToken = Token | Variable


def template(text: str, *, wildcards: bool) -> list[TemplateToken]:
    """Take a text with variables apart. Without `wildcards` a ``*`` or ``?`` stands for itself. Raises VariableInvalid."""
    tokens: list[TemplateToken] = []
    start = 0
    while (at := text.find("${", start)) >= 0:
        if at > start:
            tokens.extend(tokenize(text[start:at]) if wildcards else [text[start:at]])
        token, start = _variable(text, at + 2)
        tokens.append(token)
    if start < len(text):
        tokens.extend(tokenize(text[start:]) if wildcards else [text[start:]])
    return tokens


def _variable(text: str, at: int) -> tuple[TemplateToken, int]:
    if text[at : at + 2] in ("*}", "?}", "$}"):
        return text[at], at + 2
    key = _KEY.match(text, at)
    end = _END.match(text, key.end()) if key else None
    if key is None or end is None or not key[0].strip():
        raise VariableInvalid(text[at - 2 : at + 60])
    name = key[0].strip()
    return Variable(name, name.lower(), end[1]), end.end()


def fill(tokens: Sequence[TemplateToken], context: Context) -> list[Token] | None:
    """The tokens with values in place of variables; None: one of them has neither a value nor a default."""
    filled: list[Token] = []
    for token in tokens:
        if isinstance(token, Variable):
            value = token.value(context)
            if value is None:
                return None
            filled.append(value)
        else:
            filled.append(token)
    return filled


def variable_keys(text: str) -> list[str]:
    """The keys that a text names as variables, as they are written. Raises VariableInvalid."""
    return [token.name for token in template(text, wildcards=False) if isinstance(token, Variable)]


def without_variables(text: str) -> str:
    """The text with ``_`` in place of each variable, so that its own colons can be told. Raises VariableInvalid."""
    return "".join("_" if isinstance(token, Variable) else str(token) for token in template(text, wildcards=False))
