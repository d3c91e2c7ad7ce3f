"""The grammar of lifecycle policies: every fault with its words, and nothing but those words whatever comes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.lifecycle.parse import parse_lifecycle_policy
from moorage.lifecycle.rules import Rule
from moorage.model.errors import ParameterInvalid

FRAME = "Lifecycle policy validation failure: "
NO_SCHEMA = "instance failed to match exactly one schema (matched 0 out of 2)"
EXPIRE = {"type": "expire"}
ARCHIVE = {"type": "transition", "targetStorageClass": "archive"}


def rule(priority: Any = 1, action: Any = EXPIRE, **selection: Any) -> dict[str, Any]:
    chosen = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1} | selection
    return {
        "rulePriority": priority,
        "selection": {name: value for name, value in chosen.items() if value != "absent"},
        "action": action,
    }


def days(count_type: str = "sinceImagePushed", **more: Any) -> dict[str, Any]:
    return {"countType": count_type, "countUnit": "days", "countNumber": 90, **more}


def fault(document: Any) -> str:
    """What is wrong with a policy."""
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(ParameterInvalid) as caught:
        parse_lifecycle_policy(text)
    assert caught.value.member == "LifecyclePolicyText"
    assert caught.value.constraint.startswith(FRAME)
    return caught.value.constraint.removeprefix(FRAME)


def fault_of(*rules: Any) -> str:
    return fault({"rules": list(rules)})


def without(member: str, **given: Any) -> dict[str, Any]:
    return {name: value for name, value in (rule() | given).items() if name != member}


@pytest.mark.parametrize("text", ["", "no json", "[]", '"x"', "1", "null", "{", '{"rules": NaN}', "[" * 100_000])
def test_what_is_no_policy(text: str) -> None:
    assert fault(text) == "Could not map policyString into LifecyclePolicy."


WRONG: list[tuple[Any, str]] = [
    ({}, 'object has missing required properties (["rules"])'),
    ({"rules": {}}, 'object has missing required properties (["rules"])'),
    ({"rules": None}, 'object has missing required properties (["rules"])'),
    ({"rules": [], "b": 1, "a": 1}, 'object instance has properties which are not allowed by the schema: (["a","b"])'),
    ({"rules": []}, "array is too short: must have at least 1 elements but instance has 0 elements"),
    ({"rules": ["x"]}, 'instance type (string) does not match any allowed primitive type (allowed: ["object"])'),
    ({"rules": [{}]}, 'object has missing required properties (["action","rulePriority","selection"])'),
    ({"rules": [{"rulePriority": 1}]}, 'object has missing required properties (["action","selection"])'),
    ({"rules": [rule() | {"foo": 1}]}, 'object instance has properties which are not allowed by the schema: (["foo"])'),
]


@pytest.mark.parametrize(("document", "detail"), WRONG)
def test_the_frame(document: Any, detail: str) -> None:
    assert fault(document) == detail


LOW = "numeric instance is lower than the required minimum (minimum: 1, found: 0)"
TYPE = 'instance type ({}) does not match any allowed primitive type (allowed: ["{}"])'
RULES: list[tuple[dict[str, Any], str]] = [
    (rule(0), LOW),
    (rule("1"), TYPE.format("string", "integer")),
    (rule(1.5), TYPE.format("number", "integer")),
    (rule(True), TYPE.format("boolean", "integer")),
    (rule(2**31), "numeric instance is greater than the required maximum (maximum: 2147483647, found: 2147483648)"),
    (rule(countNumber=0), LOW),
    (rule(countNumber=None), TYPE.format("null", "integer")),
    (rule() | {"description": 1}, TYPE.format("integer", "string")),
    (rule() | {"description": None}, NO_SCHEMA),
    (rule() | {"selection": []}, TYPE.format("array", "object")),
    (rule(action="expire"), TYPE.format("string", "object")),
    (rule(action={}), 'object has missing required properties (["type"])'),
    (rule(action={"type": "delete"}), 'instance value ("delete") not found in enum :(possible values: ["expire", "transition"])'),
    (rule(action=EXPIRE | {"targetStorageClass": None}), NO_SCHEMA),
    (rule(action=EXPIRE | {"targetStorageClass": "archive"}), NO_SCHEMA),
    (rule(action={"type": "transition"}), NO_SCHEMA),
    (rule(action={"type": "transition", "targetStorageClass": None}), NO_SCHEMA),
    (
        rule(action={"type": "transition", "targetStorageClass": "ARCHIVE"}),
        'instance value ("ARCHIVE") not found in enum :(possible values: ["archive"])',
    ),
    (rule(action=EXPIRE | {"x": 1}), 'object instance has properties which are not allowed by the schema: (["x"])'),
    (rule(tagStatus="absent"), 'object has missing required properties (["tagStatus"])'),
    (rule(tagStatus="TAGGED"), 'instance value ("TAGGED") not found in enum :(possible values: ["tagged", "untagged", "any"])'),
    (rule(x=1), 'object instance has properties which are not allowed by the schema: (["x"])'),
    (rule(countType="sinceForever"), NO_SCHEMA),
    (rule(countType=["sinceImagePushed"]), NO_SCHEMA),
    (rule(countUnit="days"), NO_SCHEMA),
    (rule(countType="sinceImagePushed"), NO_SCHEMA),
    (rule(**days(countUnit=None)), NO_SCHEMA),
    (rule(**days(countUnit="hours")), 'instance value ("hours") not found in enum :(possible values: ["days"])'),
    (rule(storageClass=None), NO_SCHEMA),
    (rule(storageClass="cold"), 'instance value ("cold") not found in enum :(possible values: ["standard", "archive"])'),
    (rule(tagStatus="tagged", tagPatternList=[]), NO_SCHEMA),
    (rule(tagStatus="tagged", tagPrefixList=None), NO_SCHEMA),
    (rule(tagStatus="tagged", tagPrefixList="a"), TYPE.format("string", "array")),
    (rule(tagStatus="tagged", tagPrefixList=[1]), TYPE.format("integer", "string")),
    (rule(tagStatus="tagged", tagPrefixList=[""]), 'string "" is too short (length: 0, required minimum: 1)'),
    (rule(tagStatus="tagged", tagPrefixList=["a" * 129]), "string is too long (length: 129, maximum allowed: 128)"),
    (rule(tagStatus="tagged"), "Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED."),
    (rule(tagPrefixList=["a"]), "tagPrefixList and tagPatternList can only be specified when tagStatus=TAGGED."),
    (
        rule(tagStatus="tagged", tagPrefixList=["a"], tagPatternList=["b"]),
        "Only one of tagPrefixList or tagPatternList can be specified.",
    ),
    (rule(tagStatus="tagged", tagPatternList=["a*b*c*d*e*"]), "A tag pattern can have at most 4 wildcards."),
    (
        rule(**days("sinceImageTransitioned")),
        "storageClass=archive is required when countType=sinceImageTransitioned.",
    ),
    (
        rule(action=ARCHIVE, **days("sinceImageTransitioned", storageClass="archive")),
        "countType=sinceImageTransitioned must be used with action expire.",
    ),
    (
        rule(**days("sinceImageTransitioned", storageClass="archive", countNumber=89)),
        "countNumber must be at least 90 when countType=sinceImageTransitioned.",
    ),
    (rule(storageClass="archive"), "storageClass=archive must be used with countType=sinceImageTransitioned."),
    (rule(**days("sinceImagePulled")), "countType=sinceImagePulled must be used with action transition."),
]


@pytest.mark.parametrize(("given_rule", "detail"), RULES)
def test_one_rule(given_rule: dict[str, Any], detail: str) -> None:
    assert fault_of(given_rule) == detail


def tagged(priority: int, *patterns: str, **more: Any) -> dict[str, Any]:
    return rule(priority, tagStatus="tagged", tagPatternList=list(patterns), **more)


def test_rules_together() -> None:
    assert fault_of(rule(1, tagStatus="untagged"), rule(1)) == "Rule priorities must be unique."
    many = [tagged(number, f"v{number}") for number in range(1, 52)]
    assert fault_of(*many) == "A lifecycle policy can have at most 50 rules."
    assert len(parse_lifecycle_policy(json.dumps({"rules": many[:50]}))) == 50
    untagged = "Only one rule can select Untagged images per storage class"
    assert fault_of(rule(1, tagStatus="untagged"), rule(2, tagStatus="untagged")) == untagged
    lowest = "Rule for tagStatus=ANY must have the lowest priority per storage class"
    assert fault_of(rule(2, tagStatus="untagged"), rule(1)) == lowest
    assert fault_of(rule(1), rule(2)) == lowest
    unique = "Tag prefixes or patterns must be unique per storage class"
    assert fault_of(tagged(1, "a", "b"), tagged(2, "b", "a")) == unique
    parse_lifecycle_policy(json.dumps({"rules": [tagged(1, "a*"), tagged(2, "a*", "b")]}))


def test_storage_classes_have_rules_of_their_own() -> None:
    archived = days("sinceImageTransitioned", storageClass="archive")
    rules = parse_lifecycle_policy(json.dumps({"rules": [rule(2, **archived), rule(1, ARCHIVE, **days())]}))
    assert rules == (
        Rule(1, "any", "sinceImagePushed", 90, "transition"),
        Rule(2, "any", "sinceImageTransitioned", 90, "expire", "archive"),
    )


def test_the_schema_goes_before_the_meaning() -> None:
    assert fault_of(rule(**days("sinceImagePulled")), rule(0)) == LOW
    assert fault_of(without("action"), rule(0)) == 'object has missing required properties (["action"])'


def test_of_keys_that_come_twice_the_last_counts() -> None:
    text = json.dumps({"rules": [rule()]}).replace('"rulePriority": 1', '"rulePriority": 0, "rulePriority": 7')
    assert parse_lifecycle_policy(text)[0].priority == 7


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["any", "days", "expire"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    ["tagStatus", "tagPatternList", "tagPrefixList", "storageClass", "countType", "countUnit", "countNumber", "rulePriority"]
)


@given(st.lists(st.dictionaries(MEMBERS | st.sampled_from(["selection", "action", "description"]), VALUES), max_size=3), VALUES)
def test_whatever_comes_is_a_policy_or_is_refused_in_words(rules: list[dict[str, Any]], other: Any) -> None:
    for document in ({"rules": rules}, {"rules": [rule(selection=other)]}, {"rules": [rule() | {"selection": other}]}, other):
        try:
            parse_lifecycle_policy(json.dumps(document))
        except ParameterInvalid as error:
            error.constraint.encode()
            assert len(error.constraint) < 3000


@given(st.text(max_size=200))
def test_whatever_text_comes_is_refused_in_words(text: str) -> None:
    with pytest.raises(ParameterInvalid):
        parse_lifecycle_policy(text)
