"""The codes and texts of refused signatures, for the JSON and for the query services."""

from __future__ import annotations

from moorage.auth.signature_errors import Fault, FaultKind, SignatureRefused

_MAX_FACT = 256
_MAX_HEADER = 1_024

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing "
    "method. Consult the service documentation for details."
)
_QUERY_FORM = (
    "AWS query-string parameters must include 'X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Signature', 'X-Amz-SignedHeaders', "
    "'X-Amz-Date' and 'X-Amz-Expires', each once. Re-examine the query-string parameters."
)

TEXTS: dict[FaultKind, str] = {
    FaultKind.NO_TOKEN: "Request is missing Authentication Token",
    FaultKind.MISSING_CREDENTIAL: "Authorization header requires 'Credential' parameter.",
    FaultKind.MISSING_SIGNATURE: "Authorization header requires 'Signature' parameter.",
    FaultKind.MISSING_SIGNED_HEADERS: "Authorization header requires 'SignedHeaders' parameter.",
    FaultKind.MISSING_DATE: "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
    FaultKind.MALFORMED_CREDENTIAL: (
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{0}'"
    ),
    FaultKind.MALFORMED_HEADER: "'{0}' not a valid key=value pair (missing equal-sign) in Authorization header.",
    FaultKind.MALFORMED_DATE: "Date must be in ISO-8601 'basic format'. Got '{0}'. See http://en.wikipedia.org/wiki/ISO_8601",
    FaultKind.MALFORMED_QUERY: _QUERY_FORM,
    FaultKind.UNSUPPORTED_ALGORITHM: "Unsupported AWS 'algorithm': '{0}'.",
    FaultKind.TWO_SIGNATURES: "Only one of the Authorization header and the query-string signature may be used.",
    FaultKind.EXPIRES_NOT_A_NUMBER: "X-Amz-Expires should be a number",
    FaultKind.EXPIRES_TOO_SHORT: "X-Amz-Expires must be at least 1",
    FaultKind.EXPIRES_TOO_LONG: "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be at most {0} seconds",  # noqa: E501 - one sentence of the service
    FaultKind.UNKNOWN_KEY: "The security token included in the request is invalid.",
    FaultKind.SESSION_EXPIRED: "The security token included in the request is expired",
    FaultKind.SCOPE_REGION: "Credential should be scoped to a valid region, not '{0}'.",
    FaultKind.SCOPE_SERVICE: "Credential should be scoped to correct service: '{0}'.",
    FaultKind.SCOPE_TERMINATOR: "Credential should be scoped with a valid terminator: 'aws4_request', not '{0}'.",
    FaultKind.SCOPE_DATE: (
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{0}' != '{1}', from '{2}'."
    ),
    FaultKind.EXPIRED: "Signature expired: {0} is now earlier than {1} ({2} - 5 min.)",
    FaultKind.NOT_YET_CURRENT: "Signature not yet current: {0} is still later than {1} ({2} + 5 min.)",
    FaultKind.PRESIGNED_EXPIRED: "Request has expired.",
    FaultKind.HOST_NOT_SIGNED: "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    FaultKind.HEADER_NOT_SIGNED: "There were headers present in the request which were not signed: '{0}'.",
    FaultKind.PAYLOAD_MISMATCH: "The provided 'x-amz-content-sha256' header does not match what was computed.",
    FaultKind.SIGNATURE_MISMATCH: _MISMATCH,
}

_QUERY_TEXTS = {FaultKind.SCOPE_REGION: "Credential should be scoped to a valid region."}

_INCOMPLETE = ("IncompleteSignatureException", "IncompleteSignature", 400)
_INVALID = ("InvalidSignatureException", "SignatureDoesNotMatch", 403)

CODES: dict[FaultKind, tuple[str, str, int]] = {
    **dict.fromkeys(FaultKind, _INVALID),
    FaultKind.NO_TOKEN: ("MissingAuthenticationTokenException", "MissingAuthenticationToken", 403),
    **dict.fromkeys(
        (
            FaultKind.MISSING_CREDENTIAL,
            FaultKind.MISSING_SIGNATURE,
            FaultKind.MISSING_SIGNED_HEADERS,
            FaultKind.MISSING_DATE,
            FaultKind.MALFORMED_CREDENTIAL,
            FaultKind.MALFORMED_HEADER,
            FaultKind.MALFORMED_DATE,
            FaultKind.MALFORMED_QUERY,
            FaultKind.UNSUPPORTED_ALGORITHM,
            FaultKind.TWO_SIGNATURES,
            FaultKind.EXPIRES_NOT_A_NUMBER,
            FaultKind.EXPIRES_TOO_SHORT,
            FaultKind.EXPIRES_TOO_LONG,
        ),
        _INCOMPLETE,
    ),
    FaultKind.UNKNOWN_KEY: ("UnrecognizedClientException", "InvalidClientTokenId", 403),
    FaultKind.SESSION_EXPIRED: ("ExpiredTokenException", "ExpiredToken", 403),
    FaultKind.PRESIGNED_EXPIRED: ("InvalidSignatureException", "RequestExpired", 400),
}
"""Code of the JSON services (always status 400), code of the query services, and the latter's status."""


def signature_error(error: SignatureRefused, *, is_json: bool) -> tuple[str, int, str]:
    """Code, HTTP status and message of a refused signature."""
    json_code, query_code, query_status = CODES[error.kind]
    message = " ".join(_sentence(fault, is_json=is_json) for fault in error.faults)
    if error.header:
        message = f"{message} Authorization={error.header[:_MAX_HEADER]}"
    return (json_code, 400, message) if is_json else (query_code, query_status, message)


def _sentence(fault: Fault, *, is_json: bool) -> str:
    text = TEXTS[fault.kind] if is_json else _QUERY_TEXTS.get(fault.kind, TEXTS[fault.kind])
    return text.format(*(fact[:_MAX_FACT] for fact in fault.facts))
