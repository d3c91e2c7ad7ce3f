"""AWS Signature Version 4, the verifying side: no I/O, the time is an argument.

`parse_authorization` reads what the client claims, in the header or the presigned query form. The wire then looks up the access
key, and `verify` decides. Every refusal is a `SignatureRefused` that says what is wrong as a kind and facts.

Source: AWS "Signature Version 4 signing process". SigV4A and SigV2 are refused.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import time
from collections.abc import Container
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from itertools import pairwise
from threading import Lock
from urllib.parse import unquote

from moorage.auth.canonical import Headers, canonical_path, canonical_queries
from moorage.auth.credentials import Credential
from moorage.auth.signature_errors import Fault, FaultKind, SignatureRefused, refuse

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
SKEW_SECONDS = 300
"""How far the client's clock may be off, each way (the "5 min." of the messages of ECR, STS, IAM and KMS)."""
MAX_EXPIRES_SECONDS = 604_800
"""The longest life of a presigned request: seven days."""

_MAX_AUTHORIZATION = 8_192
_ALLOWED_UNSIGNED = frozenset((b"x-amz-security-token", b"x-amz-cf-id"))


class Form(Enum):
    """Where the signature was found."""

    HEADER = "header"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a request claims about itself; nothing here is verified yet.

    `timestamp` is the signing time as ``YYYYMMDDTHHMMSSZ`` and `signed_at` the same in seconds since the epoch.
    `expires_seconds` is set in the query form only.
    """

    access_key_id: str
    date: str
    region: str
    service: str
    terminator: str
    signed_headers: tuple[bytes, ...]
    signature: str
    timestamp: str
    signed_at: float
    form: Form
    session_token: str | None = None
    expires_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """What a signature covers, as it arrived.

    `raw_path` is the path of the request line, not decoded; `raw_query` likewise, without the question mark. `body_sha256` is
    hexadecimal.
    """

    method: str
    raw_path: bytes
    raw_query: bytes
    headers: Headers
    body_sha256: str


def is_signed(headers: Headers, raw_query: bytes) -> bool:
    """Tell whether the request carries anything that `parse_authorization` would look at."""
    return b"authorization" in headers or b"X-Amz-" in raw_query


def parse_authorization(headers: Headers, raw_query: bytes) -> SignedRequest:
    """Read the claims of the request's signature.

    Raises:
        SignatureRefused: there is none (NO_TOKEN), or it cannot be read.
    """
    presigned = b"X-Amz-" in raw_query and (b"X-Amz-Algorithm" in raw_query or b"X-Amz-Signature" in raw_query)
    authorization = headers.get(b"authorization")
    if authorization is None:
        if presigned:
            return _parse_query(raw_query)
        raise refuse(FaultKind.NO_TOKEN)
    if presigned:
        raise refuse(FaultKind.TWO_SIGNATURES)
    return _parse_header(headers, authorization)


def _parse_header(headers: Headers, authorization: bytes) -> SignedRequest:
    text = authorization[:_MAX_AUTHORIZATION].decode("latin-1")
    algorithm, _, rest = text.partition(" ")
    if algorithm != ALGORITHM:
        raise refuse(FaultKind.UNSUPPORTED_ALGORITHM, algorithm)
    fields: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not name:
            continue
        if not equals or name in fields:
            raise SignatureRefused(Fault(FaultKind.MALFORMED_HEADER, (part.strip(),)), header=text)
        fields[name] = value
    date_header = headers.get(b"x-amz-date") or headers.get(b"date")
    missing = [
        Fault(kind)
        for kind, absent in (
            (FaultKind.MISSING_CREDENTIAL, not fields.get("Credential")),
            (FaultKind.MISSING_SIGNATURE, not fields.get("Signature")),
            (FaultKind.MISSING_SIGNED_HEADERS, not fields.get("SignedHeaders")),
            (FaultKind.MISSING_DATE, not date_header),
        )
        if absent
    ]
    if missing or date_header is None:
        raise SignatureRefused(*missing, header=text)
    timestamp, signed_at = _parse_date(date_header.decode("latin-1"))
    token = headers.get(b"x-amz-security-token")
    return SignedRequest(
        *_parse_credential(fields["Credential"]),
        signed_headers=tuple(fields["SignedHeaders"].encode("latin-1").split(b";")),
        signature=fields["Signature"],
        timestamp=timestamp,
        signed_at=signed_at,
        form=Form.HEADER,
        session_token=None if token is None else token.decode("latin-1"),
    )


def _parse_query(raw_query: bytes) -> SignedRequest:
    fields: dict[str, str] = {}
    for part in raw_query.split(b"&"):
        if part.startswith(b"X-Amz-"):
            name, _, value = part.partition(b"=")
            key = name.decode("latin-1")
            if key in fields:
                raise refuse(FaultKind.MALFORMED_QUERY, key)
            fields[key] = unquote(value.decode("latin-1"))
    if fields.get("X-Amz-Algorithm") != ALGORITHM:
        raise refuse(FaultKind.UNSUPPORTED_ALGORITHM, fields.get("X-Amz-Algorithm", ""))
    for key in ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date", "X-Amz-Expires"):
        if not fields.get(key):
            raise refuse(FaultKind.MALFORMED_QUERY, key)
    timestamp, signed_at = _parse_date(fields["X-Amz-Date"])
    return SignedRequest(
        *_parse_credential(fields["X-Amz-Credential"]),
        signed_headers=tuple(fields["X-Amz-SignedHeaders"].encode("utf-8", "replace").split(b";")),
        signature=fields["X-Amz-Signature"],
        timestamp=timestamp,
        signed_at=signed_at,
        form=Form.QUERY,
        session_token=fields.get("X-Amz-Security-Token"),
        expires_seconds=_parse_expires(fields["X-Amz-Expires"]),
    )


def _parse_credential(text: str) -> tuple[str, str, str, str, str]:
    parts = text.split("/")
    if len(parts) != 5 or not parts[0]:
        raise refuse(FaultKind.MALFORMED_CREDENTIAL, text)
    return parts[0], parts[1], parts[2], parts[3], parts[4]


def _parse_date(text: str) -> tuple[str, float]:
    if len(text) == 16 and text[8] == "T" and text[15] == "Z" and text.isascii():
        digits = text[:8] + text[9:15]
        if digits.isdigit():
            fields = (int(text[:4]), int(text[4:6]), int(text[6:8]), int(text[9:11]), int(text[11:13]), int(text[13:15]))
            _, month, day, hour, minute, second = fields
            if fields[0] >= 1970 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61:
                return text, float(calendar.timegm(fields))
        raise refuse(FaultKind.MALFORMED_DATE, text)
    try:
        signed_at = parsedate_to_datetime(text).timestamp()
        return format_time(signed_at), signed_at
    except (ValueError, OverflowError, OSError, TypeError):
        raise refuse(FaultKind.MALFORMED_DATE, text) from None


def _parse_expires(text: str) -> int:
    negative = text.startswith("-")
    digits = text[1:] if negative else text
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise refuse(FaultKind.EXPIRES_NOT_A_NUMBER)
    seconds = int(digits)
    if negative or seconds < 1:
        raise refuse(FaultKind.EXPIRES_TOO_SHORT)
    if seconds > MAX_EXPIRES_SECONDS:
        raise refuse(FaultKind.EXPIRES_TOO_LONG, str(MAX_EXPIRES_SECONDS))
    return seconds


def format_time(seconds: float) -> str:
    """``YYYYMMDDTHHMMSSZ``, the form in which timestamps are signed and shown."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def check_credential(signed: SignedRequest, credential: Credential | None, now: float) -> Credential:
    """Return the credential if the key exists and the session token is its own.

    Raises:
        SignatureRefused: UNKNOWN_KEY, also for a wrong or superfluous session token; SESSION_EXPIRED.
    """
    if credential is None:
        raise refuse(FaultKind.UNKNOWN_KEY)
    given, wanted = signed.session_token, credential.session_token
    if (given is None) is not (wanted is None):
        raise refuse(FaultKind.UNKNOWN_KEY)
    if given is not None and wanted is not None and not hmac.compare_digest(given.encode(), wanted.encode()):
        raise refuse(FaultKind.UNKNOWN_KEY)
    if credential.expires_at is not None and credential.expires_at <= now:
        raise refuse(FaultKind.SESSION_EXPIRED)
    return credential


