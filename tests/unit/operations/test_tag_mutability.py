"""Which tags may move."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.model.errors import ParameterInvalid
from moorage.model.wildcards import matches
from moorage.operations.images.tag_mutability import check_filters, is_mutable


@given(st.text(alphabet="ab*", max_size=8), st.text(alphabet="ab", max_size=10))
def test_a_star_is_any_run_and_all_else_is_literal(pattern: str, text: str) -> None:
    assert matches(pattern, text) == fnmatch.fnmatchcase(text, pattern)


@pytest.mark.parametrize(("pattern", "text"), [("?", "a"), ("[a]", "a"), ("a.c", "abc"), ("A", "a")])
def test_nothing_but_the_star_is_special(pattern: str, text: str) -> None:
    assert not matches(pattern, text)


@pytest.mark.parametrize(
    ("mode", "tag", "mutable"),
    [
        ("MUTABLE", "v1", True),
        ("IMMUTABLE", "v1", False),
        ("IMMUTABLE_WITH_EXCLUSION", "dev-1", True),
        ("IMMUTABLE_WITH_EXCLUSION", "v1", False),
        ("MUTABLE_WITH_EXCLUSION", "dev-1", False),
        ("MUTABLE_WITH_EXCLUSION", "v1", True),
    ],
)
def test_the_effective_mode_of_a_tag(mode: str, tag: str, mutable: bool) -> None:
    filters = ("dev-*",) if mode.endswith("EXCLUSION") else ()
    assert is_mutable(mode, filters, tag) is mutable


@pytest.mark.parametrize(
    ("mode", "filters"),
    [
        ("MUTABLE", ["x"]),
        ("IMMUTABLE_WITH_EXCLUSION", None),
        ("MUTABLE_WITH_EXCLUSION", []),
        ("IMMUTABLE_WITH_EXCLUSION", ["*a*b*"]),
    ],
)
def test_modes_and_filters_have_to_go_together(mode: str, filters: list[str] | None) -> None:
    with pytest.raises(ParameterInvalid):
        check_filters(mode, filters)
