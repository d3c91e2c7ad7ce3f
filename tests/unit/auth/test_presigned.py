"""Links to one blob: they open that blob until they are over, and nothing else ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.auth.presigned import BlobLink, LinkRefused, check_query, make_query

KEY = bytes(range(32))
LINK = BlobLink("/blobs/7/sha256:ab", "7", "sha256:ab", "123456789012", 1_000)


def check(query: str, link: BlobLink = LINK, key: bytes = KEY, now: float = 999.9) -> BlobLink:
    return check_query(key, query, path=link.path, repository_id=link.repository_id, digest=link.digest, now=now)


def test_it_opens_its_blob_until_it_expires() -> None:
    assert check(make_query(KEY, LINK)) == LINK
    with pytest.raises(LinkRefused):
        check(make_query(KEY, LINK), now=1_000)


@pytest.mark.parametrize("other", [replace(LINK, path="/x"), replace(LINK, repository_id="8"), replace(LINK, digest="sha256:ac")])
def test_it_opens_nothing_else(other: BlobLink) -> None:
    with pytest.raises(LinkRefused):
        check(make_query(KEY, LINK), other)


def test_another_key_account_or_expiry() -> None:
    query = make_query(KEY, LINK)
    for altered in (query.replace("123456789012", "210987654321"), query.replace("1000", "2000"), make_query(bytes(32), LINK)):
        with pytest.raises(LinkRefused):
            check(altered)


def test_fields_cannot_flow_into_each_other() -> None:
    link = BlobLink("/a", "7", "1sha256:ab", "123456789012", 1_000)
    with pytest.raises(LinkRefused):
        check(make_query(KEY, link), replace(link, repository_id="71", digest="sha256:ab"))


@given(st.integers(0, 200), st.characters(codec="ascii"))
def test_any_altered_character_is_refused(position: int, character: str) -> None:
    query = make_query(KEY, LINK)
    at = position % len(query)
    altered = query[:at] + character + query[at + 1 :]
    if altered != query:
        with pytest.raises(LinkRefused):
            check(altered)
