"""Policies of identities on their way in: checked by the policy language's rules and IAM's quotas when they are stored."""

from __future__ import annotations

from moorage.metadata.transaction import ReadTransaction
from moorage.model.errors import LimitExceeded
from moorage.operations.identity import policy_documents
from moorage.policy import sizes
from moorage.policy.document import Kind
from moorage.policy.parse import parse


def check_inline(text: str) -> None:
    """A policy that is embedded in a user, group or role. Raises MalformedPolicy."""
    parse(text, Kind.IDENTITY)


def size_of(text: str) -> int:
    """The size of an embedded policy as its quota counts it: in characters, without white space."""
    return sizes.counted_size(text, Kind.IDENTITY)


def check_managed(text: str) -> None:
    """A managed policy's document. Raises MalformedPolicy, LimitExceeded."""
    parse(text, Kind.IDENTITY)
    if size_of(text) > sizes.MANAGED:
        raise LimitExceeded(f"Cannot exceed quota for PolicySize: {sizes.MANAGED}")


def check_trust(tx: ReadTransaction, text: str) -> str:
    """A role's trust policy: the unique ids of the principals that it names, by their ARNs, as JSON.

    Raises:
        MalformedPolicy: also for a principal that does not exist.
        LimitExceeded
    """
    bindings = policy_documents.read(tx, text, Kind.TRUST)[1]
    limit = sizes.size_limit(Kind.TRUST)
    if sizes.counted_size(text, Kind.TRUST) > limit:
        raise LimitExceeded(f"Cannot exceed quota for ACLSizePerRole: {limit}")
    return bindings