def check_scope(signed: SignedRequest, service: str, regions: Container[str] | None) -> None:
    """Check the credential scope against the endpoint; `regions` None: any region that is named at all.

    Raises:
        SignatureRefused: with a fault for each part that is wrong.
    """
    faults = []
    if not signed.region or (regions is not None and signed.region not in regions):
        faults.append(Fault(FaultKind.SCOPE_REGION, (signed.region,)))
    if signed.service != service:
        faults.append(Fault(FaultKind.SCOPE_SERVICE, (service,)))
    if signed.terminator != TERMINATOR:
        faults.append(Fault(FaultKind.SCOPE_TERMINATOR, (signed.terminator,)))
    if signed.date != signed.timestamp[:8]:
        faults.append(Fault(FaultKind.SCOPE_DATE, (signed.date, signed.timestamp[:8], signed.timestamp)))
    if faults:
        raise SignatureRefused(*faults)


def check_time(signed: SignedRequest, now: float) -> None:
    """Check the signing time against `now` (seconds since the epoch).

    Raises:
        SignatureRefused: EXPIRED, NOT_YET_CURRENT or PRESIGNED_EXPIRED.
    """
    if signed.signed_at > now + SKEW_SECONDS:
        raise refuse(FaultKind.NOT_YET_CURRENT, signed.timestamp, format_time(now + SKEW_SECONDS), format_time(now))
    if signed.expires_seconds is not None:
        if now > signed.signed_at + signed.expires_seconds:
            raise refuse(FaultKind.PRESIGNED_EXPIRED)
    elif signed.signed_at < now - SKEW_SECONDS:
        raise refuse(FaultKind.EXPIRED, signed.timestamp, format_time(now - SKEW_SECONDS), format_time(now))


