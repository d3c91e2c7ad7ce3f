"""Signatures made by botocore, an independent signer, against the verifier; each refusal by its kind."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from moorage.auth.canonical import canonical_headers, canonical_path
from moorage.auth.credentials import root_credential
from moorage.auth.signature_errors import FaultKind, SignatureRefused
from moorage.auth.sigv4 import (
    Form,
    ReceivedRequest,
    SignedRequest,
    SigningKeys,
    check_credential,
    check_scope,
    format_time,
    parse_authorization,
    verify,
)

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
Pairs = list[tuple[bytes, bytes]]


class Sent:
    """A signed request as a server meets it."""

    def __init__(
        self,
        url: str = "http://registry.test/",
        body: bytes = b"{}",
        headers: dict[str, str] | None = None,
        *,
        presigned: bool = False,
        token: str | None = None,
        method: str = "POST",
        service: str = "ecr",
        region: str = "eu-west-1",
        expires: int = 60,
    ) -> None:
        request = AWSRequest(method=method, url=url, data=body, headers=headers or {})
        credentials = Credentials(KEY, SECRET, token)
        if presigned:
            SigV4QueryAuth(credentials, service, region, expires=expires).add_auth(request)
        else:
            SigV4Auth(credentials, service, region).add_auth(request)
        parts = urlsplit(request.url)
        self.pairs: Pairs = [(name.lower().encode(), str(value).encode()) for name, value in request.headers.items()]
        self.pairs.append((b"host", parts.netloc.encode()))
        self.method, self.path, self.query, self.body = method, parts.path.encode(), parts.query.encode(), body
        self.now = time.time()

    def header(self, name: bytes) -> bytes:
        return dict(self.pairs)[name]

    def set(self, name: bytes, value: bytes) -> None:
        self.pairs = [pair for pair in self.pairs if pair[0] != name] + [(name, value)]

    def parse(self) -> SignedRequest:
        return parse_authorization(canonical_headers(self.pairs), self.query)

    def verify(self, *, secret: str = SECRET, unsigned_payload_allowed: bool = False) -> SignedRequest:
        signed = self.parse()
        digest = hashlib.sha256(self.body).hexdigest()
        received = ReceivedRequest(self.method, self.path, self.query, canonical_headers(self.pairs), digest)
        verify(SigningKeys(), signed, secret, received, self.now, unsigned_payload_allowed=unsigned_payload_allowed)
        return signed


def kind_of(act: Callable[[], object]) -> FaultKind:
    with pytest.raises(SignatureRefused) as caught:
        act()
    return caught.value.kind


@pytest.mark.parametrize("presigned", [False, True])
@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/?",
        "/a%2Fb",
        "//a//b/",
        "/a/./b/../c",
        "/%20x",
        "/a+b",
        "/~x",
        "/?b=2&a=1&a=0",
        "/?x=a%2Fb",
        "/?x=%E2%82%AC&y",
        "/?x=a%20b",
        "/?a=&b",
    ],
)
def test_what_botocore_signs_is_accepted(target: str, presigned: bool) -> None:
    sent = Sent("http://registry.test:5000" + target, presigned=presigned, method="GET", body=b"")
    assert sent.verify().form is (Form.QUERY if presigned else Form.HEADER)


@pytest.mark.parametrize("target", ["/?x=a+b", "/?x=a/b", "/?x=%2f", "/?x=a:b"])
def test_a_query_that_is_not_in_canonical_encoding_is_accepted_as_it_was_sent(target: str) -> None:
    Sent("http://registry.test" + target, method="GET", body=b"").verify()


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=40), st.binary(max_size=64))
def test_any_header_value_and_body(value: str, body: bytes) -> None:
    printable = "".join(c for c in value if " " <= c <= "~")
    Sent(body=body, headers={"X-Amz-Meta": printable or "x", "Content-Type": "application/x-amz-json-1.1"}).verify()


def test_runs_of_spaces_count_as_one_and_values_of_one_name_are_joined() -> None:
    assert canonical_headers([(b"a", b"  x   y "), (b"a", b"z")]) == {b"a": b"x y,z"}
    Sent(headers={"X-Amz-Meta": "a   b"}).verify()


def test_paths() -> None:
    assert canonical_path(b"/a%2Fb") == b"/a%252Fb"
    assert canonical_path(b"//a//b/") == b"/a/b/"


ALTERATIONS: dict[str, Callable[[Sent], None]] = {
    "body": lambda sent: setattr(sent, "body", b"{} "),
    "method": lambda sent: setattr(sent, "method", "PUT"),
    "path": lambda sent: setattr(sent, "path", b"/x"),
    "query": lambda sent: setattr(sent, "query", b"a=1"),
    "host": lambda sent: sent.set(b"host", b"other.test"),
    "target": lambda sent: sent.set(b"x-amz-target", b"A.DeleteRepository"),
    "absent header": lambda sent: setattr(sent, "pairs", [pair for pair in sent.pairs if pair[0] != b"x-amz-target"]),
    "repeated header": lambda sent: sent.pairs.append((b"x-amz-target", b"A.B")),
    "signature": lambda sent: sent.set(b"authorization", sent.header(b"authorization")[:-1] + b"!"),
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_an_altered_request_is_refused(what: str) -> None:
    sent = Sent(headers={"X-Amz-Target": "A.B"})
    sent.verify()
    ALTERATIONS[what](sent)
    assert kind_of(sent.verify) is FaultKind.SIGNATURE_MISMATCH


def test_wrong_secret() -> None:
    assert kind_of(lambda: Sent().verify(secret="other")) is FaultKind.SIGNATURE_MISMATCH


def test_a_replaced_secret_does_not_meet_the_derived_key_of_the_old_one() -> None:
    keys = SigningKeys(2)
    first = keys.derive(KEY, "old", "20260101", "r", "ecr")
    assert keys.derive(KEY, "new", "20260101", "r", "ecr") != first
    for day in range(20260102, 20260110):
        keys.derive(KEY, "old", str(day), "r", "ecr")
    assert keys.derive(KEY, "old", "20260101", "r", "ecr") == first


@pytest.mark.parametrize(
    ("authorization", "kinds"),
    [
        (b"Basic QVdTOng=", [FaultKind.UNSUPPORTED_ALGORITHM]),
        (b"", [FaultKind.UNSUPPORTED_ALGORITHM]),
        (b"AWS4-ECDSA-P256-SHA256 Credential=x", [FaultKind.UNSUPPORTED_ALGORITHM]),
        (b"AWS4-HMAC-SHA256", [FaultKind.MISSING_CREDENTIAL, FaultKind.MISSING_SIGNATURE, FaultKind.MISSING_SIGNED_HEADERS]),
        (b"AWS4-HMAC-SHA256 Credential=a, Signature=b", [FaultKind.MISSING_SIGNED_HEADERS]),
        (b"AWS4-HMAC-SHA256 Credential=a, Credential=b", [FaultKind.MALFORMED_HEADER]),
        (b"AWS4-HMAC-SHA256 nonsense", [FaultKind.MALFORMED_HEADER]),
        (b"AWS4-HMAC-SHA256 Credential=a/b, Signature=b, SignedHeaders=host", [FaultKind.MALFORMED_CREDENTIAL]),
    ],
)
def test_authorization_that_cannot_be_read(authorization: bytes, kinds: list[FaultKind]) -> None:
    with pytest.raises(SignatureRefused) as caught:
        parse_authorization({b"authorization": authorization, b"x-amz-date": b"20260101T000000Z"}, b"")
    assert [fault.kind for fault in caught.value.faults] == kinds


@pytest.mark.parametrize(
    "date", [b"20261301T000000Z", b"2026-01-01T00:00:00Z", b"yesterday", b"\xff", b"99999999T999999Z", b"2026010\xb2T000000Z"]
)
def test_date_that_cannot_be_read(date: bytes) -> None:
    sent = Sent()
    sent.set(b"x-amz-date", date)
    assert kind_of(sent.parse) is FaultKind.MALFORMED_DATE


def test_no_signature_and_two_signatures() -> None:
    assert kind_of(lambda: parse_authorization({}, b"")) is FaultKind.NO_TOKEN
    sent = Sent(presigned=True, method="GET", body=b"")
    sent.set(b"authorization", b"AWS4-HMAC-SHA256 x")
    assert kind_of(sent.parse) is FaultKind.TWO_SIGNATURES


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_garbage_is_refused_and_never_worse(authorization: bytes, query: bytes) -> None:
    for headers in ({b"authorization": authorization}, {b"authorization": b"AWS4-HMAC-SHA256 " + authorization}, {}):
        with pytest.raises(SignatureRefused):
            parse_authorization(headers, b"X-Amz-Algorithm=AWS4-HMAC-SHA256&" + query)


def test_skew() -> None:
    sent = Sent()
    signed_at = sent.parse().signed_at
    for offset in (-300, 300):
        sent.now = signed_at + offset
        sent.verify()
    sent.now = signed_at + 301
    with pytest.raises(SignatureRefused) as caught:
        sent.verify(secret="wrong as well")
    assert caught.value.kind is FaultKind.EXPIRED
    assert caught.value.faults[0].facts == tuple(format_time(signed_at + s) for s in (0, 1, 301))
    sent.now = signed_at - 301
    assert kind_of(sent.verify) is FaultKind.NOT_YET_CURRENT


def test_presigned_life() -> None:
    sent = Sent(presigned=True, method="GET", body=b"", expires=600)
    sent.now += 590
    sent.verify()
    sent.now += 20
    assert kind_of(sent.verify) is FaultKind.PRESIGNED_EXPIRED


@pytest.mark.parametrize(
    ("expires", "kind"),
    [
        (b"0", FaultKind.EXPIRES_TOO_SHORT),
        (b"-1", FaultKind.EXPIRES_TOO_SHORT),
        (b"604801", FaultKind.EXPIRES_TOO_LONG),
        (b"x", FaultKind.EXPIRES_NOT_A_NUMBER),
        (b"9" * 40, FaultKind.EXPIRES_NOT_A_NUMBER),
        (b"", FaultKind.MALFORMED_QUERY),
    ],
)
def test_presigned_bounds(expires: bytes, kind: FaultKind) -> None:
    sent = Sent(presigned=True, method="GET", body=b"")
    sent.query = sent.query.replace(b"X-Amz-Expires=60", b"X-Amz-Expires=" + expires)
    assert kind_of(sent.parse) is kind


def test_repeated_presigned_parameter() -> None:
    sent = Sent(presigned=True, method="GET", body=b"")
    sent.query += b"&X-Amz-Expires=600"
    assert kind_of(sent.parse) is FaultKind.MALFORMED_QUERY


def test_scope() -> None:
    signed = Sent().parse()
    check_scope(signed, "ecr", {"eu-west-1"})
    check_scope(signed, "ecr", None)
    wrong = replace(signed, date="20200101", terminator="aws5")
    with pytest.raises(SignatureRefused) as caught:
        check_scope(wrong, "sts", {"us-east-1"})
    assert [fault.kind for fault in caught.value.faults] == [
        FaultKind.SCOPE_REGION,
        FaultKind.SCOPE_SERVICE,
        FaultKind.SCOPE_TERMINATOR,
        FaultKind.SCOPE_DATE,
    ]


def test_keys_and_tokens() -> None:
    signed = Sent().parse()
    credential = root_credential(KEY, SECRET, "123456789012")
    session = replace(credential, session_token="t", expires_at=100.0)
    with_token = replace(signed, session_token="t")
    assert check_credential(signed, credential, 0) is credential
    assert check_credential(with_token, session, 0) is session
    assert kind_of(lambda: check_credential(signed, None, 0)) is FaultKind.UNKNOWN_KEY
    assert kind_of(lambda: check_credential(signed, session, 0)) is FaultKind.UNKNOWN_KEY
    assert kind_of(lambda: check_credential(with_token, credential, 0)) is FaultKind.UNKNOWN_KEY
    assert kind_of(lambda: check_credential(replace(signed, session_token="é"), session, 0)) is FaultKind.UNKNOWN_KEY
    assert kind_of(lambda: check_credential(with_token, session, 100)) is FaultKind.SESSION_EXPIRED
    assert SECRET not in repr(session)


@pytest.mark.parametrize("presigned", [False, True])
def test_session_token_is_part_of_the_request(presigned: bool) -> None:
    sent = Sent(token="session/token+=", presigned=presigned, method="GET", body=b"")
    assert sent.verify().session_token == "session/token+="


def test_headers_that_must_be_signed() -> None:
    sent = Sent()
    sent.pairs.append((b"x-amz-target", b"A.B"))
    assert kind_of(sent.verify) is FaultKind.HEADER_NOT_SIGNED
    sent = Sent()
    sent.pairs.append((b"x-amz-security-token", b"t"))
    sent.verify()
    sent = Sent()
    sent.set(b"authorization", sent.header(b"authorization").replace(b"SignedHeaders=host;", b"SignedHeaders="))
    assert kind_of(sent.verify) is FaultKind.HOST_NOT_SIGNED


def test_stated_payload_digest() -> None:
    digest = hashlib.sha256(b"{}").hexdigest()
    Sent(headers={"X-Amz-Content-SHA256": digest}).verify()
    assert kind_of(Sent(headers={"X-Amz-Content-SHA256": digest[:-1] + "x"}).verify) is FaultKind.PAYLOAD_MISMATCH
    sent = Sent(headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert kind_of(lambda: sent.verify(unsigned_payload_allowed=True)) is FaultKind.PAYLOAD_MISMATCH


def test_date_header_instead_of_x_amz_date() -> None:
    signed = parse_authorization(
        {
            b"authorization": b"AWS4-HMAC-SHA256 Credential=AKIA/20260101/r/ecr/aws4_request,SignedHeaders=date;host,Signature=0",
            b"date": b"Thu, 01 Jan 2026 00:00:00 GMT",
        },
        b"",
    )
    assert signed.timestamp == "20260101T000000Z"
    assert signed.signed_at == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
