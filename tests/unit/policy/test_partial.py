"""Partly known contexts: what is certain holds for every value of what is not known, what is denied for none."""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.policy.compile import EMPTY, PolicySet, Source, compile_policy
from moorage.policy.context import RequestContext
from moorage.policy.document import Kind
from moorage.policy.evaluate import Policies, Request, decide
from moorage.policy.parse import parse
from moorage.policy.partial import PartialView
from tests.unit.policy.builders import IDS, PULL, U_ARN, A, R, S, U, allow, deny, identity, on_repository

KNOWN = {"aws:username": "u", "known:key": "a"}
UNKNOWN = ("un:one", "un:two")
VALUES: list[str | None] = [None, "a", "b"]


def is_known(key: str) -> bool:
    return not key.startswith("un:")


CONDITIONS = st.dictionaries(
    st.sampled_from(["StringEquals", "StringNotEquals", "StringEqualsIfExists", "ForAllValues:StringEquals"]),
    st.dictionaries(
        st.sampled_from(["un:one", "UN:two", "known:key"]), st.sampled_from(["a", "b", "${un:two}", "${known:key}"]), min_size=1
    ),
    min_size=1,
    max_size=2,
)


@st.composite
def statements(draw: st.DrawFn, kind: Kind) -> dict[str, Any]:
    made: dict[str, Any] = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        "Action": draw(st.sampled_from(["ecr:*", PULL, "ecr:PutImage"])),
    }
    if kind is Kind.IDENTITY:
        element = draw(st.sampled_from(["Resource", "Resource", "NotResource"]))
        made[element] = draw(
            st.sampled_from(
                ["*", R, f"arn:aws:ecr:*:{A}:repository/${{un:one}}", f"arn:aws:ecr:*:{A}:repository/${{known:key}}pp"]
            )
        )
    else:
        element = draw(st.sampled_from(["Principal", "NotPrincipal"]))
        made[element] = draw(st.sampled_from(["*", {"AWS": U_ARN}, {"AWS": A}]))
    if draw(st.booleans()):
        made["Condition"] = draw(CONDITIONS)
    return made


def sets(kind: Kind) -> st.SearchStrategy[PolicySet]:
    def compiled(found: list[dict[str, Any]]) -> PolicySet:
        text = json.dumps({"Version": "2012-10-17", "Statement": found})
        return PolicySet([compile_policy(parse(text, kind), Source("p"), bindings=IDS)])

    return st.lists(statements(kind), max_size=3).map(compiled)


@settings(max_examples=300, deadline=None)
@given(
    sets(Kind.IDENTITY), st.none() | sets(Kind.IDENTITY), st.none() | sets(Kind.IDENTITY), sets(Kind.REPOSITORY), st.booleans()
)
def test_the_truth_lies_between(
    own: PolicySet, boundary: PolicySet | None, session: PolicySet | None, resource: PolicySet, is_session: bool
) -> None:
    policies, principal = Policies(own, boundary, session, resource), S if is_session else U

    def request(one: str | None, two: str | None) -> Request:
        values = {**KNOWN, "un:one": one, "un:two": two}
        return Request(principal, PULL, R, A, RequestContext(principal, values))

    partly = PartialView(is_known).decide(request("never asked", "never asked"), policies)
    verdicts = {decide(request(*pair), policies).allowed for pair in itertools.product(VALUES, VALUES)}
    if partly.certain.allowed:
        assert verdicts == {True}
    if not partly.possible.allowed:
        assert verdicts == {False}
    if not partly.certain.allowed and partly.possible.allowed:
        assert partly.unknown_keys
    else:
        assert partly.unknown_keys == ()


def test_which_keys_it_depends_on() -> None:
    view = PartialView(is_known)
    request = Request(U, PULL, R, A, RequestContext(U, KNOWN))
    policies = Policies(
        identity(
            allow(PULL, "*", condition={"StringEquals": {"un:One": "a"}}),
            deny("ecr:PutImage", "*", condition={"StringEquals": {"un:other": "a"}}),
        )
    )
    assert view.decide(request, policies).unknown_keys == ("un:One",)
    settled = Policies(identity(allow(PULL, "*")), resource=on_repository(allow(PULL, principal="*")))
    assert view.decide(request, settled).is_settled
    assert not view.decide(request, policies).is_settled
    assert view.decide(request, Policies(EMPTY)).possible.allowed is False
