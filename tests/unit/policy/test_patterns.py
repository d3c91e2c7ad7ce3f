"""Patterns over text and ARNs: against the plain definition, and the rules of parts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.policy.compile import compile_actions
from moorage.policy.patterns import MAX_TEXT, Wild, compile_glob, tokenize
from moorage.policy.resources import Fit, ResourceMatcher, compile_resources, split_arn
from tests.unit.policy import naive
from tests.unit.policy.builders import A, R


@given(st.text("ab*?", max_size=12), st.text("ab*?", max_size=14))
@settings(max_examples=1_000, deadline=None)
def test_globs_match_what_the_definition_says(pattern: str, text: str) -> None:
    expected = naive.fits([(character, character in "*?") for character in pattern], text)
    assert compile_glob(tokenize(pattern)).matches(text) is expected


@given(st.lists(st.sampled_from(["a", "b", "ab", "*", Wild.ONE, Wild.RUN]), max_size=8), st.text("ab*", max_size=12))
@settings(max_examples=1_000, deadline=None)
def test_literal_stars_are_no_wildcards(tokens: list[str | Wild], text: str) -> None:
    plain = [(str(each), False) if isinstance(each, str) else (each.value, True) for each in tokens]
    spelled = [(character, is_wild) for part, is_wild in plain for character in part]
    assert compile_glob(tokens).matches(text) is naive.fits(spelled, text)


def test_endless_texts_fit_only_what_needs_no_search() -> None:
    text = "a" * (MAX_TEXT + 1)
    assert compile_glob(tokenize("*")).matches(text)
    assert compile_glob(tokenize(text)).matches(text)
    assert not compile_glob(tokenize("a*")).matches(text)


OTHER = "arn:aws:ecr:us-east-1:222222222222:repository/app"
RESOURCES: list[tuple[str, str, bool]] = [
    ("*", R, True),
    ("*", "*", True),
    (R, R, True),
    (R, R.upper(), False),
    (R, R + "x", False),
    (R, "*", False),
    (f"arn:aws:ecr:us-east-1:{A}:repository/*", "*", False),
    (f"arn:aws:ecr:us-east-1:{A}:repository/*", R, True),
    (f"arn:aws:ecr:us-east-1:{A}:repository/a*p", f"arn:aws:ecr:us-east-1:{A}:repository/a/b:c/p", True),
    (f"arn:aws:ecr:us-east-1:{A}:*", R, True),
    (f"arn:aws:ecr:us-east-1:{A}", R, True),
    (f"arn:aws:ecr:us-east-1:{A}", OTHER, False),
    ("arn:aws:ecr", R, True),
    ("arn:aws:sts", R, False),
    ("arn:aws:ecr:us-east-1", R, True),
    ("arn:aws:ecr:eu-*", R, False),
    ("arn:aws:ecr:*:repository/app", R, False),
    ("arn:aws:ecr:us-east-1:*/app", R, False),
    ("arn:aws:ecr:*:*:repository/app", R, True),
    ("arn:*:ecr:us-east-?:*:repository/???", R, True),
    ("arn:aws:ecr:us-east-1::repository/app", R, False),
    (f"arn:aws:ecr:us-east-1:{A}:", R, False),
    (f"arn:aws:ecr:us-east-1:{A}:repository/app*", R, True),
    (f"arn:aws:ecr:us-east-1:{A}:repository/*", "repository/app", False),
]


def fit(matcher: ResourceMatcher, resource: str) -> Fit:
    """What a matcher says of a resource."""
    return matcher.fit(resource, split_arn(resource))


@pytest.mark.parametrize(("pattern", "resource", "fits"), RESOURCES)
@pytest.mark.parametrize("has_variables", [False, True])
def test_resources(pattern: str, resource: str, fits: bool, has_variables: bool) -> None:
    wanted, opposite = (Fit.YES, Fit.NO) if fits else (Fit.NO, Fit.YES)
    assert fit(compile_resources([pattern], negated=False, has_variables=has_variables), resource) is wanted
    assert fit(compile_resources([pattern], negated=True, has_variables=has_variables), resource) is opposite
    assert fit(compile_resources([pattern, R], negated=False, has_variables=has_variables), R) is Fit.YES


def test_resources_with_variables() -> None:
    prefix = f"arn:aws:ecr:us-east-1:{A}:repository/"
    matcher = compile_resources([prefix + "${aws:username}/*"], negated=False, has_variables=True)
    assert fit(matcher, prefix + "bob/x") is Fit.DEPENDS
    assert matcher.fits_now(split_arn(prefix + "bob/x"), {"aws:username": "bob"})
    assert not matcher.fits_now(split_arn(prefix + "bob/x"), {"aws:username": "*"})
    assert not matcher.fits_now(split_arn(prefix + "bob/x"), {})
    negated = compile_resources([prefix + "${aws:username}"], negated=True, has_variables=True)
    assert negated.fits_now(split_arn(prefix + "bob"), {})
    assert not negated.fits_now(split_arn(prefix + "bob"), {"aws:username": "bob"})
    # A value cannot make parts, and the old version has no variables.
    in_account = compile_resources(["arn:aws:ecr:us-east-1:${aws:x}:repository/app"], negated=False, has_variables=True)
    assert in_account.fits_now(split_arn(R), {"aws:x": A})
    assert not in_account.fits_now(split_arn(R), {"aws:x": f"{A}:repository/app"})
    old = compile_resources([prefix + "${aws:username}"], negated=False, has_variables=False)
    assert fit(old, prefix + "bob") is Fit.NO
    assert fit(old, prefix + "${aws:username}") is Fit.YES


ACTIONS: list[tuple[str, str, bool]] = [
    ("*", "ecr:putimage", True),
    ("*:*", "sts:assumerole", True),
    ("ECR:PutImage", "ecr:putimage", True),
    ("ecr:Put*", "ecr:putimage", True),
    ("ecr:*Image", "ecr:putimage", True),
    ("ecr:P?tI*e", "ecr:putimage", True),
    ("ecr:Put", "ecr:putimage", False),
    ("ecr:*", "ecr-public:putimage", False),
    ("sts:*", "ecr:putimage", False),
    ("s:*putimage", "sts:putimage", False),
]


@pytest.mark.parametrize(("pattern", "action", "fits"), ACTIONS)
def test_actions(pattern: str, action: str, fits: bool) -> None:
    assert compile_actions([pattern], negated=False).matches(action) is fits
    assert compile_actions([pattern], negated=True).matches(action) is not fits
