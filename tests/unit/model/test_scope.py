"""Registries and their ARNs: private ones of a region, public ones of none."""

from __future__ import annotations

import pytest

from moorage.model.arn import parse_repository_arn
from moorage.model.errors import ArnInvalid, InvalidValue
from moorage.model.scope import Scope

ACCOUNT = "111122223333"


@pytest.mark.parametrize(
    ("scope", "arn"),
    [
        (Scope.of("eu-west-1", ACCOUNT), f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/team/app"),
        (Scope.of("cn-north-1", ACCOUNT), f"arn:aws-cn:ecr:cn-north-1:{ACCOUNT}:repository/team/app"),
        (Scope.public(ACCOUNT), f"arn:aws:ecr-public::{ACCOUNT}:repository/team/app"),
    ],
)
def test_arns_there_and_back(scope: Scope, arn: str) -> None:
    assert scope.repository_arn("team/app") == arn
    assert parse_repository_arn(arn) == (scope, "team/app")


def test_a_public_registry_is_another_one_than_each_private_one() -> None:
    public = Scope.public(ACCOUNT)
    assert public.is_public
    assert public.service == "ecr-public"
    assert public.registry_arn == f"arn:aws:ecr-public::{ACCOUNT}:registry/{ACCOUNT}"
    private = Scope.of("us-east-1", ACCOUNT)
    assert not private.is_public
    assert private.service == "ecr"
    assert private != public
    with pytest.raises(InvalidValue):
        Scope.of("", ACCOUNT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        f"arn:aws:ecr::{ACCOUNT}:repository/app",
        f"arn:aws:ecr-public:us-east-1:{ACCOUNT}:repository/app",
        f"arn:aws-cn:ecr-public::{ACCOUNT}:repository/app",
        "arn:aws:ecr-public::1234:repository/app",
        f"arn:aws:ecr-public::{ACCOUNT}:registry/{ACCOUNT}",
        f"arn:aws:ecr-public::{ACCOUNT}:repository/",
        f"arn:aws:ecr-publicx::{ACCOUNT}:repository/app",
        f"arn:aws:s3:eu-west-1:{ACCOUNT}:repository/app",
    ],
)
def test_what_is_no_arn_of_a_repository(text: str) -> None:
    with pytest.raises(ArnInvalid):
        parse_repository_arn(text)
