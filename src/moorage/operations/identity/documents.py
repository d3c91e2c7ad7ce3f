"""Policy documents on their way in: the one place where they are checked when they are stored."""

from __future__ import annotations

import json
from typing import Any, Literal

from moorage.metadata.transaction import ReadTransaction
from moorage.model import identity_limits
from moorage.model.errors import LimitExceeded, MalformedPolicy, PrincipalNotFound
from moorage.operations.identity.principals import unique_id_of

DocumentKind = Literal["identity", "trust", "boundary", "session", "resource"]


def check(text: str, kind: DocumentKind) -> dict[str, Any]:
    """The document that `text` is. Raises MalformedPolicy."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedPolicy("This policy contains invalid Json", kind) from None
    if not isinstance(document, dict) or "Statement" not in document:
        raise MalformedPolicy("Syntax errors in policy.", kind)
    return document


def size_of(text: str) -> int:
    """The size that quotas count: characters that are not white space."""
    return len("".join(text.split()))


def check_managed(text: str) -> None:
    """A managed policy's document. Raises MalformedPolicy, LimitExceeded."""
    check(text, "identity")
    if size_of(text) > identity_limits.MANAGED_POLICY_SIZE:
        raise LimitExceeded(f"Cannot exceed quota for PolicySize: {identity_limits.MANAGED_POLICY_SIZE}")


def check_trust(tx: ReadTransaction, text: str) -> str:
    """A role's trust policy: the unique ids of the principals that it names, by their ARNs, as JSON.

    A principal is bound when it is written down: one that is deleted and made anew under its name is another.

    Raises:
        MalformedPolicy: also for a principal that does not exist.
        LimitExceeded
    """
    document = check(text, "trust")
    if size_of(text) > identity_limits.TRUST_POLICY_SIZE:
        raise LimitExceeded(f"Cannot exceed quota for ACLSizePerRole: {identity_limits.TRUST_POLICY_SIZE}")
    bindings = {}
    for arn in _principals_named(document):
        bound = unique_id_of(tx, arn)
        if bound is None:
            raise PrincipalNotFound(arn, "trust")
        bindings[arn] = bound
    return json.dumps(bindings)


def _principals_named(document: dict[str, Any]) -> list[str]:
    """The AWS principals of a resource policy's statements, without ``*``."""
    statements = document["Statement"]
    named: list[str] = []
    for statement in statements if isinstance(statements, list) else [statements]:
        for element in ("Principal", "NotPrincipal"):
            principal = statement.get(element) if isinstance(statement, dict) else None
            entries = principal.get("AWS", []) if isinstance(principal, dict) else []
            for entry in entries if isinstance(entries, list) else [entries]:
                if not isinstance(entry, str):
                    raise MalformedPolicy("Invalid principal in policy", "trust")
                if entry != "*":
                    named.append(entry)
    return list(dict.fromkeys(named))
