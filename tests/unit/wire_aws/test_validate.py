"""Constraints of the models: exact texts, both families, and patterns that no input can slow down."""

# ruff: noqa: E501 - exact texts, one case to a line
from __future__ import annotations

import itertools
import re
import time
from typing import Any

import pytest

from moorage.wire.aws.faults import ConstraintFault
from moorage.wire.aws.models import service_plan
from moorage.wire.aws.patterns import matches, unreviewed
from moorage.wire.aws.shapes import ListShape, MapShape, Shape, StringShape, StructureShape
from moorage.wire.aws.validate import check

NAME = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        ("ListImages", {"repositoryName": "A"}, "'repositoryName' failed to satisfy constraint: 'Member must have length greater than or equal to 2'"),
        ("ListImages", {"repositoryName": "a" * 257}, "'repositoryName' failed to satisfy constraint: 'Member must have length less than or equal to 256'"),
        ("ListImages", {"repositoryName": "Aa"}, f"'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '{NAME}''"),
        ("ListImages", {"repositoryName": "aa", "maxResults": 1001}, "'maxResults' failed to satisfy constraint: 'Member must have value less than or equal to 1000'"),
        ("ListImages", {"repositoryName": "aa", "maxResults": 0}, "'maxResults' failed to satisfy constraint: 'Member must have value greater than or equal to 1'"),
        ("ListImages", {}, "'repositoryName' failed to satisfy constraint: 'Member must not be null'"),
        ("BatchGetImage", {"repositoryName": "aa", "imageIds": [{}] * 101}, "'imageIds' failed to satisfy constraint: 'Member must have length less than or equal to 100'"),
        ("BatchGetImage", {"repositoryName": "aa", "imageIds": [{}, None]}, "'imageIds.2.member' failed to satisfy constraint: 'Member must not be null'"),
        ("BatchGetImage", {"repositoryName": "aa", "imageIds": [{"imageTag": ""}]}, "'imageIds.1.member.imageTag' failed to satisfy constraint: 'Member must have length greater than or equal to 1'"),
        ("PutImageTagMutability", {"repositoryName": "aa", "imageTagMutability": "x"}, "'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: [MUTABLE, IMMUTABLE, IMMUTABLE_WITH_EXCLUSION, MUTABLE_WITH_EXCLUSION]'"),
    ],
)  # fmt: skip
def test_invalid_parameter(operation: str, params: dict[str, Any], message: str) -> None:
    service = service_plan("ecr")
    with pytest.raises(ConstraintFault) as caught:
        check(params, service, service.operations[operation])
    assert caught.value.code == "InvalidParameterException"
    assert str(caught.value) == f"Invalid parameter at {message}"


def test_the_second_family_tells_all() -> None:
    service = service_plan("sts")
    with pytest.raises(ConstraintFault) as caught:
        check({"RoleArn": "x", "DurationSeconds": 1}, service, service.operations["AssumeRole"])
    assert caught.value.code == "ValidationError"
    assert str(caught.value) == (
        "3 validation errors detected: Value 'x' at 'roleArn' failed to satisfy constraint: Member must have length greater than or equal to 20; "
        "Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null; "
        "Value '1' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900"
    )


def test_sensitive_and_long_values_are_not_repeated() -> None:
    service = service_plan("sts")
    with pytest.raises(ConstraintFault) as caught:
        check(
            {"RoleArn": "a" * 100_000, "RoleSessionName": "ok", "WebIdentityToken": "abc"},
            service,
            service.operations["AssumeRoleWithWebIdentity"],
        )
    assert "abc" not in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_a_pattern_tells_the_same_whatever_the_category() -> None:
    service = service_plan("sts")
    operation = service.operations["AssumeRole"]
    params = {"RoleArn": "arn:aws:iam::123456789012:role/x", "RoleSessionName": "ok"}
    check(params | {"Tags": [{"Key": "Ünï 中 Ⅷ _.:/=+-@", "Value": ""}]}, service, operation)
    for key in ("a!", "a\n", "\u0301"):
        with pytest.raises(ConstraintFault):
            check(params | {"Tags": [{"Key": key, "Value": ""}]}, service, operation)


def strings(shape: Shape, seen: set[str]) -> list[StringShape]:
    if shape.name in seen:
        return []
    seen.add(shape.name)
    match shape:
        case StringShape():
            return [shape]
        case ListShape():
            return strings(shape.member, seen)
        case MapShape():
            return strings(shape.key, seen) + strings(shape.value, seen)
        case StructureShape():
            return [found for member in shape.members.values() for found in strings(member.shape, seen)]
    return []


PATTERNS = sorted(
    {
        (found.pattern, found.max or 1 << 20)
        for service in ("ecr", "ecr-public", "iam", "sts")
        for operation in service_plan(service).operations.values()
        for found in strings(operation.input, set())
        if found.pattern is not None
    }
)


@pytest.mark.parametrize(("pattern", "longest"), PATTERNS)
def test_no_value_slows_a_pattern_down(pattern: str, longest: int) -> None:
    assert not unreviewed(pattern)
    matches(pattern, "")
    prefixes = ("", "arn:aws-a:iam::123456789012:role/", "arn:aws:secretsmanager:a:secret:ecr-pullthroughcache/", "a/", "sha256:")
    for prefix, unit, end in itertools.product(
        prefixes, ("a", "a-", "a/", "a.", "-", "--a", "_", "__", ":", "*", "a1._", "é"), "!\n/"
    ):
        value = (prefix + unit * longest)[: longest - 1] + end
        started = time.process_time()
        matches(pattern, value)
        assert time.process_time() - started < 0.5  # a pattern that backtracks takes minutes


@pytest.mark.parametrize(("pattern", "_longest"), [pair for pair in PATTERNS if len(pair[0]) < 120])
def test_rewritten_patterns_mean_what_the_models_write(pattern: str, _longest: int) -> None:
    if r"\p" in pattern or r"\u" in pattern:
        return  # Not rewritten, and Python cannot read it as it stands.
    original = re.compile(pattern, re.ASCII)
    alphabet = "a-_/.*"
    for size in range(6):
        for letters in itertools.product(alphabet, repeat=size):
            value = "".join(letters)
            assert matches(pattern, value) is (original.fullmatch(value) is not None), value
