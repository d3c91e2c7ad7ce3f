"""Root key, envelopes, data keys."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from moorage.keys.envelope import Envelope, WrongKey
from moorage.keys.root_key import RootKey, RootKeyError, load_root_key

KEY = base64.b64encode(bytes(range(32))).decode()


def test_the_first_start_makes_a_private_key_and_the_second_finds_it(tmp_path: Path) -> None:
    first = load_root_key(tmp_path, {}, may_create=True)
    file = tmp_path / "root.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert first.beside_data
    assert load_root_key(tmp_path, {}, may_create=False).id == first.id


def test_a_lost_key_is_not_replaced_by_a_new_one(tmp_path: Path) -> None:
    with pytest.raises(RootKeyError, match="put the key's file back"):
        load_root_key(tmp_path, {}, may_create=False)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_root_key(tmp_path, {}, may_create=True)
    (tmp_path / "root.key").chmod(0o644)
    with pytest.raises(RootKeyError, match="chmod 600"):
        load_root_key(tmp_path, {}, may_create=False)


def test_environment_file_and_credential_come_before_the_data_folder(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    credential = elsewhere / "moorage-root-key"
    credential.write_text(KEY)
    credential.chmod(0o600)
    data = tmp_path / "data"
    data.mkdir()
    expected = RootKey(bytes(range(32)), "test").id
    for environment in (
        {"MOORAGE_ROOT_KEY": KEY},
        {"MOORAGE_ROOT_KEY_FILE": str(credential)},
        {"CREDENTIALS_DIRECTORY": str(elsewhere)},
    ):
        key = load_root_key(data, environment, may_create=True)
        assert (key.id, key.beside_data) == (expected, False)
    assert not (data / "root.key").exists()


@pytest.mark.parametrize("text", ["", "x", base64.b64encode(b"short").decode(), "é"])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(RootKeyError):
        load_root_key(tmp_path, {"MOORAGE_ROOT_KEY_FILE": str(file)}, may_create=True)


def test_a_wrapped_key_opens_only_under_its_key_for_its_purpose() -> None:
    envelope = Envelope(os.urandom(32))
    wrapped = envelope.wrap(b"key", {"object": "a", "b": "c"})
    assert envelope.unwrap(wrapped, {"b": "c", "object": "a"}) == b"key"
    with pytest.raises(WrongKey):
        envelope.unwrap(wrapped, {"object": "b"})
    with pytest.raises(WrongKey):
        Envelope(os.urandom(32)).unwrap(wrapped, {"object": "a", "b": "c"})
    for position in range(len(wrapped)):
        altered = bytearray(wrapped)
        altered[position] ^= 1
        with pytest.raises(WrongKey):
            envelope.unwrap(bytes(altered), {"object": "a", "b": "c"})


def test_contexts_cannot_be_confused() -> None:
    envelope = Envelope(os.urandom(32))
    wrapped = envelope.wrap(b"key", {"a": "b\0c=d"})
    with pytest.raises(WrongKey):
        envelope.unwrap(wrapped, {"a": "b", "c": "d"})


def test_secrets_are_sealed_and_derived_keys_differ_by_purpose() -> None:
    root = RootKey(os.urandom(32), "test")
    sealed = root.seal_secret(b"canary", {"access-key": "A"})
    assert b"canary" not in sealed
    assert root.open_secret(sealed, {"access-key": "A"}) == b"canary"
    with pytest.raises(RootKeyError):
        root.open_secret(sealed, {"access-key": "B"})
    assert root.derive("a") != root.derive("b")
