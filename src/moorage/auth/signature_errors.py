"""Why a signature was refused: facts and kinds, no codes and no words; each wire words them for its protocol.

Source of the distinctions: AWS Signature Version 4, and the errors that its services are seen to give.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from moorage.model.errors import NotAuthenticated


class FaultKind(Enum):
    """One thing that is wrong with a request's authentication; the facts of each in order."""

    NO_TOKEN = auto()
    """The request is not signed at all."""
    MISSING_CREDENTIAL = auto()
    MISSING_SIGNATURE = auto()
    MISSING_SIGNED_HEADERS = auto()
    MISSING_DATE = auto()
    MALFORMED_CREDENTIAL = auto()
    """(the Credential as sent): not five parts."""
    MALFORMED_HEADER = auto()
    """(the key=value pair): an Authorization field that cannot be read, or is there twice."""
    MALFORMED_DATE = auto()
    """(the date as sent)"""
    MALFORMED_QUERY = auto()
    """(the query parameter): missing, repeated or unreadable in the presigned form."""
    UNSUPPORTED_ALGORITHM = auto()
    """(the algorithm as sent)"""
    TWO_SIGNATURES = auto()
    """Header form and query form in one request."""
    EXPIRES_NOT_A_NUMBER = auto()
    EXPIRES_TOO_SHORT = auto()
    EXPIRES_TOO_LONG = auto()
    """(the bound in seconds)"""
    UNKNOWN_KEY = auto()
    """Unknown, inactive or deleted key id, or a session token that is not the key's."""
    SESSION_EXPIRED = auto()
    SCOPE_REGION = auto()
    """(the region as sent)"""
    SCOPE_SERVICE = auto()
    """(the service it should be)"""
    SCOPE_TERMINATOR = auto()
    """(the terminator as sent)"""
    SCOPE_DATE = auto()
    """(date in the scope, date of the request, timestamp of the request)"""
    EXPIRED = auto()
    """(time of the signature, oldest acceptable, now)"""
    NOT_YET_CURRENT = auto()
    """(time of the signature, newest acceptable, now)"""
    PRESIGNED_EXPIRED = auto()
    HOST_NOT_SIGNED = auto()
    HEADER_NOT_SIGNED = auto()
    """(the x-amz-* header that is sent but not signed)"""
    PAYLOAD_MISMATCH = auto()
    """x-amz-content-sha256 is not the digest of the body."""
    SIGNATURE_MISMATCH = auto()


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault with its facts, as `FaultKind` lists them. Facts are shortened by whoever shows them."""

    kind: FaultKind
    facts: tuple[str, ...] = ()


class SignatureRefused(NotAuthenticated):
    """The request's signature does not count. `faults` are all of one family, in the order in which they are told."""

    def __init__(self, *faults: Fault, header: str = "") -> None:
        super().__init__(", ".join(fault.kind.name.lower() for fault in faults))
        self.faults = faults
        self.header = header
        """The Authorization header as sent, for the one message that repeats it."""

    @property
    def kind(self) -> FaultKind:
        """The kind that decides the code."""
        return self.faults[0].kind


def refuse(kind: FaultKind, *facts: str) -> SignatureRefused:
    """An error with a single fault."""
    return SignatureRefused(Fault(kind, facts))
