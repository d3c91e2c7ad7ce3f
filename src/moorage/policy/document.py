"""A policy document after parsing: values that have been checked and keep what was written.

Source: IAM User Guide, "IAM JSON policy element reference". `parse` is the only maker of these values.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """What a document is used as; each has rules of its own (`grammar.RULES`) and a size limit (`sizes`)."""

    IDENTITY = "identity"
    """A managed policy, or one embedded in a user, group or role."""
    BOUNDARY = "boundary"
    SESSION = "session"
    TRUST = "trust"
    """Of a role: who may assume it."""
    REPOSITORY = "repository"
    REGISTRY = "registry"
    PUBLIC_REPOSITORY = "public repository"
    SERVICE_CONTROL = "service control"
    RESOURCE_CONTROL = "resource control"


OLD_VERSION, NEW_VERSION = "2008-10-17", "2012-10-17"
"""Of the language. The old one, which is also that of a document without `Version`, has no policy variables."""


@dataclass(frozen=True, slots=True)
class Principals:
    """What `Principal` or `NotPrincipal` lists. Accounts are account ids, however they were written."""

    negated: bool
    everyone: bool
    accounts: tuple[str, ...] = ()
    arns: tuple[str, ...] = ()
    """Users, roles, sessions of roles and federated users."""
    services: tuple[str, ...] = ()
    federated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """One key under one operator: `operator` is without prefix and suffix, `values` as written (numbers and booleans as text)."""

    operator: str
    quantifier: str
    """``ForAllValues``, ``ForAnyValue`` or empty."""
    if_exists: bool
    key: str
    values: tuple[str, ...]

    @property
    def name(self) -> str:
        """The operator as written, such as ``ForAnyValue:StringLikeIfExists``."""
        prefix = f"{self.quantifier}:" if self.quantifier else ""
        return f"{prefix}{self.operator}{'IfExists' if self.if_exists else ''}"


@dataclass(frozen=True, slots=True)
class PolicyStatement:
    """One statement. `resources` is None where the kind of document has none: it is then about what it is attached to."""

    index: int
    sid: str | None
    allows: bool
    principals: Principals | None
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...] | None
    not_resources: bool
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole document and the text it was read from."""

    kind: Kind
    version: str
    id: str | None
    statements: tuple[PolicyStatement, ...]
    text: str

    @property
    def has_variables(self) -> bool:
        """True if ``${...}`` stands for something: in version 2012-10-17 only."""
        return self.version == NEW_VERSION
