"""What a simulation is told about its request: context entries with types, over what follows from the simulated caller.

Source: ContextEntry of IAM.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from moorage.model.identity_errors import InputInvalid
from moorage.policy.context import PRINCIPAL_KEYS, Value, given
from moorage.policy.operators import OPERATORS, read_bool
from moorage.policy.principals import Principal


@dataclass(frozen=True, slots=True)
class ContextEntry:
    """One condition key as a request has it; a part that was left out is empty."""

    name: str
    values: Sequence[str]
    type: str


_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_READS: Mapping[str, Callable[[str], object]] = {
    "string": lambda text: text,
    "numeric": OPERATORS["NumericEquals"].reads,
    "boolean": read_bool,
    "ip": OPERATORS["IpAddress"].reads,
    "binary": _BASE64.fullmatch,
    "date": OPERATORS["DateEquals"].reads,
}
"""By type: what reads a value; None: it is none of that type."""


def context_of(entries: Sequence[ContextEntry], caller: Principal | None, tags: Mapping[str, str]) -> dict[str, Value]:
    """The context of a simulated request. Raises InputInvalid: an entry contradicts its type, or a key comes twice."""
    values: dict[str, Value] = {}
    if caller is not None:
        for key, find in PRINCIPAL_KEYS.items():
            found = find(caller)
            if found is not None:
                values[key] = found
        values |= {f"aws:principaltag/{name.lower()}": value for name, value in tags.items()}
    told: dict[str, Value] = {}
    for entry in entries:
        _check(entry)
        name = entry.name.lower()
        if name in told:
            raise InputInvalid(f"The context key {entry.name} is given more than once.")
        told[name] = tuple(entry.values) if entry.type.endswith("List") else entry.values[0]
    return values | given(told)


def _check(entry: ContextEntry) -> None:
    if not entry.name or not entry.type:
        raise InputInvalid("A context entry needs ContextKeyName, ContextKeyValues and ContextKeyType.")
    if not entry.type.endswith("List") and len(entry.values) != 1:
        raise InputInvalid(f"The context key {entry.name} has the type {entry.type} and takes exactly one value.")
    reads = _READS[entry.type.removesuffix("List")]
    wrong = next((value for value in entry.values if reads(value) is None), None)
    if wrong is not None:
        raise InputInvalid(f"Invalid value {wrong[:128]!r} for the context key {entry.name} of type {entry.type}.")
