"""The condition operators: for each, whether a value of the request matches one of the policy's values.

Source: IAM User Guide, "IAM JSON policy elements: Condition operators". What cannot be read as the operator's type matches
nothing, on either side. A negated operator is the same comparison with the opposite verdict (`conditions`).
"""

from __future__ import annotations

import base64
import binascii
import functools
import ipaddress
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from moorage.policy.context import Context
from moorage.policy.patterns import Glob, Token, compile_glob, tokenize
from moorage.policy.resources import PARTS, arn_pattern, plain_arn_pattern, split_arn, split_tokens
from moorage.policy.variables import TemplateToken, Variable, fill, template

Matches = Callable[[str, Context], bool]
"""Whether a value of the request matches one of the values of the policy."""
_Build = Callable[[Sequence[str], bool], Matches]
"""From the policy's values, and whether ``${...}`` in them is a variable."""


@dataclass(frozen=True, slots=True)
class Operator:
    """A condition operator without prefix and suffix."""

    build: _Build
    negated: bool = False
    reads: Callable[[str], object] = str
    """The value as the operator's type; None if it cannot be read as one. A string reads as itself."""


def _split(values: Sequence[str], has_variables: bool, *, wildcards: bool) -> tuple[list[str], list[tuple[TemplateToken, ...]]]:
    """Plain values, and those with variables."""
    plain = [value for value in values if not (has_variables and "${" in value)]
    return plain, [tuple(template(value, wildcards=wildcards)) for value in values if has_variables and "${" in value]


def _equals(values: Sequence[str], has_variables: bool, fold: Callable[[str], str] = str) -> Matches:
    plain, templates = _split(values, has_variables, wildcards=False)
    known = frozenset(map(fold, plain))

    def matches(value: str, context: Context) -> bool:
        if fold(value) in known:
            return True
        for each in templates:
            filled = fill(each, context)
            if filled is not None and fold("".join(map(str, filled))) == fold(value):
                return True
        return False

    return matches


def _equals_ignoring_case(values: Sequence[str], has_variables: bool) -> Matches:
    return _equals(values, has_variables, str.lower)


def _like(values: Sequence[str], has_variables: bool) -> Matches:
    plain, templates = _split(values, has_variables, wildcards=True)
    known = frozenset(value for value in plain if "*" not in value and "?" not in value)
    globs = _globs([value for value in plain if value not in known])

    def matches(value: str, context: Context) -> bool:
        if value in known or any(glob.matches(value) for glob in globs):
            return True
        for each in templates:
            filled = fill(each, context)
            if filled is not None and compile_glob(filled).matches(value):
                return True
        return False

    return matches


def _globs(patterns: Sequence[str]) -> tuple[Glob, ...]:
    return tuple(compile_glob(tokenize(pattern)) for pattern in patterns)


def _arn_like(values: Sequence[str], has_variables: bool) -> Matches:
    """All six parts have to be there; only a lone ``*`` stands for any ARN."""
    plain, templates = _split(values, has_variables, wildcards=True)
    patterns = [plain_arn_pattern(value) for value in plain if value.count(":") >= PARTS - 1 or value == "*"]

    def matches(value: str, context: Context) -> bool:
        arn = split_arn(value)
        if any(pattern.matches(arn) for pattern in patterns):
            return True
        for each in templates:
            filled = fill(each, context)
            parts = split_tokens(filled) if filled is not None else []
            if len(parts) == PARTS and arn_pattern([_tokens(part) for part in parts]).matches(arn):
                return True
        return False

    return matches


def _tokens(part: Sequence[TemplateToken]) -> list[Token]:
    return [token for token in part if not isinstance(token, Variable)]


_NUMBER = re.compile(r"[+-]?[0-9]{1,64}(\.[0-9]{1,64})?")


