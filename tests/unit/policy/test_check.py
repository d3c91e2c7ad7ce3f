"""A policy examined for its author: errors with their lines, and findings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.policy.check import check_policy
from moorage.policy.document import Kind
from moorage.policy.sizes import size_limit

GOOD: dict[str, Any] = {"Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": "*"}


def lines(*statements: dict[str, Any]) -> str:
    """A policy with its statements on lines 2, 3 ..."""
    return '{"Version": "2012-10-17", "Statement": [\n' + ",\n".join(map(json.dumps, statements)) + "\n]}"


def told(text: str, kind: Kind = Kind.IDENTITY) -> list[tuple[int, bool, str]]:
    return [(problem.line, problem.is_error, problem.text) for problem in check_policy(text, kind)]


def test_nothing_to_say() -> None:
    assert told(lines(GOOD)) == []


def test_every_wrong_statement_with_its_line() -> None:
    text = lines(GOOD, {**GOOD, "Effect": "Perhaps"}, GOOD, {**GOOD, "Action": "push"}, {**GOOD, "Resource": "app"})
    assert told(text) == [
        (3, True, "Syntax errors in policy. (statement 2: Effect has to be Allow or Deny)"),
        (5, True, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. (action 'push')"),
        (6, True, 'Resource app must be in ARN format or "*".'),
    ]


def test_json_that_is_none() -> None:
    ((line, is_error, text),) = told('{"Version": "2012-10-17",\n"Statement": [\n{"Effect": "Allow",}\n]}')
    assert (line, is_error) == (3, True)
    assert "Syntax errors in policy." in text


@pytest.mark.parametrize(
    "text", ["", "[]", "3", '{"Statement": 3}', '{"Statement": [3]}', '{"Version": "2000", "Statement": []}']
)
def test_no_policy_at_all(text: str) -> None:
    ((line, is_error, _),) = told(text)
    assert (line, is_error) == (1, True)


def test_the_same_sid_twice() -> None:
    assert told(lines({**GOOD, "Sid": "a"}, {**GOOD, "Sid": "a"})) == [
        (1, True, "Statement IDs (SID) in a single policy must be unique.")
    ]


def test_findings_with_their_lines() -> None:
    never = {"Null": {"aws:TokenIssueTime": "true"}, "DateLessThan": {"aws:TokenIssueTime": "2030-01-01T00:00:00Z"}}
    text = lines(
        GOOD,
        {**GOOD, "Action": "ecr:BatchGetImages"},
        {**GOOD, "Condition": {"StringEquals": {"aws:SourceIpp": "10.0.0.1"}}},
        {**GOOD, "Condition": {"IpAddress": {"aws:SourceIp": "somewhere"}}},
        {**GOOD, "Condition": never},
        {**GOOD, "Condition": {"Null": {"aws:TokenIssueTime": "true"}, "StringNotEquals": {"aws:TokenIssueTime": "x"}}},
    )
    found = told(text)
    assert [(line, is_error) for line, is_error, _ in found] == [(3, False), (4, False), (5, False), (6, False)]
    assert [text.partition(":")[0] for _, _, text in found] == [
        "unknown action",
        "unknown condition key",
        "value that the operator cannot read",
        "conditions that cannot hold together",
    ]


def test_kinds_have_rules_of_their_own() -> None:
    grant = {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
    assert told(lines(grant), Kind.REPOSITORY) == []
    assert told(lines(grant)) != []
    assert told(lines(GOOD), Kind.REPOSITORY) != []
    assert told(lines({**grant, "Resource": "*"}), Kind.REGISTRY) == []
    assert told(lines({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}), Kind.TRUST) == []


def test_too_long() -> None:
    many = lines(*({**GOOD, "Sid": f"s{number}"} for number in range(200)))
    ((_, is_error, text),) = told(many)
    assert is_error
    assert str(size_limit(Kind.IDENTITY)) in text


@given(st.text() | st.recursive(st.none() | st.text("SEa{}\n"), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["Version", "Statement", "Effect", "Action", "Resource", "Condition"]), inner)).map(json.dumps))  # fmt: skip
def test_any_text(text: str) -> None:
    for kind in (Kind.IDENTITY, Kind.REPOSITORY, Kind.TRUST):
        for problem in check_policy(text, kind):
            assert 1 <= problem.line <= text.count("\n") + 1
