"""The patterns of the service models: Java regular expressions, matched against whole values in time linear in their length.

Python's engine backtracks, so a repeated group that itself repeats can take exponential time. Each such pattern of the models in
use is reviewed in `_REVIEWED` and written there in a form that cannot; one that is not reviewed is not enforced, and `unreviewed`
tells of it. Callers check a value's length first.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_LAST_ASSIGNED = 0x3FFFF
"""No letter, number or separator stands above this plane."""

_TOKEN = re.compile(
    r"\\p\{(?P<category>[A-Za-z]{1,2})\}|\\u(?P<code>10[0-9A-F]{4}|10000|[0-9A-Fa-f]{4})|\\.|(?P<bracket>[\[\]])|.", re.DOTALL
)

_NAME = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REVIEWED = {
    # ecr, RepositoryName
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*": rf"{_NAME}(?:/{_NAME})*",
    # ecr, Prefix and PullThroughCacheRuleRepositoryPrefix
    r"^([a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\/?|ROOT)$": rf"{_NAME}(?:/{_NAME})*/?|ROOT",
    # ecr, CredentialArn
    r"^arn:aws(-\w+)*:secretsmanager:[a-zA-Z0-9-:]+:secret:ecr\-pullthroughcache\/[a-zA-Z0-9\/_+=.@-]+$": (
        r"arn:aws(?:-\w+)*:secretsmanager:[a-zA-Z0-9:-]+:secret:ecr-pullthroughcache/[a-zA-Z0-9/_+=.@-]+"
    ),
    # ecr, PrincipalArn
    r"^arn:aws(-[a-z]+)*:iam::[0-9]{12}:(role|user)/[\w+=,.@-]+(/[\w+=,.@-]+)*$": (
        r"arn:aws(?:-[a-z]+)*:iam::[0-9]{12}:(?:role|user)/[\w+=,.@-]+(?:/[\w+=,.@-]+)*"
    ),
    # ecr, SigningProfileArn
    r"^arn:aws(-[a-z]+)*:signer:[a-z0-9-]+:[0-9]{12}:\/signing-profiles\/[a-zA-Z0-9_]{2,}$": (
        r"arn:aws(?:-[a-z]+)*:signer:[a-z0-9-]+:[0-9]{12}:/signing-profiles/[a-zA-Z0-9_]{2,}"
    ),
    # ecr, RepositoryFilterValue
    r"^(?:[a-z0-9]+(?:[._-][a-z0-9]*)*/)*[a-z0-9]*(?:[._-][a-z0-9]*)*$": r"(?:[a-z0-9][a-z0-9._-]*/)*[a-z0-9._-]*",
    # ecr, ScanningRepositoryFilterValue: exponential as the model writes it
    r"^[a-z0-9*](?:[._\-/a-z0-9*]?[a-z0-9*]+)*$": r"[a-z0-9*]+(?:[._/-][a-z0-9*]+)*",
    # ecr, SigningRepositoryFilterValue
    r"^(?:[a-z0-9*]+(?:[._-][a-z0-9*]+)*/)*[a-z0-9*]+(?:[._-][a-z0-9*]+)*$": r"[a-z0-9*]+(?:[._/-][a-z0-9*]+)*",
    # ecr-public, RepositoryName
    r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*": r"[a-z0-9]+(?:[._/-][a-z0-9]+)*",
    # ecr-public, RegistryAliasName
    r"[a-z][a-z0-9]+(?:[._-][a-z0-9]+)*": r"[a-z][a-z0-9]+(?:[._-][a-z0-9]+)*",
    # sts, webIdentityTokenScopeType
    r"[\x21\x23-\x2B\x2D-\x5B\x5D-\x7E]+( [\x21\x23-\x2B\x2D-\x5B\x5D-\x7E]+)*": (
        r"[\x21\x23-\x2B\x2D-\x5B\x5D-\x7E]+(?: [\x21\x23-\x2B\x2D-\x5B\x5D-\x7E]+)*"
    ),
    # iam, policyPathType
    r"((/[A-Za-z0-9\.,\+@=_-]+)*)/": r"(?:/[A-Za-z0-9.,+@=_-]+)*/",
}


def matches(pattern: str, value: str) -> bool:
    """Tell whether the whole of `value` matches `pattern`; True for a pattern that is not enforced."""
    compiled = _compile(pattern)
    return compiled is None or compiled.fullmatch(value) is not None


def unreviewed(pattern: str) -> bool:
    """Tell whether `pattern` is not enforced, because nobody has shown yet that it takes linear time."""
    return pattern not in _REVIEWED and _repeats_a_repetition(pattern)


@cache
def _compile(pattern: str) -> re.Pattern[str] | None:
    if unreviewed(pattern):
        return None
    # \w, \d and \s are ASCII in Java; \p{..} is written out, so it is not touched by the flag.
    return re.compile(_from_java(_REVIEWED.get(pattern, pattern)), re.ASCII)


def _from_java(pattern: str) -> str:
    out = []
    in_class = False
    for token in _TOKEN.finditer(pattern):
        if (category := token["category"]) is not None:
            ranges = _category_ranges(category)
            out.append(ranges if in_class else f"[{ranges}]")
        elif (code := token["code"]) is not None:
            out.append(f"\\U{int(code, 16):08x}")
        else:
            if token["bracket"] is not None:
                in_class = token["bracket"] == "["
            out.append(token[0])
    return "".join(out)


@cache
def _category_ranges(category: str) -> str:
    """The characters of a Unicode category (``L``, ``Lu``) as the inside of a character class."""
    ranges: list[list[int]] = []
    for code in range(_LAST_ASSIGNED + 1):
        if unicodedata.category(chr(code)).startswith(category):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


def _repeats_a_repetition(pattern: str) -> bool:
    """Tell whether an unbounded repetition stands inside a group that is itself repeated without bound."""
    text = re.sub(r"\\.", "x", pattern)
    text = re.sub(r"\[\^?\]?[^\]]*\]", "x", text)
    repetition = re.compile(r"[*+]|\{[0-9]+,\}")
    groups: list[bool] = []
    for position, character in enumerate(text):
        if character == "(":
            groups.append(False)
        elif character == ")" and groups:
            inside = groups.pop()
            repeated = repetition.match(text, position + 1) is not None
            if inside and repeated:
                return True
            if groups and (inside or repeated):
                groups[-1] = True
        elif groups and repetition.match(text, position):
            groups[-1] = True
    return False
