"""Generated policies and requests: the evaluator against a naive one, and the laws that every evaluation obeys."""

# ruff: noqa: E501 - tables of values, one kind to a line
from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.policy.compile import PolicySet, Source, compile_policy
from moorage.policy.document import Kind
from moorage.policy.evaluate import Policies, Request, decide
from moorage.policy.explain import explain, to_dict, to_text
from moorage.policy.parse import parse
from moorage.policy.principals import Principal
from tests.unit.policy import naive
from tests.unit.policy.builders import (
    BU,
    IDS,
    PULL,
    R_ARN,
    RB,
    ROOT_A,
    S_ARN,
    U_ARN,
    V_ARN,
    A,
    B,
    R,
    S,
    U,
    V,
    repository,
    verdict,
)

WEB = Principal.web_identity(f"arn:aws:iam::{A}:oidc-provider/token.example.com")
FEDERATED = Principal.federated_user(A, "fred")
PRINCIPALS = [
    U,
    V,
    S,
    BU,
    FEDERATED,
    WEB,
    Principal.root(A),
    Principal.root(B),
    Principal.service("lambda.amazonaws.com"),
    Principal.anonymous(),
    Principal.user(U_ARN, "AIDASUCCESSOR"),
    Principal.session(R_ARN, "AROASUCCESSOR", "ci"),
]
BOUND = {**IDS, FEDERATED.arn: FEDERATED.unique_id}
ACTIONS = [PULL, "ecr:PutImage", "ecr:CreateRepository", "sts:AssumeRole"]
PATTERNS = [PULL, "ECR:batchgetIMAGE", "ecr:Batch*", "ecr:*Image", "ecr:?utImage", "ecr:*", "ecr:P*t*g?", "ecr:PutImage"]
RESOURCES = [R, RB, "*", repository("team/x"), repository("u"), "arn:aws:ecr:eu-west-1:111111111111:repository/app"]
RESOURCE_PATTERNS = [
    *RESOURCES,
    repository("*"),
    repository("?pp"),
    repository("t*m/*"),
    "arn:aws:ecr:*:*:repository/app",
    "arn:aws:ecr",
    "arn:aws:ecr:*1:repository/app",
    f"arn:*:ecr:us-*:{A}:repository/*p",
    repository("${aws:username}"),
    repository("${aws:PrincipalTag/team, 'app'}"),
    repository("${aws:PrincipalTag/TEAM}/x"),
    "arn:aws:ecr:us-east-1:${aws:PrincipalAccount}:repository/app",
    repository("${*}"),
]
KEYS: dict[str, list[Any]] = {
    "aws:sourceip": ["10.0.0.1", "192.0.2.1", "2001:db8::1", "nonsense"],
    "aws:currenttime": ["2025-06-01T12:00:00Z", "1748779200", "2025-06-01"],
    "aws:multifactorauthpresent": ["true", "False"],
    "aws:multifactorauthage": ["10", "10.50", "-3", "ten"],
    "aws:username": ["u", "team", "*", "a:b:c"],
    "aws:principaltag/team": ["a", "team", "*", ""],
    "aws:principalaccount": [A, B],
    "aws:tagkeys": [["a"], ["a", "b"], [], ["owner", "A"], "a"],
    "aws:sourcearn": [f"arn:aws:lambda:us-east-1:{A}:function:f", "arn:aws:s3:::b", "no-arn", ROOT_A],
    "ecr:accountsetting": ["AA==", "QQ=="],
}
OPERATORS: dict[str, list[str]] = {
    "String": ["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"],
    "Numeric": [f"Numeric{each}" for each in ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")],
    "Date": [f"Date{each}" for each in ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")],
    "Bool": ["Bool"],
    "Binary": ["BinaryEquals"],
    "Ip": ["IpAddress", "NotIpAddress"],
    "Arn": ["ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"],
}  # fmt: skip
VALUES: dict[str, list[Any]] = {
    "String": ["a", "A", "b", "te*", "*", "t?am", "${aws:username}", "x${aws:PrincipalTag/team, 'a'}", "${*}", "", "owner", True, 10],
    "Numeric": ["10", 10, "10.5", "-3", "0", "1e3", "ten", 10.50],
    "Date": ["2025-06-01T12:00:00Z", "2025-06-01T14:00:00+02:00", "2025-06-01", "1748779200", "2020-01-01T00:00Z", "never"],
    "Bool": ["true", "false", True, False, "TRUE", "x"],
    "Binary": ["AA==", "QQ=="],
    "Ip": ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "0.0.0.0/0", "nonsense"],
    "Arn": [f"arn:aws:lambda:*:{A}:function:*", "arn:aws:s3:::*", "arn:*", "*", "arn:aws:*:*:*:*", "${aws:SourceArn}", "arn:aws:iam::${aws:PrincipalAccount}:r*"],
}  # fmt: skip
KEYS_OF: dict[str, list[str]] = {
    "String": ["aws:Username", "AWS:PrincipalTag/Team", "aws:TagKeys", "aws:SourceArn"],
    "Numeric": ["aws:MultiFactorAuthAge"],
    "Date": ["aws:CurrentTime"],
    "Bool": ["aws:MultiFactorAuthPresent"],
    "Binary": ["ecr:AccountSetting"],
    "Ip": ["aws:SourceIp"],
    "Arn": ["aws:SourceArn"],
}


def some(values: list[Any]) -> st.SearchStrategy[Any]:
    """One value, or a list of several."""
    return st.one_of(st.sampled_from(values), st.lists(st.sampled_from(values), min_size=1, max_size=3))


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    """A Condition element."""
    blocks: dict[str, Any] = {}
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        if draw(st.integers(0, 6)) == 0:
            blocks["Null"] = {
                draw(st.sampled_from([key for keys in KEYS_OF.values() for key in keys])): draw(some(["true", "false"]))
            }
            continue
        family = draw(st.sampled_from(list(OPERATORS)))
        prefix = draw(st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"]))
        name = prefix + draw(st.sampled_from(OPERATORS[family])) + draw(st.sampled_from(["", "", "IfExists"]))
        blocks[name] = {draw(st.sampled_from(KEYS_OF[family])): draw(some(VALUES[family]))}
    return {"Condition": blocks} if blocks else {}


NAMES = [U_ARN, V_ARN, R_ARN, S_ARN, ROOT_A, A, B, BU.arn, FEDERATED.arn, "*"]


@st.composite
def statements(draw: st.DrawFn, kind: Kind) -> dict[str, Any]:
    """A statement of a kind of policy."""
    made: dict[str, Any] = {"Effect": draw(st.sampled_from(["Allow", "Allow", "Allow", "Deny"]))}
    patterns = PATTERNS if kind in (Kind.REPOSITORY, Kind.TRUST) else [*PATTERNS, "*", "*:*", "sts:Assume*", "s3:*"]
    made[draw(st.sampled_from(["Action"] * 5 + ["NotAction"]))] = draw(some(patterns))
    if kind is Kind.REPOSITORY:
        named = st.fixed_dictionaries(
            {"AWS": some(NAMES)}, optional={"Service": st.just("lambda.amazonaws.com"), "Federated": st.just(WEB.arn)}
        )
        principal = st.one_of(st.just("*"), named)
        made[draw(st.sampled_from(["Principal"] * 4 + ["NotPrincipal"]))] = draw(principal)
    else:
        made[draw(st.sampled_from(["Resource"] * 5 + ["NotResource"]))] = draw(some(RESOURCE_PATTERNS))
    return {**made, **draw(conditions())}


@st.composite
def documents(draw: st.DrawFn, kind: Kind) -> dict[str, Any]:
    """A policy."""
    version = draw(st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17"]))
    return {"Version": version, "Statement": draw(st.lists(statements(kind), max_size=4))}


@st.composite
def asks(draw: st.DrawFn) -> dict[str, Any]:
    """A request with all that has a say in it, as `naive.decide` takes it."""
    principal = draw(st.sampled_from(PRINCIPALS))
    ids = dict(BOUND)
    if draw(st.integers(0, 5)) == 0:
        ids.pop(draw(st.sampled_from(list(ids))))
    resource = draw(st.sampled_from(RESOURCES))

    def slot(kind: Kind, chance: int) -> Any:
        present = draw(st.integers(0, 9)) < chance
        return draw(st.lists(documents(kind), min_size=1, max_size=2)) if present else None

    return {
        "principal": principal,
        "who": {
            "kind": principal.kind.value,
            "arn": principal.arn,
            "account": principal.account,
            "role": principal.role_arn,
            "bound": principal.role_id or principal.unique_id,
        },
        "action": draw(st.sampled_from(ACTIONS)),
        "resource": resource,
        "owner": resource.split(":")[4] if resource != "*" else A,
        "keys": {key: draw(st.sampled_from(KEYS[key])) for key in draw(st.sets(st.sampled_from(list(KEYS))))},
        "ids": ids,
        "I": slot(Kind.IDENTITY, 8) or [],
        "PB": slot(Kind.BOUNDARY, 3),
        "S": slot(Kind.SESSION, 3),
        "RP": slot(Kind.REPOSITORY, 6) or [],
        "SCP": slot(Kind.SERVICE_CONTROL, 1),
    }


_KINDS = {"I": Kind.IDENTITY, "PB": Kind.BOUNDARY, "S": Kind.SESSION, "RP": Kind.REPOSITORY, "SCP": Kind.SERVICE_CONTROL}


def policies_of(ask: dict[str, Any]) -> Policies:
    """The policies of a request, compiled."""

    def compiled(slot: str) -> PolicySet:
        parsed = [parse(json.dumps(each), _KINDS[slot]) for each in ask[slot]]
        return PolicySet([compile_policy(each, Source(slot), bindings=ask["ids"]) for each in parsed])

    return Policies(
        identity=compiled("I"),
        boundary=None if ask["PB"] is None else compiled("PB"),
        session=None if ask["S"] is None else compiled("S"),
        resource=compiled("RP"),
        service_control=() if ask["SCP"] is None else (compiled("SCP"),),
    )


def request_of(ask: dict[str, Any]) -> Request:
    """The request."""
    return Request(ask["principal"], ask["action"], ask["resource"], ask["owner"], ask["keys"])


def decided(ask: dict[str, Any]) -> str:
    """The verdict of the real evaluator."""
    return verdict(decide(request_of(ask), policies_of(ask)))


@given(asks())
@settings(max_examples=500, deadline=None)
def test_the_evaluator_agrees_with_a_naive_one(ask: dict[str, Any]) -> None:
    policies = policies_of(ask)
    decision = decide(request_of(ask), policies)
    assert verdict(decision) == naive.decide(ask)
    # What the sets remember changes nothing.
    assert verdict(decide(request_of(ask), policies)) == verdict(decision)


@given(asks())
@settings(max_examples=100, deadline=None)
def test_every_decision_can_be_explained(ask: dict[str, Any]) -> None:
    decision = decide(request_of(ask), policies_of(ask))
    explanation = explain(decision)
    json.dumps(to_dict(explanation))
    assert to_text(explanation)
    assert bool(explanation.matched) is (decision.statement is not None)
    if decision.policies.boundary is not None:
        assert explanation.allowed_by_boundary is (
            bool(naive.matches(ask["PB"], "Allow", ask)) and not naive.matches(ask["PB"], "Deny", ask)
        )


_SLOTS = ["I", "PB", "S", "RP", "SCP"]


def with_statement(ask: dict[str, Any], slot: str, statement: dict[str, Any]) -> dict[str, Any]:
    """The request with one more statement in a policy that is there, or as the first policy of its kind."""
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {**ask, slot: [*(ask[slot] or []), document]}


@given(asks(), st.sampled_from(_SLOTS), st.data())
@settings(max_examples=100, deadline=None)
def test_another_deny_never_allows(ask: dict[str, Any], slot: str, data: st.DataObject) -> None:
    statement = {**data.draw(statements(_KINDS[slot])), "Effect": "Deny"}
    if ask[slot] is None:
        return  # where there was no limit, a policy that only denies is one
    if decided(ask) != "allow":
        assert decided(with_statement(ask, slot, statement)) != "allow"


@given(asks(), st.sampled_from(_SLOTS), st.data())
@settings(max_examples=100, deadline=None)
def test_another_allow_never_denies(ask: dict[str, Any], slot: str, data: st.DataObject) -> None:
    statement = {**data.draw(statements(_KINDS[slot])), "Effect": "Allow"}
    if ask[slot] is not None and decided(ask) == "allow":
        assert decided(with_statement(ask, slot, statement)) == "allow"


def turned(value: Any) -> Any:
    """A JSON value with all lists reversed."""
    if isinstance(value, dict):
        return {key: turned(each) for key, each in reversed(value.items())}
    return [turned(each) for each in reversed(value)] if isinstance(value, list) else value


@given(asks())
@settings(max_examples=100, deadline=None)
def test_order_and_repetition_never_matter(ask: dict[str, Any]) -> None:
    reordered = {**ask, **{slot: turned(ask[slot]) for slot in _SLOTS}}
    doubled = {**ask, **{slot: ask[slot] and ask[slot] * 2 for slot in _SLOTS}}
    assert decided(ask) == decided(reordered) == decided(doubled)


def split(document: dict[str, Any]) -> dict[str, Any]:
    """The document with one statement for each action of an Action list."""
    parts = []
    for statement in document["Statement"]:
        if isinstance(statement.get("Action"), list):
            parts += [{**statement, "Action": action} for action in statement["Action"]]
        else:
            parts.append(statement)
    return {**document, "Statement": parts}


@given(asks())
@settings(max_examples=100, deadline=None)
def test_a_list_of_actions_is_as_good_as_a_statement_for_each(ask: dict[str, Any]) -> None:
    assert decided(ask) == decided({**ask, **{slot: ask[slot] and [split(each) for each in ask[slot]] for slot in _SLOTS}})


@given(asks())
@settings(max_examples=100, deadline=None)
def test_keys_that_no_policy_names_are_never_asked_for(ask: dict[str, Any]) -> None:
    asked: set[str] = set()

    class Watched(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            asked.add(key)
            return super().get(key, default)

    request = Request(ask["principal"], ask["action"], ask["resource"], ask["owner"], Watched(ask["keys"]))
    decide(request, policies_of(ask))
    text = json.dumps([ask[slot] for slot in _SLOTS]).lower()
    assert all(key in text for key in asked)
