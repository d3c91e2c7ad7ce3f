"""Codes of RFC 6238, and password hashes."""

from __future__ import annotations

import base64
import urllib.parse

import pytest

from moorage.auth.passwords import hash_password, is_among, verify_password
from moorage.auth.totp import as_base32, as_uri, code_at, matching_step, new_seed, step_at


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_vectors_of_rfc_6238(seconds: int, code: str) -> None:
    assert code_at(b"12345678901234567890", step_at(seconds)) == code


def test_consecutive_codes() -> None:
    seed = new_seed()
    pair = code_at(seed, 100), code_at(seed, 101)
    assert matching_step(seed, pair, range(95, 105)) == 101
    assert matching_step(seed, pair, range(101, 105)) is None
    assert matching_step(seed, pair[::-1], range(95, 105)) is None


def test_what_an_app_scans() -> None:
    seed = new_seed()
    parsed = urllib.parse.urlsplit(as_uri(seed, "a b/c@x", "Moorage"))
    assert (parsed.scheme, parsed.netloc, parsed.path) == ("otpauth", "totp", "/a%20b%2Fc@x")
    query = urllib.parse.parse_qs(parsed.query)
    assert query == {"secret": [as_base32(seed)], "issuer": ["Moorage"]}
    assert base64.b32decode(query["secret"][0]) == seed


def test_passwords() -> None:
    first, second = hash_password("päss"), hash_password("päss")
    assert first != second
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password("päss", first)
    assert not verify_password("pass", first)
    assert is_among("päss", [hash_password("x"), second])
    assert not is_among("y", [first])
    # A hash with other parameters still verifies: they may be raised later.
    other = "$argon2id$v=19$m=16,t=2,p=1$MTIzNDU2Nzg$bKDgGYTdYdmXi0pRoUbOIA"
    assert not verify_password("wrong", other)