class SigningKeys:
    """Derived signing keys: four HMACs saved per request. Bounded; the oldest goes first. Safe to use from several threads.

    The entry is bound to a digest of the secret, so a key id whose secret was replaced never meets the old key.
    """

    def __init__(self, capacity: int = 4_096) -> None:
        self._capacity = capacity
        self._keys: dict[tuple[str, bytes, str, str, str], bytes] = {}
        self._lock = Lock()

    def derive(self, access_key_id: str, secret: str, date: str, region: str, service: str) -> bytes:
        """The signing key of `secret` for that date, region and service."""
        secret_bytes = secret.encode()
        entry = (access_key_id, hashlib.sha256(secret_bytes).digest(), date, region, service)
        key = self._keys.get(entry)
        if key is None:
            key = b"AWS4" + secret_bytes
            for part in (date, region, service, TERMINATOR):
                key = hmac.digest(key, part.encode(), "sha256")
            with self._lock:
                while len(self._keys) >= self._capacity:
                    del self._keys[next(iter(self._keys))]
                self._keys[entry] = key
        return key


def verify(
    keys: SigningKeys,
    signed: SignedRequest,
    secret: str,
    request: ReceivedRequest,
    now: float,
    *,
    unsigned_payload_allowed: bool = False,
) -> None:
    """Decide whether the signature was made with `secret` over this request, at a time that counts.

    `unsigned_payload_allowed`: whether ``UNSIGNED-PAYLOAD`` may stand for the body's digest when presigned (over TLS only).

    Raises:
        SignatureRefused: the time is wrong, something that must be signed is not, the body is another, or the signature is.
    """
    check_time(signed, now)
    headers = request.headers
    _check_signed_headers(signed, headers)
    payload_hash = _payload_hash(signed, request, unsigned_payload_allowed)
    try:
        canonical = b"".join([name + b":" + headers[name] + b"\n" for name in signed.signed_headers])
    except KeyError:
        raise refuse(FaultKind.SIGNATURE_MISMATCH) from None
    tail = b"\n" + canonical + b"\n" + b";".join(signed.signed_headers) + b"\n" + payload_hash.encode()
    head = request.method.encode() + b"\n" + canonical_path(request.raw_path) + b"\n"
    scope = f"{ALGORITHM}\n{signed.timestamp}\n{signed.date}/{signed.region}/{signed.service}/{signed.terminator}\n"
    key = keys.derive(signed.access_key_id, secret, signed.date, signed.region, signed.service)
    given = signed.signature.encode("utf-8", "replace")
    matched = False
    for query in canonical_queries(request.raw_query, b"X-Amz-Signature" if signed.form is Form.QUERY else None):
        digest = hashlib.sha256(head + query + tail).hexdigest()
        expected = hmac.digest(key, (scope + digest).encode(), "sha256").hex().encode()
        matched |= hmac.compare_digest(expected, given)
    if not matched:
        raise refuse(FaultKind.SIGNATURE_MISMATCH)


def _check_signed_headers(signed: SignedRequest, headers: Headers) -> None:
    names = signed.signed_headers
    if b"host" not in names and b":authority" not in names:
        raise refuse(FaultKind.HOST_NOT_SIGNED)
    for before, after in pairwise(names):
        if before >= after:
            raise refuse(FaultKind.SIGNATURE_MISMATCH)
    for name in headers:
        if name.startswith(b"x-amz-") and name not in names and name not in _ALLOWED_UNSIGNED:
            raise refuse(FaultKind.HEADER_NOT_SIGNED, name.decode("latin-1"))
    if signed.form is Form.HEADER and b"x-amz-date" not in headers and b"date" not in names:
        raise refuse(FaultKind.HEADER_NOT_SIGNED, "date")


def _payload_hash(signed: SignedRequest, request: ReceivedRequest, unsigned_payload_allowed: bool) -> str:
    stated = request.headers.get(b"x-amz-content-sha256")
    if stated is None or stated == request.body_sha256.encode():
        return request.body_sha256
    if stated == b"UNSIGNED-PAYLOAD" and unsigned_payload_allowed and signed.form is Form.QUERY:
        return "UNSIGNED-PAYLOAD"
    raise refuse(FaultKind.PAYLOAD_MISMATCH)
