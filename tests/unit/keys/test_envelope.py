"""Wrapping keys, registry keys and small secrets."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.keys.envelope import WrappingKey, encode_context, key_id_of
from moorage.keys.provider import WrongKey
from moorage.keys.registry_keys import LocalKeyring, open_secret, seal_secret

CONTEXT = {"registry": "111122223333", "object": "abc"}


@given(plaintext=st.binary(max_size=200), context=st.dictionaries(st.text(), st.text(), max_size=4))
def test_what_was_wrapped_is_unwrapped_with_the_pairs_in_any_order(plaintext: bytes, context: dict[str, str]) -> None:
    key = WrappingKey(os.urandom(32))
    blob = key.wrap(plaintext, context)
    assert key.unwrap(blob, dict(reversed(context.items()))) == plaintext


@given(
    one=st.dictionaries(st.text(max_size=4), st.text(max_size=4)), two=st.dictionaries(st.text(max_size=4), st.text(max_size=4))
)
def test_contexts_that_differ_have_different_bytes(one: dict[str, str], two: dict[str, str]) -> None:
    assert (encode_context(one) == encode_context(two)) == (one == two)


def test_every_changed_byte_is_refused() -> None:
    key = WrappingKey(os.urandom(32))
    blob = key.wrap(b"key material", CONTEXT)
    for place in range(len(blob)):
        changed = bytearray(blob)
        changed[place] ^= 1
        with pytest.raises(WrongKey):
            key.unwrap(bytes(changed), CONTEXT)
    for length in range(len(blob)):
        with pytest.raises(WrongKey):
            key.unwrap(blob[:length], CONTEXT)


def test_another_context_is_refused() -> None:
    key = WrappingKey(os.urandom(32))
    blob = key.wrap(b"key material", CONTEXT)
    for context in ({}, {"registry": "111122223333"}, {**CONTEXT, "more": ""}, {**CONTEXT, "object": "abd"}):
        with pytest.raises(WrongKey, match="made for something else"):
            key.unwrap(blob, context)


def test_a_wrong_wrapping_key_is_named() -> None:
    first, second = WrappingKey(os.urandom(32)), WrappingKey(os.urandom(32))
    blob = first.wrap(b"key material", CONTEXT)
    assert key_id_of(blob) == first.key_id
    with pytest.raises(WrongKey, match=f"{first.key_id}.*{second.key_id}"):
        second.unwrap(blob, CONTEXT)


def test_data_keys_are_fresh_and_hide_in_representations() -> None:
    key = WrappingKey(os.urandom(32))
    one, two = key.new_data_key(CONTEXT), key.new_data_key(CONTEXT)
    assert one.plaintext != two.plaintext
    assert len(one.plaintext) == 32
    assert key.unwrap(one.wrapped, CONTEXT) == one.plaintext
    assert repr(one.plaintext) not in repr(one)


def test_a_wrapping_key_has_32_bytes() -> None:
    with pytest.raises(ValueError):
        WrappingKey(bytes(31))


def test_a_registry_key_opens_only_for_its_registry_and_root_key() -> None:
    root = WrappingKey(os.urandom(32))
    keyring = LocalKeyring(root)
    wrapped = keyring.new_registry_key("registry one")
    data_key = keyring.registry_key(wrapped, "registry one").new_data_key(CONTEXT)
    assert LocalKeyring(root).registry_key(wrapped, "registry one").unwrap(data_key.wrapped, CONTEXT) == data_key.plaintext
    with pytest.raises(WrongKey):
        keyring.registry_key(wrapped, "registry two")
    with pytest.raises(WrongKey):
        LocalKeyring(WrappingKey(os.urandom(32))).registry_key(wrapped, "registry one")


def test_the_keyring_keeps_the_last_used_keys_open() -> None:
    keyring = LocalKeyring(WrappingKey(os.urandom(32)), capacity=2)
    wrapped = {name: keyring.new_registry_key(name) for name in ("a", "b", "c")}
    a = keyring.registry_key(wrapped["a"], "a")
    b = keyring.registry_key(wrapped["b"], "b")
    assert keyring.registry_key(wrapped["a"], "a") is a
    keyring.registry_key(wrapped["c"], "c")
    assert keyring.registry_key(wrapped["a"], "a") is a
    assert keyring.registry_key(wrapped["b"], "b") is not b
    keyring.forget()
    assert keyring.registry_key(wrapped["a"], "a") is not a


def test_secrets_are_bound_to_their_place_and_purpose() -> None:
    root = WrappingKey(os.urandom(32))
    blob = seal_secret(root, "wJalrXUtnFEMI", {"access_key_id": "AKIA1"})
    assert open_secret(root, blob, {"access_key_id": "AKIA1"}) == "wJalrXUtnFEMI"
    with pytest.raises(WrongKey):
        open_secret(root, blob, {"access_key_id": "AKIA2"})
    with pytest.raises(WrongKey):
        LocalKeyring(root).registry_key(blob, "AKIA1")
