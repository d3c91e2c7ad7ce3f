"""Answers of the query protocol as JSON, for clients that ask for it with ``Accept: application/json``.

STS and IAM answer so beside their XML. Those who check presigned requests of GetCallerIdentity rely on it
(aws-iam-authenticator, Vault, SPIRE).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from moorage.wire.aws.models import OperationPlan
from moorage.wire.aws.protocols.json import render_structure

CONTENT_TYPE = b"application/json"
_XML_TYPES = (b"text/xml", b"application/xml")


def is_wanted(accept: bytes) -> bool:
    """Whether an Accept header asks for JSON and does not take XML as well."""
    ranges = [part.partition(b";")[0].strip().lower() for part in accept.split(b",")]
    return CONTENT_TYPE in ranges and not any(kind in ranges for kind in _XML_TYPES)


def render_document(output: Mapping[str, Any], operation: OperationPlan, request_id: str) -> bytes:
    """The document of an operation's `output`, in the same envelopes as the XML one. Raises OutputMismatch."""
    inner: dict[str, Any] = {"ResponseMetadata": {"RequestId": request_id}}
    if operation.result_wrapper is not None:
        inner = {operation.result_wrapper: render_structure(output, operation.output), **inner}
    return msgspec.json.encode({f"{operation.name}Response": inner})


def render_error(code: str, message: str, is_sender_fault: bool, request_id: str) -> bytes:
    """The body of an error."""
    error = {"Code": code, "Message": message, "Type": "Sender" if is_sender_fault else "Receiver"}
    return msgspec.json.encode({"Error": error, "RequestId": request_id})
