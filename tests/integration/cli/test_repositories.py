"""Repositories, their settings, policies, lifecycle and tags."""

from __future__ import annotations

import json

import pytest

from moorage.testing import builders
from tests.integration.cli.conftest import Cli

pytestmark = pytest.mark.awscli
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}]}
)
LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "description": "two",
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2},
                "action": {"type": "expire"},
            }
        ]
    }
)


def test_repositories_and_their_settings(ecr: Cli) -> None:
    made = ecr(
        *("create-repository", "--repository-name", "team/app", "--tags", "Key=team,Value=red"),
        *("--image-tag-mutability", "IMMUTABLE_WITH_EXCLUSION"),
        *("--image-tag-mutability-exclusion-filters", "filterType=WILDCARD,filter=latest*"),
    )["repository"]
    assert (made["imageTagMutability"], made["registryId"]) == ("IMMUTABLE_WITH_EXCLUSION", ecr.key.account_id)
    ecr.refused("RepositoryAlreadyExistsException", "create-repository", "--repository-name", "team/app")
    named = ("--repository-name", "team/app")
    told = ecr("put-image-tag-mutability", *named, "--image-tag-mutability", "MUTABLE")
    assert told["imageTagMutability"] == "MUTABLE"
    ecr("put-image-scanning-configuration", *named, "--image-scanning-configuration", "scanOnPush=true")
    assert ecr("describe-repositories", "--query", "repositories[].[repositoryName, imageScanningConfiguration.scanOnPush]") == [
        ["team/app", True]
    ]
    assert ecr.text("describe-repositories", "--query", "repositories[0].repositoryArn", "--output", "text").strip() == (
        f"arn:aws:ecr:us-east-1:{ecr.key.account_id}:repository/team/app"
    )
    assert ecr("delete-repository", *named)["repository"]["repositoryName"] == "team/app"
    ecr.refused("RepositoryNotFoundException", "describe-repositories", "--repository-names", "team/app")


def test_policies_and_lifecycle(ecr: Cli) -> None:
    named = ("--repository-name", "app")
    ecr("create-repository", *named)
    ecr.refused("RepositoryPolicyNotFoundException", "get-repository-policy", *named)
    ecr("set-repository-policy", *named, "--policy-text", ecr.file("policy.json", POLICY))
    assert json.loads(ecr("get-repository-policy", *named)["policyText"]) == json.loads(POLICY)
    ecr("delete-repository-policy", *named)
    ecr("put-lifecycle-policy", *named, "--lifecycle-policy-text", ecr.file("lifecycle.json", LIFECYCLE))
    assert json.loads(ecr("get-lifecycle-policy", *named)["lifecyclePolicyText"]) == json.loads(LIFECYCLE)
    for number in range(3):
        text = builders.index([], annotations={"n": str(number)}).decode()
        ecr("put-image", *named, "--image-manifest", text, "--image-tag", f"v{number}")
    ecr("start-lifecycle-policy-preview", *named)
    ecr("wait", "lifecycle-policy-preview-complete", *named)
    assert ecr("get-lifecycle-policy-preview", *named, "--query", "previewResults[].[imageTags[0], action.type]") == [
        ["v0", "EXPIRE"]
    ]
    ecr("delete-lifecycle-policy", *named)
    ecr.refused("LifecyclePolicyNotFoundException", "get-lifecycle-policy", *named)


def test_tags(ecr: Cli) -> None:
    arn = ecr("create-repository", "--repository-name", "app")["repository"]["repositoryArn"]
    ecr("tag-resource", "--resource-arn", arn, "--tags", "Key=team,Value=red", "Key=stage,Value=test me")
    ecr("untag-resource", "--resource-arn", arn, "--tag-keys", "team", "nothing")
    assert ecr("list-tags-for-resource", "--resource-arn", arn)["tags"] == [{"Key": "stage", "Value": "test me"}]
    ecr.refused("InvalidTagParameterException", "tag-resource", "--resource-arn", arn, "--tags", "Key=aws:x,Value=y")
