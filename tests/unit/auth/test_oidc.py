"""Tokens of identity providers: what counts, and every way that is known in which one does not."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey

from moorage.auth import oidc
from moorage.auth.oidc import PublicKey, check_claims, check_signature, condition_keys, read_keys, read_token
from moorage.model.sts_errors import (
    AudienceUnknown,
    ClaimMissing,
    IdentityTokenEarly,
    IdentityTokenExpired,
    IdentityTokenForged,
    IdentityTokenInvalid,
    IdentityTokenMalformed,
    VerificationKeyMissing,
)
from moorage.testing.oidc_issuer import forged, new_key, sign

ISSUER = "https://token.example.org/tenant"
NOW = 1_700_000_000.0
RSA: Any = new_key()
EC: Any = new_key("ES256")
EC384: Any = new_key("ES384")
OTHER: Any = new_key()


def claims(**changes: Any) -> dict[str, Any]:
    base = {"iss": ISSUER, "sub": "repo:a/b", "aud": "client", "iat": NOW, "nbf": NOW, "exp": NOW + 300, **changes}
    return {name: value for name, value in base.items() if value is not None}


def published(*keys: Any, **parameters: Any) -> tuple[PublicKey, ...]:
    return read_keys(json.dumps({"keys": [{**key.as_dict(private=False), **parameters} for key in keys]}).encode())


KEYS = published(RSA, EC, EC384)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, name) for name in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")] + [(EC, "ES256"), (EC384, "ES384")],
)
def test_every_accepted_algorithm_verifies(key: Any, algorithm: str) -> None:
    token = read_token(sign(key, claims(), algorithm))
    check_signature(token, KEYS)
    identity = check_claims(token, ISSUER, ["client"], NOW)
    assert (identity.issuer, identity.subject, identity.audience) == (ISSUER, "repo:a/b", "client")


def public_pem(key: RSAKey) -> bytes:
    return key.public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(sign(RSA, claims(), "RS256", alg="RS256")[:-300], id="truncated-signature"),
        pytest.param(forged(sign(RSA, claims()), typ="at+jwt"), id="altered-header"),
        pytest.param(sign(OTHER, claims(), kid=RSA.kid), id="another-key-under-that-kid"),
        pytest.param(sign(OTHER, claims(), kid=RSA.kid, jwk=OTHER.as_dict(private=False)), id="embedded-jwk"),
        pytest.param(sign(OTHER, claims(), kid=RSA.kid, jku="https://evil.example/keys"), id="jku"),
        pytest.param(sign(OTHER, claims(), kid=RSA.kid, x5u="https://evil.example/chain"), id="x5u"),
        pytest.param(sign(OTHER, claims(), kid=RSA.kid, x5c=["MIIB"]), id="x5c"),
    ],
)
def test_threat_04_a_signature_of_none_of_the_providers_keys(text: str) -> None:
    with pytest.raises(IdentityTokenForged):
        check_signature(read_token(text), KEYS)


@pytest.mark.parametrize("kid", ["unknown", "", "../../etc/passwd", "' OR 1=1 --", "\0", "x" * 4000])
def test_threat_04_kid_is_compared_and_nothing_else(kid: str) -> None:
    with pytest.raises(VerificationKeyMissing):
        check_signature(read_token(sign(OTHER, claims(), kid=kid)), KEYS)


def unsigned(**header: Any) -> str:
    parts = [{"typ": "JWT", "kid": RSA.kid, **header}, claims()]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


def hmac_signed(key: bytes) -> str:
    signed = unsigned(alg="HS256").rpartition(".")[0]
    return signed + "." + base64.urlsafe_b64encode(hmac.digest(key, signed.encode(), "sha256")).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(unsigned(alg="none"), id="none"),
        pytest.param(unsigned(alg="None"), id="None"),
        pytest.param(unsigned(), id="no-alg"),
        pytest.param(unsigned(alg=["RS256"]), id="alg-list"),
        pytest.param(hmac_signed(public_pem(RSA)), id="hmac-with-the-public-key"),
        pytest.param(sign(ECKey.generate_key("P-521"), claims(), "ES512", kid="x"), id="es512"),
        pytest.param(forged(sign(RSA, claims()), crit=["exp"]), id="crit-known"),
        pytest.param(forged(sign(RSA, claims()), crit=["x"], x=1), id="crit-unknown"),
        pytest.param(forged(sign(RSA, claims()), b64=False), id="b64"),
        pytest.param(forged(sign(RSA, claims()), kid=7), id="kid-number"),
        pytest.param("", id="empty"),
        pytest.param("a.b", id="two-parts"),
        pytest.param("a.b.c.d.e", id="encrypted"),
        pytest.param("gho_16C7e42F292c6912E7710c838347Ae178B4a", id="access-token"),
        pytest.param(sign(RSA, claims()) + "é", id="not-ascii"),
        pytest.param("x" * 20_001, id="too-long"),
        pytest.param(base64.urlsafe_b64encode(b"[" * 9000).decode() + ".e30.AA", id="deep"),
        pytest.param(sign(RSA, claims()).replace(".", ".W10.", 1).rpartition(".")[0], id="payload-list"),
    ],
)
def test_threat_04_what_is_no_token_of_ours(text: str) -> None:
    with pytest.raises(IdentityTokenMalformed):
        read_token(text)


def test_a_key_takes_no_other_algorithms_than_it_says_or_its_type_has() -> None:
    only = published(RSA, alg="RS512")
    with pytest.raises(VerificationKeyMissing):
        check_signature(read_token(sign(RSA, claims())), only)
    confused = published(EC, kid=RSA.kid)
    with pytest.raises(VerificationKeyMissing):
        check_signature(read_token(sign(RSA, claims())), confused)
    crossed = published(EC384, kid=EC.kid)
    with pytest.raises(IdentityTokenForged):
        check_signature(read_token(sign(EC, claims(), "ES256")), crossed)


def test_a_token_without_kid_needs_a_provider_with_a_single_key_that_fits() -> None:
    token = read_token(sign(RSA, claims(), kid=None))
    check_signature(token, published(RSA, EC))
    with pytest.raises(VerificationKeyMissing):
        check_signature(token, published(RSA, OTHER))


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a"},
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "a"},
        {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA", "kid": "a"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "a"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "a"},
        {"kty": "RSA", "n": base64.urlsafe_b64encode(b"\x01" * 2000).decode(), "e": "AQAB"},
        {"kty": "RSA", "n": 5, "e": "AQAB"},
        {"kty": "RSA"},
        {**RSA.as_dict(private=False), "use": "enc"},
        {**RSA.as_dict(private=False), "key_ops": ["encrypt"]},
        {**RSA.as_dict(private=False), "alg": "HS256"},
        {**RSA.as_dict(private=False), "kid": 5},
        {**RSA.as_dict(private=False), "e": "AQ"},
        None,
        "key",
    ],
)
def test_keys_of_other_kinds_are_passed_over(entry: object) -> None:
    good = RSA.as_dict(private=False)
    keys = read_keys(json.dumps({"keys": [entry, good]}).encode())
    assert [key.kid for key in keys] == [RSA.kid]


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys": {}}', b"\xff", b'{"keys": ' + b"[" * 100_000])
def test_what_is_no_key_set(document: bytes) -> None:
    with pytest.raises(ValueError, match="not a JWKS"):
        read_keys(document)


def test_no_more_keys_than_a_hundred_are_looked_at() -> None:
    key = RSA.as_dict(private=False)
    assert len(read_keys(json.dumps({"keys": [key] * 500}).encode())) == oidc.KEYS_MAX


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"exp": NOW - 61}, IdentityTokenExpired),
        ({"exp": None}, ClaimMissing),
        ({"exp": "soon"}, ClaimMissing),
        ({"exp": True}, ClaimMissing),
        ({"exp": -1}, ClaimMissing),
        ({"iat": None}, ClaimMissing),
        ({"iat": NOW + 61}, IdentityTokenEarly),
        ({"nbf": NOW + 61}, IdentityTokenEarly),
        ({"nbf": "x"}, ClaimMissing),
        ({"aud": None}, AudienceUnknown),
        ({"aud": "other"}, AudienceUnknown),
        ({"aud": ["other"]}, AudienceUnknown),
        ({"aud": [1, None]}, AudienceUnknown),
        ({"aud": "client", "azp": "other"}, AudienceUnknown),
        ({"aud": "client", "azp": ["client"]}, AudienceUnknown),
        ({"sub": None}, ClaimMissing),
        ({"sub": ""}, ClaimMissing),
        ({"sub": "x" * 256}, ClaimMissing),
        ({"sub": ["x"]}, ClaimMissing),
        ({"iss": ISSUER + "/"}, IdentityTokenForged),
        ({"iss": ISSUER.upper()}, IdentityTokenForged),
    ],
)
def test_claims_that_do_not_count(changes: dict[str, Any], error: type[Exception]) -> None:
    token = read_token(sign(RSA, claims(**changes)))
    check_signature(token, KEYS)
    with pytest.raises(error):
        check_claims(token, ISSUER, ["client", "second"], NOW)


@pytest.mark.parametrize("issuer", [None, "", 5])
def test_a_token_without_an_issuer_goes_nowhere(issuer: object) -> None:
    with pytest.raises(ClaimMissing):
        read_token(sign(RSA, claims(iss=issuer)))


@pytest.mark.parametrize(
    ("changes", "audience"),
    [
        ({"exp": NOW - 59}, "client"),
        ({"iat": NOW + 59, "nbf": NOW + 59}, "client"),
        ({"nbf": None}, "client"),
        ({"aud": ["other", "second"]}, "second"),
        ({"aud": "somebody", "azp": "client"}, "client"),
        ({"exp": NOW + 0.5}, "client"),
    ],
)
def test_claims_that_count(changes: dict[str, Any], audience: str) -> None:
    identity = check_claims(read_token(sign(RSA, claims(**changes))), ISSUER, ["client", "second"], NOW)
    assert identity.audience == audience


def test_condition_keys_of_a_token() -> None:
    changes = {"Repository": "a/b", "amr": ["x", "y"], "email_verified": True, "run": 7, "nested": {"a": 1}, "mixed": ["a", 1]}
    keys = condition_keys(check_claims(read_token(sign(RSA, claims(**changes))), ISSUER, ["client"], NOW))
    prefix = "token.example.org/tenant"
    assert keys == {
        f"{prefix}:aud": "client",
        f"{prefix}:sub": "repo:a/b",
        f"{prefix}:repository": "a/b",
        f"{prefix}:amr": ["x", "y"],
        f"{prefix}:email_verified": "true",
        f"{prefix}:run": "7",
    }


def test_condition_keys_with_an_authorised_party() -> None:
    token = read_token(sign(RSA, claims(aud=["a", "b"], azp="client")))
    keys = condition_keys(check_claims(token, ISSUER, ["client"], NOW))
    assert (keys["token.example.org/tenant:aud"], keys["token.example.org/tenant:oaud"]) == ("client", ["a", "b"])


def test_no_claim_in_other_letters_takes_the_place_of_one_that_counts() -> None:
    token = read_token(sign(RSA, claims(SUB="repo:evil", Aud="evil", OAUD="evil", Sub="repo:evil")))
    keys = condition_keys(check_claims(token, ISSUER, ["client"], NOW))
    assert keys == {"token.example.org/tenant:aud": "client", "token.example.org/tenant:sub": "repo:a/b"}


def test_an_issuer_cannot_speak_of_the_request() -> None:
    token = read_token(sign(RSA, claims(iss="https://aws", SourceIp="10.0.0.1")))
    assert condition_keys(check_claims(token, "https://aws", ["client"], NOW)) == {}


VALID = sign(RSA, claims())


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_reading_any_text_is_refused_or_a_token(text: str) -> None:
    with pytest.raises(IdentityTokenInvalid):
        read_token(text)


@given(st.integers(0, len(VALID) - 1), st.characters(max_codepoint=0x2FF))
def test_one_other_character_never_passes(position: int, character: str) -> None:
    altered = VALID[:position] + character + VALID[position + 1 :]
    try:
        token = read_token(altered)
        check_signature(token, KEYS)
        check_claims(token, ISSUER, ["client"], NOW)
    except IdentityTokenInvalid:
        return
    # Base 64 can spell the same bytes in two ways only in the bits that its last character does not use.
    assert altered[: len(VALID) - 1] == VALID[:-1]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3)))
def test_claims_of_any_type_are_refused_or_count(value: object) -> None:
    for name in ("exp", "iat", "nbf", "aud", "azp", "sub", "iss"):
        try:
            token = read_token(sign(EC, {**claims(), name: value}, "ES256"))
            condition_keys(check_claims(token, ISSUER, ["client"], NOW))
        except IdentityTokenInvalid:
            pass


def test_verification_is_cheap_enough_for_the_event_loop() -> None:
    started = time.perf_counter()
    for _ in range(50):
        check_signature(read_token(VALID), KEYS)
    assert (time.perf_counter() - started) / 50 < 0.02