def read_number(text: str) -> Decimal | None:
    """A decimal number without exponent; None if `text` is none."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


_DATE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6})[0-9]{0,3})?)?(?:Z|([+-])([0-9]{2}):?([0-9]{2}))?)?"
)
_EPOCH_SECONDS = re.compile(r"-?[0-9]{1,12}")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - both sides of the subtraction are UTC


def read_date(text: str) -> int | None:
    """Microseconds since 1970 of an ISO 8601 date, with or without time and zone (UTC if none), or of epoch seconds."""
    if _EPOCH_SECONDS.fullmatch(text):
        return int(text) * 1_000_000
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    fields = [int(field or 0) for field in found.groups()[:6]]
    fraction = int((found[7] or "").ljust(6, "0"))
    try:
        passed = datetime(*fields) - _EPOCH  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None
    zone = (int(found[9]) * 60 + int(found[10])) * (-1 if found[8] == "-" else 1) if found[8] else 0
    return (passed.days * 86_400 + passed.seconds - zone * 60) * 1_000_000 + fraction


def _compared(read: Callable[[str], Decimal | int | None], holds: Callable[[Decimal | int, Decimal | int], bool]) -> _Build:
    def build(values: Sequence[str], _has_variables: bool) -> Matches:
        limits = [limit for limit in map(read, values) if limit is not None]

        def matches(value: str, _context: Context) -> bool:
            number = read(value)
            return number is not None and any(holds(number, limit) for limit in limits)

        return matches

    return build


def read_bool(text: str) -> str | None:
    """``true`` or ``false``, whatever its case."""
    folded = text.lower()
    return folded if folded in ("true", "false") else None


def read_binary(text: str) -> bytes | None:
    """The bytes of a base64 text."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _same(read: Callable[[str], object]) -> _Build:
    def build(values: Sequence[str], _has_variables: bool) -> Matches:
        known = frozenset(map(read, values)) - {None}
        return lambda value, _context: read(value) in known

    return build


@functools.lru_cache(maxsize=1024)
def read_network(text: str) -> tuple[int, int, int] | None:
    """A network or single address: version, width of the host part in bits, number of the network.

    An IPv4 address written in IPv6 (``::ffff:10.0.0.1``) is the IPv4 address.
    """
    _, slash, length = text.partition("/")
    if len(text) > 64 or "%" in text or (slash and not (length.isascii() and length.isdigit())):
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    host_bits, number = network.max_prefixlen - network.prefixlen, int(network.network_address)
    if network.version == 6 and number >> 32 == 0xFFFF and host_bits <= 32:
        return 4, host_bits, (number & 0xFFFFFFFF) >> host_bits
    return network.version, host_bits, number >> host_bits


def _ip_address(values: Sequence[str], _has_variables: bool) -> Matches:
    networks = [network for network in map(read_network, values) if network is not None]

    def matches(value: str, _context: Context) -> bool:
        address = read_network(value)
        if address is None:
            return False
        version, host_bits, number = address
        return any(
            version == wanted and host_bits <= bits and number >> (bits - host_bits) == network
            for wanted, bits, network in networks
        )

    return matches


def _comparisons(prefix: str, read: Callable[[str], Decimal | int | None]) -> dict[str, Operator]:
    equal = _compared(read, operator.eq)
    return {
        f"{prefix}Equals": Operator(equal, reads=read),
        f"{prefix}NotEquals": Operator(equal, negated=True, reads=read),
        f"{prefix}LessThan": Operator(_compared(read, operator.lt), reads=read),
        f"{prefix}LessThanEquals": Operator(_compared(read, operator.le), reads=read),
        f"{prefix}GreaterThan": Operator(_compared(read, operator.gt), reads=read),
        f"{prefix}GreaterThanEquals": Operator(_compared(read, operator.ge), reads=read),
    }


NULL = "Null"
"""The one operator about whether a key is there; `conditions` has it."""

OPERATORS: dict[str, Operator] = {
    "StringEquals": Operator(_equals),
    "StringNotEquals": Operator(_equals, negated=True),
    "StringEqualsIgnoreCase": Operator(_equals_ignoring_case),
    "StringNotEqualsIgnoreCase": Operator(_equals_ignoring_case, negated=True),
    "StringLike": Operator(_like),
    "StringNotLike": Operator(_like, negated=True),
    **_comparisons("Numeric", read_number),
    **_comparisons("Date", read_date),
    "Bool": Operator(_same(read_bool), reads=read_bool),
    "BinaryEquals": Operator(_same(read_binary), reads=read_binary),
    "IpAddress": Operator(_ip_address, reads=read_network),
    "NotIpAddress": Operator(_ip_address, negated=True, reads=read_network),
    "ArnEquals": Operator(_arn_like),
    "ArnLike": Operator(_arn_like),
    "ArnNotEquals": Operator(_arn_like, negated=True),
    "ArnNotLike": Operator(_arn_like, negated=True),
}
"""By name. Those on strings and ARNs may hold policy variables."""


def takes_variables(name: str) -> bool:
    """Tell whether ``${...}`` in the values of an operator may be a variable."""
    return name.startswith(("String", "Arn"))
