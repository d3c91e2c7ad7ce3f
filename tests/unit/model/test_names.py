"""Names, tags, digests, references."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.model.digest import digest_of, is_digest, parse_digest
from moorage.model.errors import DigestInvalid, NameInvalid, TagInvalid
from moorage.model.names import REPOSITORY_NAME_PATTERN, is_tag, parse_reference, parse_repository_name, parse_tag


@pytest.mark.parametrize("name", ["ab", "a/b", "a.b", "a_b", "a__b", "a-b", "a---b", "a/blobs/uploads/b", "0/1", "a" * 256])
def test_good_names_are_kept(name: str) -> None:
    assert parse_repository_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "A/b",
        "a//b",
        "/ab",
        "ab/",
        "a..b",
        "a___b",
        "a._b",
        "-ab",
        "ab-",
        "a b",
        "ä/b",
        "a\nb",
        "ab\n",
        "a/../b",
        "a" * 257,
    ],
)
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(NameInvalid):
        parse_repository_name(name)


@given(st.text(alphabet="ab1._-/A", max_size=24))
def test_a_name_is_what_the_model_of_ecr_calls_one(name: str) -> None:
    expected = 2 <= len(name) <= 256 and re.fullmatch(REPOSITORY_NAME_PATTERN, name) is not None
    try:
        parse_repository_name(name)
    except NameInvalid:
        assert not expected
    else:
        assert expected


@pytest.mark.parametrize("hostile", ["a" * 2**20, "a-" * 2**19, "a/" * 2**19, "a_" * 2**19 + "!", ("a" + "-" * 200) * 5000])
def test_threat_31_no_name_costs_more_than_a_glance(hostile: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(NameInvalid):
        parse_repository_name(hostile)
    assert not is_tag(hostile)
    assert not is_digest(hostile)
    assert time.perf_counter() - begun < 0.05


@pytest.mark.parametrize("tag", ["latest", "v1.0", "_x", "A-b_c.d", "a" * 128])
def test_good_tags(tag: str) -> None:
    assert parse_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", ".x", "-x", "a/b", "a:b", "a b", "a" * 129, "é", "a\n"])
def test_bad_tags(tag: str) -> None:
    with pytest.raises(TagInvalid):
        parse_tag(tag)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        "sha256:" + "A" * 64,
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 65,
        "md5:" + "a" * 32,
        "sha512:" + "a" * 64,
        "sha256:" + "a" * 64 + "\n",
    ],
)
def test_bad_digests(text: str) -> None:
    with pytest.raises(DigestInvalid):
        parse_digest(text)


def test_a_reference_is_a_digest_exactly_if_it_has_a_colon() -> None:
    digest = digest_of(b"x", "sha512")
    assert parse_reference(digest) == parse_reference(digest)
    assert parse_reference(digest).digest == digest
    assert parse_reference("v1").tag == "v1"
    with pytest.raises(DigestInvalid):
        parse_reference("sha256:nonsense")
