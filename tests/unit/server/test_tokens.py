"""Registry tokens and pagination cursors: sealed, bound, and worthless when altered."""

from __future__ import annotations

import base64
import os
from dataclasses import replace

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from moorage.auth.cursors import Cursors
from moorage.auth.registry_token import RegistryTokens, TokenClaims, TokenExpired, basic_password
from moorage.model.errors import NotAuthenticated, TokenInvalid
from moorage.model.principal import Session

CLAIMS = TokenClaims("AKIA", "000000000000", "000000000000", "arn:aws:iam::000000000000:root", "aws", "us-east-1", 1000)
KEY = os.urandom(32)
tokens = RegistryTokens(KEY)
password = tokens.issue(CLAIMS)


def test_a_token_says_what_was_sealed_into_it_until_it_expires() -> None:
    assert tokens.open(password, 999.9) == CLAIMS
    assert tokens.open(password, 0) == CLAIMS
    with pytest.raises(TokenExpired):
        tokens.open(password, 1000)


def test_a_token_of_a_session_carries_its_facts() -> None:
    session = Session(kind="AssumedRole", name="s", issued_at=1, expires_at=2, policies=("{}",), tags=(("team", "a"),))
    claims = replace(CLAIMS, session=session)
    assert RegistryTokens(KEY).open(RegistryTokens(KEY).issue(claims), 0) == claims


def test_a_token_of_the_first_version_still_opens() -> None:
    nonce = os.urandom(12)
    fields = ("AKIA", "000000000000", "000000000000", CLAIMS.arn, "aws", "us-east-1", 1000)
    sealed = AESGCM(KEY).encrypt(nonce, msgspec.json.encode(fields), b"moorage registry token v1")
    assert RegistryTokens(KEY).open(base64.urlsafe_b64encode(nonce + sealed).decode(), 0) == CLAIMS


def test_another_server_cannot_open_it() -> None:
    with pytest.raises(NotAuthenticated):
        RegistryTokens(os.urandom(32)).open(password, 0)


@given(st.integers(0, len(password) - 1), st.sampled_from("AZaz09-_=+/ "))
def test_threat_04_one_other_character_and_it_is_worthless(position: int, character: str) -> None:
    altered = password[:position] + character + password[position + 1 :]
    try:
        assert tokens.open(altered, 0) == CLAIMS
    except NotAuthenticated:
        assert altered != password
    else:
        # Base 64 can spell the same bytes in two ways only in the bits that its last character does not use.
        assert base64.urlsafe_b64decode(altered) == base64.urlsafe_b64decode(password)


@given(st.text(max_size=300))
def test_threat_04_no_text_is_a_token_by_chance(text: str) -> None:
    with pytest.raises(NotAuthenticated):
        tokens.open(text, 0)


@pytest.mark.parametrize(
    "credentials", ["", "!", "QVdT", base64.b64encode(b"aws:x").decode(), base64.b64encode(b"\xff:x").decode()]
)
def test_only_the_user_aws_has_passwords(credentials: str) -> None:
    with pytest.raises(NotAuthenticated):
        basic_password(credentials)


def test_a_cursor_that_was_altered_in_one_bit_does_not_open() -> None:
    """Not in the bits of its last character either that base64 leaves unused."""
    cursors = Cursors(os.urandom(32))
    for name in ("x", "xx", "xxx"):
        token = cursors.seal("ListImages|a", [name, 7])
        for place, character in enumerate(token):
            for bit in range(7):
                altered = token[:place] + chr(ord(character) ^ (1 << bit)) + token[place + 1 :]
                with pytest.raises(TokenInvalid):
                    cursors.open("ListImages|a", altered)
        for altered in (token + "=", token.rstrip("=") + "\n", token.rstrip("="), token + token):
            if altered != token:
                with pytest.raises(TokenInvalid):
                    cursors.open("ListImages|a", altered)


def test_a_cursor_opens_only_for_its_own_list() -> None:
    cursors = Cursors(os.urandom(32))
    token = cursors.seal("ListImages|a", ["x", 7])
    assert cursors.open("ListImages|a", token) == ["x", 7]
    assert cursors.seal("ListImages|a", ["x", 7]) != token
    for binding, text in (
        ("ListImages|b", token),
        ("ListImages|a", token[:-4]),
        ("ListImages|a", "A" * 40),
        ("ListImages|a", ""),
    ):
        with pytest.raises(TokenInvalid):
            cursors.open(binding, text)
