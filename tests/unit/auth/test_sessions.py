"""Temporary credentials: all that is sealed comes out again, and nothing else opens."""

from __future__ import annotations

import base64
import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.auth.packed_session import PACKED_BYTES, NotPacked, pack, packed_percent, unpack
from moorage.auth.registry_token import RegistryTokens, TokenClaims
from moorage.auth.sessions import SessionTokens, TemporaryKey, new_key
from moorage.model.errors import NotAuthenticated
from moorage.model.principal import Session

ACCOUNT = "111111111111"
ROLE_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/build"
FULL = Session(
    kind="AssumedRole",
    name="build",
    issued_at=1_000,
    expires_at=4_600,
    policies=('{"Version":"2012-10-17","Statement":[]}',),
    policy_arns=("arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly",),
    tags=(("team", "a"), ("cost", "1")),
    transitive_keys=("cost",),
    source_identity="ann",
    mfa_at=990,
    is_chained=True,
    federated_provider=f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.example.org",
    issuer_key_id="AKIAIOSFODNN7EXAMPLE",
)
PLAIN = Session(kind="SessionToken", name="", issued_at=1_000, expires_at=4_600)
tokens = SessionTokens(os.urandom(32))


def made(session: Session = FULL) -> tuple[TemporaryKey, str]:
    key = new_key(ACCOUNT, "AROAEXAMPLEEXAMPLE123", ROLE_ARN, session)
    return key, tokens.issue(key)


KEY, TOKEN = made()

sessions = st.builds(
    Session,
    kind=st.sampled_from(["AssumedRole", "FederatedUser", "SessionToken"]),
    name=st.text(max_size=64),
    issued_at=st.integers(0, 1 << 40),
    expires_at=st.integers(0, 1 << 40),
    policies=st.lists(st.text(max_size=200), max_size=2).map(tuple),
    policy_arns=st.lists(st.text(max_size=50), max_size=3).map(tuple),
    tags=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5).map(lambda tags: tuple(tags.items())),
    source_identity=st.none() | st.text(max_size=20),
    mfa_at=st.none() | st.integers(0, 1 << 40),
    is_chained=st.booleans(),
    federated_provider=st.none() | st.text(max_size=20),
    issuer_key_id=st.none() | st.text(max_size=20),
)


@pytest.mark.parametrize("session", [FULL, PLAIN])
def test_a_token_gives_back_key_principal_and_session(session: Session) -> None:
    key, token = made(session)
    opened = SessionTokens.open(tokens, key.access_key_id, token)
    assert opened is not None
    assert (opened.access_key_id, opened.secret, opened.account_id) == (key.access_key_id, key.secret, ACCOUNT)
    assert (opened.principal_id, opened.principal_arn, opened.session) == (key.principal_id, ROLE_ARN, session)
    assert (opened.session_token, opened.expires_at) == (token, session.expires_at)
    assert tokens.open(key.access_key_id, token) is opened  # out of the cache


def test_ids_and_secrets_have_the_forms_of_aws() -> None:
    assert KEY.access_key_id.startswith("ASIA")
    assert len(KEY.access_key_id) == 20
    assert len(KEY.secret) == 40


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("AssumedRole", "AROAEXAMPLEEXAMPLE123:build"),
        ("FederatedUser", f"{ACCOUNT}:build"),
        ("SessionToken", "AROAEXAMPLEEXAMPLE123"),
    ],
)
def test_user_id_by_kind(kind: str, shown: str) -> None:
    key, token = made(Session(kind=kind, name="build", issued_at=0, expires_at=1))  # type: ignore[arg-type]
    opened = tokens.open(key.access_key_id, token)
    assert opened is not None
    assert opened.user_id == shown


def test_a_key_does_not_open_with_another_keys_token() -> None:
    other, _ = made()
    assert tokens.open(other.access_key_id, TOKEN) is None
    assert tokens.open("AKIAIOSFODNN7EXAMPLE", TOKEN) is None


def test_another_server_cannot_open_it() -> None:
    assert SessionTokens(os.urandom(32)).open(KEY.access_key_id, TOKEN) is None


def test_a_registry_token_is_no_session_token_though_the_root_key_is_one() -> None:
    key = os.urandom(32)
    password = RegistryTokens(key).issue(TokenClaims(KEY.access_key_id, ACCOUNT, "AROA", ROLE_ARN, "aws", "us-east-1", 9, FULL))
    assert SessionTokens(key).open(KEY.access_key_id, password) is None
    with pytest.raises(NotAuthenticated):
        RegistryTokens(key).open(SessionTokens(key).issue(KEY), 0)


@pytest.mark.parametrize("length", [0, 1, 11, 16, 40, len(TOKEN) // 2, len(TOKEN) - 4, len(TOKEN) - 1])
def test_a_cut_token_is_none(length: int) -> None:
    assert tokens.open(KEY.access_key_id, TOKEN[:length]) is None


@given(st.integers(0, len(TOKEN) - 1), st.sampled_from("AZaz09-_=+/ é"))
def test_one_other_character_and_it_is_worthless(position: int, character: str) -> None:
    altered = TOKEN[:position] + character + TOKEN[position + 1 :]
    opened = tokens.open(KEY.access_key_id, altered)
    # Base 64 can spell the same bytes in two ways only in the bits that its last character does not use.
    assert opened is None or base64.urlsafe_b64decode(altered) == base64.urlsafe_b64decode(TOKEN)


@given(st.text(max_size=400) | st.binary(max_size=400).map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    assert tokens.open(KEY.access_key_id, text) is None


@given(sessions)
def test_packing_loses_nothing(session: Session) -> None:
    assert unpack(pack(session)) == session


@given(st.binary(max_size=300))
def test_unpacking_anything_else_is_refused(data: bytes) -> None:
    with contextlib.suppress(NotPacked):
        assert isinstance(unpack(data), Session)


@given(st.integers(0, 400), st.integers(0, 255))
def test_unpacking_a_damaged_session_is_refused_or_a_session(position: int, byte: int) -> None:
    data = bytearray(pack(FULL))
    data[position % len(data)] = byte
    with contextlib.suppress(NotPacked):
        assert isinstance(unpack(bytes(data)), Session)


def test_the_packed_size_is_that_of_policies_and_tags() -> None:
    assert packed_percent(PLAIN) == 0
    assert 1 <= packed_percent(FULL) <= 15
    noise = base64.b64encode(os.urandom(PACKED_BYTES)).decode()
    assert packed_percent(Session(kind="AssumedRole", name="x", issued_at=0, expires_at=1, policies=(noise,))) > 100
    zeros = "x" * 100_000
    assert packed_percent(Session(kind="AssumedRole", name="x", issued_at=0, expires_at=1, policies=(zeros,))) < 20


def test_the_largest_token_fits_into_headers() -> None:
    noise = base64.b64encode(os.urandom(PACKED_BYTES * 95 // 100)).decode()
    session = Session(kind="AssumedRole", name="x" * 64, issued_at=0, expires_at=1, policies=(noise,), source_identity="s" * 64)
    assert 90 < packed_percent(session) <= 100
    key, token = made(session)
    assert len(token) < 4096
    assert tokens.open(key.access_key_id, token) is not None


def test_secrets_do_not_show_in_representations() -> None:
    opened = tokens.open(KEY.access_key_id, TOKEN)
    for shown in (repr(KEY), repr(opened), repr(tokens)):
        assert KEY.secret not in shown
        assert TOKEN not in shown
