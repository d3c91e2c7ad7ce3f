"""ARNs against patterns, part by part: a wildcard stays within its part, but in the last one it crosses ``/`` and ``:``.

Source: IAM User Guide, "IAM JSON policy elements: Resource" and "Amazon Resource Name (ARN) condition operators". Upper and
lower case differ.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from moorage.policy.context import Context
from moorage.policy.patterns import Glob, Token, Wild, compile_glob, literal_of, tokenize
from moorage.policy.variables import TemplateToken, Variable, fill, template

PARTS = 6
"""arn : partition : service : region : account : resource"""


@dataclass(frozen=True, slots=True)
class ArnPattern:
    """Patterns for the parts of an ARN: those that are not met by whatever there is, with their places, the last part first."""

    parts: tuple[tuple[int, str | Glob], ...]

    def matches(self, arn: Sequence[str]) -> bool:
        """Tell whether an ARN, given as its parts, fits. What has not six parts is no ARN and fits nothing."""
        if len(arn) != PARTS:
            return False
        for place, pattern in self.parts:
            if isinstance(pattern, str):
                if pattern != arn[place]:
                    return False
            elif not pattern.matches(arn[place]):
                return False
        return True


def split_arn(arn: str) -> list[str]:
    """The parts of an ARN: six, if it is one."""
    return arn.split(":", PARTS - 1)


def split_tokens(tokens: Sequence[TemplateToken]) -> list[list[TemplateToken]]:
    """Split a pattern at its first five colons. Those in the value or default of a variable do not count."""
    parts: list[list[TemplateToken]] = [[]]
    for token in tokens:
        if not isinstance(token, str):
            parts[-1].append(token)
            continue
        first, *others = token.split(":", PARTS - len(parts))
        parts[-1].append(first)
        parts.extend([other] for other in others)
    return [[token for token in part if token] for part in parts]


def arn_pattern(parts: Sequence[Sequence[Token]]) -> ArnPattern:
    """Compile the tokens of six parts. Parts that are missing at the end stand for whatever there is."""
    return _pattern([_part(part) for part in parts])


def plain_arn_pattern(text: str) -> ArnPattern:
    """Compile a pattern without variables."""
    return _pattern([part if "*" not in part and "?" not in part else _part(tokenize(part)) for part in split_arn(text)])


def _pattern(parts: list[str | Glob | None]) -> ArnPattern:
    # The last part tells most ARNs apart, so it is compared first.
    return ArnPattern(tuple((place, part) for place, part in reversed([*enumerate(parts)]) if part is not None))


def _part(tokens: Sequence[Token]) -> str | Glob | None:
    """A literal, a pattern, or None for whatever there is."""
    if tokens and all(token is Wild.RUN for token in tokens):
        return None
    literal = literal_of(tokens)
    return compile_glob(tokens) if literal is None else literal


class Fit(enum.Enum):
    """Whether a `Resource` or `NotResource` element is about a resource."""

    YES = enum.auto()
    NO = enum.auto()
    DEPENDS = enum.auto()
    """On the values of variables: ask `ResourceMatcher.fits_now`."""


@dataclass(frozen=True, slots=True)
class ResourceMatcher:
    """A compiled `Resource` or `NotResource` element."""

    negated: bool
    everything: bool
    exact: frozenset[str]
    prefixes: tuple[str, ...]
    patterns: tuple[ArnPattern, ...]
    templates: tuple[tuple[tuple[TemplateToken, ...], ...], ...]
    """Patterns with variables, each as the tokens of its parts."""

    def fit(self, resource: str, arn: Sequence[str]) -> Fit:
        """What can be told without a context. `arn` are the parts of `resource`.

        ``*``, the resource of actions without a resource type, fits only ``*``.
        """
        if self._is_listed(resource, arn):
            return Fit.NO if self.negated else Fit.YES
        if self.templates:
            return Fit.DEPENDS
        return Fit.YES if self.negated else Fit.NO

    def fits_now(self, arn: Sequence[str], context: Context) -> bool:
        """Settle what depends on variables. A pattern whose variable has no value fits nothing."""
        return any(_fits(parts, arn, context) for parts in self.templates) is not self.negated

    def _is_listed(self, resource: str, arn: Sequence[str]) -> bool:
        if self.everything or resource in self.exact or resource.startswith(self.prefixes):
            return True
        for pattern in self.patterns:  # noqa: SIM110 - a generator costs more than a comparison
            if pattern.matches(arn):
                return True
        return False


def _fits(template_parts: Sequence[Sequence[TemplateToken]], arn: Sequence[str], context: Context) -> bool:
    filled = []
    for part in template_parts:
        tokens = fill(part, context)
        if tokens is None:
            return False
        filled.append(tokens)
    return arn_pattern(filled).matches(arn)


def compile_resources(texts: Sequence[str], *, negated: bool, has_variables: bool) -> ResourceMatcher:
    """Compile the patterns of an element. Those that need no more than a comparison of text are kept as text."""
    exact, prefixes, patterns, templates = set(), [], [], []
    for text in dict.fromkeys(texts):
        if has_variables and "${" in text:
            parts = split_tokens(template(text, wildcards=True))
            if any(isinstance(token, Variable) for part in parts for token in part):
                templates.append(tuple(map(tuple, parts)))
            else:
                patterns.append(arn_pattern([[token for token in part if not isinstance(token, Variable)] for part in parts]))
            continue
        stem = text[:-1] if text.endswith("*") else text
        if "*" in stem or "?" in stem or stem.count(":") < PARTS - 1:
            patterns.append(plain_arn_pattern(text))
        elif stem is text:
            exact.add(text)
        else:
            prefixes.append(stem)
    return ResourceMatcher(negated, "*" in texts, frozenset(exact), tuple(prefixes), tuple(patterns), tuple(templates))
