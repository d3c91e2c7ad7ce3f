"""What is known about a request: condition keys and their values, computed when a policy first asks for them.

Source: IAM User Guide, "AWS global condition context keys". Names of keys ignore case, the part after the slash of a tag key
included, so all names here are lower case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from moorage.policy.principals import Principal, PrincipalKind

Value = str | Sequence[str]
"""Of a condition key: one value, or those of a key that has several. An empty sequence is as good as no value."""


class Context(Protocol):
    """What conditions ask. A dict with lower-case names is one."""

    def get(self, key: str, /) -> Value | None:
        """The value of a condition key, given in lower case; None: the request has none."""


class RequestContext:
    """The context of a real request: nothing is computed before a policy names it, and nothing twice.

    `values` maps lower-case names to values, or to functions that find them. `families` maps what stands before and with the
    slash (``aws:resourcetag/``) to functions of what follows it, in lower case. The keys about the principal need not be given.
    """

    __slots__ = ("_families", "_known", "_principal", "_values")

    def __init__(
        self,
        principal: Principal,
        values: Mapping[str, Value | Callable[[], Value | None] | None],
        families: Mapping[str, Callable[[str], Value | None]] | None = None,
    ) -> None:
        self._principal = principal
        self._values = values
        self._families = families or {}
        self._known: dict[str, Value | None] = {}

    def get(self, key: str, /) -> Value | None:
        """The value of a condition key, or None."""
        known = self._known
        if key not in known:
            known[key] = self._compute(key)
        return known[key]

    def _compute(self, key: str) -> Value | None:
        if key in self._values:
            value = self._values[key]
            return value() if callable(value) else value
        about_principal = PRINCIPAL_KEYS.get(key)
        if about_principal is not None:
            return about_principal(self._principal)
        family, slash, name = key.partition("/")
        find = self._families.get(family + slash) if slash else None
        return find(name) if find else None


def tags(pairs: Mapping[str, str]) -> Callable[[str], Value | None]:
    """A family of tag keys. Tags whose keys differ in case alone answer to the same name: then it has several values."""

    def find(name: str) -> Value | None:
        if not by_name:
            for key, value in pairs.items():
                by_name.setdefault(key.lower(), []).append(value)
        found = by_name.get(name)
        return None if found is None else found[0] if len(found) == 1 else tuple(found)

    by_name: dict[str, list[str]] = {}
    return find


def given(entries: Mapping[str, Value]) -> dict[str, Value]:
    """A context of nothing but `entries`, whose names are in any case: what a simulation is told."""
    return {name.lower(): value for name, value in entries.items()}


_TYPES = {
    PrincipalKind.USER: "User",
    PrincipalKind.SESSION: "AssumedRole",
    PrincipalKind.ROOT: "Account",
    PrincipalKind.FEDERATED_USER: "FederatedUser",
    PrincipalKind.ANONYMOUS: "Anonymous",
}


def _arn(principal: Principal) -> str | None:
    """A session answers with the ARN of its role."""
    return principal.role_arn or (principal.arn if principal.kind in _TYPES else "") or None


def _name(principal: Principal) -> str | None:
    return principal.arn.rpartition("/")[2] if principal.kind is PrincipalKind.USER else None


PRINCIPAL_KEYS: Mapping[str, Callable[[Principal], Value | None]] = {
    "aws:principalarn": _arn,
    "aws:principalaccount": lambda principal: principal.account or None,
    "aws:principaltype": lambda principal: _TYPES.get(principal.kind),
    "aws:userid": lambda principal: principal.unique_id or None,
    "aws:username": _name,
    "aws:principalisawsservice": lambda principal: str(principal.kind is PrincipalKind.SERVICE).lower(),
    "aws:principalservicename": lambda principal: principal.arn if principal.kind is PrincipalKind.SERVICE else None,
    "aws:federatedprovider": lambda principal: principal.arn if principal.kind is PrincipalKind.WEB_IDENTITY else None,
}
"""The keys that follow from who calls."""
