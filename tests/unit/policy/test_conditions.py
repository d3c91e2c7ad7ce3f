"""Condition operators, one row each: what holds, for present and absent keys, one value and several."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from moorage.policy.conditions import compile_condition, read_operator
from moorage.policy.context import Value
from moorage.policy.document import Kind
from moorage.policy.operators import OPERATORS, read_date, read_network
from moorage.policy.parse import parse

K = "aws:X"


def holds(
    operator: str, wanted: Any, got: Value | None, others: Mapping[str, Value] | None = None, *, version: str = "2012-10-17"
) -> bool:
    """Whether a condition on the key aws:X holds for a request that has `got` there."""
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {K: wanted}}}
    policy = parse(json.dumps({"Version": version, "Statement": statement}), Kind.IDENTITY)
    context = dict(others or {})
    if got is not None:
        context["aws:x"] = got
    return compile_condition(policy.statements[0].conditions[0], has_variables=policy.has_variables).holds(context)


LAMBDA = "arn:aws:lambda:us-east-1:111111111111:function:a:b/c"
CASES: list[tuple[str, Any, Value | None, bool]] = [
    ("StringEquals", ["a", "b"], "b", True),
    ("StringEquals", ["a", "b"], "B", False),
    ("StringEquals", "a*", "ab", False),
    ("StringEquals", "a*", "a*", True),
    ("StringEquals", "", "", True),
    ("StringEquals", [], "", False),
    ("StringNotEquals", [], "", True),
    ("StringEquals", True, "true", True),
    ("StringEquals", 10, "10", True),
    ("StringEqualsIgnoreCase", "Ab", "aB", True),
    ("StringNotEqualsIgnoreCase", "Ab", "aB", False),
    ("StringNotEquals", ["a", "b"], "c", True),
    ("StringNotEquals", ["a", "b"], "a", False),
    ("StringLike", ["x", "a*c?"], "abbbcd", True),
    ("StringLike", "a*c?", "abbbc", False),
    ("StringLike", "a*", "A", False),
    ("StringLike", "arn:*:a", "arn:x:y:z:a", True),
    ("StringNotLike", "a*", "b", True),
    ("StringNotLike", "a*", "ab", False),
    ("NumericEquals", "10", "10.0", True),
    ("NumericEquals", 10, "1e1", False),
    ("NumericNotEquals", "10", "11", True),
    ("NumericNotEquals", "10", "ten", True),
    ("NumericLessThan", ["1", "5"], "4.9", True),
    ("NumericLessThan", "5", "5", False),
    ("NumericLessThanEquals", "5", "5", True),
    ("NumericGreaterThan", "-1", "0", True),
    ("NumericGreaterThanEquals", "0.1", "0.10", True),
    ("NumericGreaterThan", "0", "Infinity", False),
    ("NumericGreaterThan", "0", "\u0661", False),
    ("DateEquals", "2025-01-01T00:00:00Z", "2025-01-01", True),
    ("DateEquals", "2025-01-01T02:00:00+02:00", "1735689600", True),
    ("DateNotEquals", "2025-01-01", "2025-01-02", True),
    ("DateLessThan", "2025-01-01T00:01Z", "2025-01-01T00:00:59.999Z", True),
    ("DateLessThanEquals", "2025-01-01", "2025-01-01", True),
    ("DateGreaterThan", "2025-01-01", "2024-12-31T23:59:59Z", False),
    ("DateGreaterThanEquals", 1735689600, "2025-01-01", True),
    ("DateLessThan", "2025-13-01", "2025-01-01", False),
    ("DateLessThan", "tomorrow", "2025-01-01", False),
    ("Bool", "true", "True", True),
    ("Bool", True, "true", True),
    ("Bool", ["true", "false"], "false", True),
    ("Bool", "yes", "yes", False),
    ("BinaryEquals", "QUI=", "QUI=", True),
    ("BinaryEquals", "QUI=", "QUE=", False),
    ("BinaryEquals", "!", "!", False),
    ("IpAddress", ["10.0.0.0/8", "192.0.2.0/24"], "192.0.2.77", True),
    ("IpAddress", "10.0.0.0/8", "11.0.0.1", False),
    ("IpAddress", "10.9.9.9/8", "10.0.0.1", True),
    ("IpAddress", "10.0.0.1", "10.0.0.1", True),
    ("IpAddress", "10.0.0.0/8", "::ffff:10.1.2.3", True),
    ("IpAddress", "::ffff:10.0.0.0/104", "10.1.2.3", True),
    ("IpAddress", "::/0", "10.1.2.3", False),
    ("IpAddress", "2001:db8::/32", "2001:db8:1::1", True),
    ("IpAddress", "10.0.0.0/255.0.0.0", "10.0.0.1", False),
    ("IpAddress", "10.0.0.0/8", "fe80::1%eth0", False),
    ("IpAddress", "not an address", "10.0.0.1", False),
    ("IpAddress", "10.0.0.0/8", "10.1.0.0/16", True),
    ("IpAddress", "10.0.0.0/16", "10.0.0.0/8", False),
    ("NotIpAddress", "10.0.0.0/8", "11.0.0.1", True),
    ("NotIpAddress", "not an address", "10.0.0.1", True),
    ("ArnLike", "arn:aws:lambda:*:111111111111:function:*", LAMBDA, True),
    ("ArnEquals", "arn:aws:lambda:*:*:*", LAMBDA, True),
    ("ArnLike", "arn:aws:*:function:a:b/c", LAMBDA, False),
    ("ArnLike", "arn:*", LAMBDA, False),
    ("ArnLike", "*", LAMBDA, True),
    ("ArnLike", "*", "no-arn", False),
    ("ArnNotLike", "arn:aws:s3:::*", LAMBDA, True),
    ("ArnNotEquals", "arn:aws:lambda:*:*:*", LAMBDA, False),
    ("Null", "true", None, True),
    ("Null", "true", "x", False),
    ("Null", "false", None, False),
    ("Null", False, "", True),
    ("Null", "true", (), True),
    ("Null", ["true", "false"], None, True),
    ("Null", "maybe", None, False),
    ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
    ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
    ("ForAllValues:StringEquals", ["a", "b"], "a", True),
    ("ForAllValues:StringNotEquals", ["a", "b"], ("c", "d"), True),
    ("ForAllValues:StringNotEquals", ["a", "b"], ("a", "d"), False),
    ("ForAnyValue:StringEquals", ["a", "b"], ("x", "b"), True),
    ("ForAnyValue:StringEquals", ["a", "b"], ("x", "y"), False),
    ("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "y"), True),
    ("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "b"), False),
    ("StringEquals", ["a"], ("x", "a"), True),
    ("StringNotEquals", ["a"], ("x", "a"), False),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "wanted", "got", "verdict"), CASES)
def test_operators(operator: str, wanted: Any, got: Value | None, verdict: bool) -> None:
    assert holds(operator, wanted, got) is verdict


SAMPLE = {
    "Numeric": "1",
    "Date": "2025-01-01",
    "Bool": "true",
    "Binary": "AA==",
    "Ip": "10.0.0.1",
    "NotIp": "10.0.0.1",
    "Arn": LAMBDA,
}


@pytest.mark.parametrize("name", sorted(OPERATORS))
@pytest.mark.parametrize("nothing", [None, (), []])
def test_absent_keys(name: str, nothing: Value | None) -> None:
    value = next((sample for prefix, sample in SAMPLE.items() if name.startswith(prefix)), "a")
    negated = "Not" in name
    assert holds(name, value, nothing) is negated
    assert holds(f"{name}IfExists", value, nothing)
    assert holds(f"ForAllValues:{name}", value, nothing)
    assert holds(f"ForAllValues:{name}IfExists", value, nothing)
    assert not holds(f"ForAnyValue:{name}", value, nothing)
    assert holds(f"ForAnyValue:{name}IfExists", value, nothing)
    holds_for_equals = not negated and not name.endswith("Than")
    assert holds(name, value, value) is holds_for_equals
    assert holds(f"{name}IfExists", value, value) is holds_for_equals


VARIABLES: list[tuple[str, str, str, bool]] = [
    ("StringEquals", "${aws:Username}", "bob", True),
    ("StringEquals", "x-${AWS:username}-y", "x-bob-y", True),
    ("StringEqualsIgnoreCase", "${aws:username}", "BOB", True),
    ("StringLike", "${aws:username}/*", "bob/x", True),
    ("StringLike", "${aws:star}", "anything", False),
    ("StringLike", "${aws:star}", "*", True),
    ("StringLike", "${*}", "*", True),
    ("StringLike", "${*}", "x", False),
    ("StringLike", "${?}${$}*", "?$abc", True),
    ("StringEquals", "${$}{x}", "${x}", True),
    ("StringEquals", "${aws:nobody}", "", False),
    ("StringNotEquals", "${aws:nobody}", "", True),
    ("StringEquals", "${aws:nobody, 'none'}", "none", True),
    ("StringEquals", "${aws:nobody,''}", "", True),
    ("StringEquals", "${aws:username, 'none'}", "none", False),
    ("StringLike", "${aws:nobody, '*'}", "x", False),
    ("StringEquals", "${aws:several}", "a", False),
    ("StringEquals", "${aws:several, 'd'}", "d", False),
    ("StringEquals", "${aws:single}", "a", True),
    ("StringEquals", "${aws:empty, 'd'}", "d", True),
    ("ArnLike", "arn:aws:iam::${aws:account}:role/*", "arn:aws:iam::1:role/x", True),
    ("ArnLike", "arn:aws:iam::${aws:star}:role/*", "arn:aws:iam::1:role/x", False),
    ("ArnEquals", "${aws:arn}", "arn:aws:iam::1:role/x", True),
    ("Bool", "${aws:true}", "true", False),
    ("NumericEquals", "${aws:account}", "1", False),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "wanted", "got", "verdict"), VARIABLES)
def test_variables(operator: str, wanted: str, got: str, verdict: bool) -> None:
    keys: dict[str, Value] = {
        "aws:username": "bob",
        "aws:star": "*",
        "aws:several": ("a", "b"),
        "aws:single": ("a",),
        "aws:empty": (),
        "aws:account": "1",
        "aws:arn": "arn:aws:iam::1:role/x",
        "aws:true": "true",
    }
    assert holds(operator, wanted, got, keys) is verdict


def test_variables_are_text_in_the_old_version() -> None:
    assert not holds("StringEquals", "${aws:username}", "bob", {"aws:username": "bob"}, version="2008-10-17")
    assert holds("StringEquals", "${aws:username}", "${aws:username}", {"aws:username": "bob"}, version="2008-10-17")
    assert holds("StringLike", "${*", "${abc", version="2008-10-17")


@pytest.mark.parametrize(
    "name", ["", "Null:", "StringEquals:ForAnyValue", "ForAnyValue:", "StringEqualsIfExistsIfExists", "IpAddressNot"]
)
def test_what_is_no_operator(name: str) -> None:
    assert read_operator(name) is None


def test_dates_at_the_edges_of_the_calendar() -> None:
    assert read_date("0000-01-01") is None
    assert read_date("0001-01-01T00:00:00+14:00") is not None
    assert read_date("9999-12-31T23:59:59-14:00") is not None
    assert read_date("1969-12-31T23:59:59.5Z") == -500_000
    assert read_date("-1") == -1_000_000


def test_networks_of_every_width() -> None:
    assert read_network("0.0.0.0/0") == (4, 32, 0)
    assert read_network("10.0.0.0/33") is None
    assert read_network("10.0.0.0/") is None
    assert read_network("1" * 65) is None
