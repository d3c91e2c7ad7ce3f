"""Suggested policies allow exactly what was done: checked by the engine that decides."""

from __future__ import annotations

import itertools
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.operations.access.suggesting import policy_for_uses
from moorage.policy.compile import PolicySet, Source, compile_policy
from moorage.policy.document import Kind
from moorage.policy.evaluate import Policies, Request, decide
from moorage.policy.parse import parse
from moorage.policy.principals import Principal

A = "111111111111"
U = Principal.user(f"arn:aws:iam::{A}:user/u", "AIDAUUUUUUUUUUUUUUUUU")
ACTIONS = [
    "ecr:BatchGetImage",
    "ecr:PutImage",
    "ecr:GetAuthorizationToken",
    "iam:GetUser",
    "sts:AssumeRole",
    "ecr:DescribeRepositories",
]
RESOURCES = [
    "*",
    f"arn:aws:ecr:us-east-1:{A}:repository/app",
    f"arn:aws:ecr:us-east-1:{A}:repository/app2",
    f"arn:aws:ecr:us-east-1:{A}:repository/team/a",
    f"arn:aws:ecr:us-east-1:{A}:repository/team/b",
    f"arn:aws:ecr:eu-west-1:{A}:repository/team/b",
    f"arn:aws:ecr:us-east-1:{A}:repository/*",
    f"arn:aws:iam::{A}:user/u",
    f"arn:aws:iam::{A}:user/a*b?/u",
    f"arn:aws:iam::{A}:user/aXbY/u",
    f"arn:aws:iam::{A}:user/${{aws:username}}/u",
    f"arn:aws:iam::{A}:user/$/u",
    f"arn:aws:iam::{A}:role/r",
]
PAIRS = list(itertools.product(ACTIONS, RESOURCES))


def allows(text: str, action: str, resource: str) -> bool:
    policies = Policies(PolicySet([compile_policy(parse(text, Kind.IDENTITY), Source("suggested"))]))
    return decide(Request(U, action, resource, A, {"aws:username": "u"}), policies).allowed


@settings(max_examples=200, deadline=None)
@given(st.sets(st.sampled_from(PAIRS), min_size=1))
def test_exactly_what_was_done(uses: set[tuple[str, str]]) -> None:
    text = policy_for_uses(uses)
    anywhere = {action for action, resource in uses if resource == "*"}
    for action, resource in PAIRS:
        # An action that was used without a resource needs Resource *, which is every resource.
        assert allows(text, action, resource) is ((action, resource) in uses or action in anywhere), (action, resource)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PAIRS), min_size=1))
def test_the_same_uses_give_the_same_text(uses: list[tuple[str, str]]) -> None:
    assert policy_for_uses(uses) == policy_for_uses(reversed(uses)) == policy_for_uses(uses * 2)
    wider = policy_for_uses(uses, generalise=True)
    assert all(allows(wider, *use) for use in uses)
    assert len(wider) <= len(policy_for_uses(uses)) + 200


def test_statements() -> None:
    app, a, b = RESOURCES[1], RESOURCES[3], RESOURCES[4]
    uses = [
        ("ecr:PutImage", a),
        ("ecr:PutImage", b),
        ("ecr:BatchGetImage", a),
        ("ecr:BatchGetImage", b),
        ("ecr:BatchGetImage", app),
        ("ecr:GetAuthorizationToken", "*"),
    ]
    both = ["ecr:BatchGetImage", "ecr:PutImage"]
    assert json.loads(policy_for_uses(uses))["Statement"] == [
        {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"},
        {"Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": app},
        {"Effect": "Allow", "Action": both, "Resource": [a, b]},
    ]
    wider = json.loads(policy_for_uses(uses, generalise=True))["Statement"]
    assert wider[2]["Resource"] == f"arn:aws:ecr:us-east-1:{A}:repository/team/*"
    assert wider[1]["Resource"] == app
