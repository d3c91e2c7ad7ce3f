"""Public repositories and their catalogue."""

from __future__ import annotations

import json

import pytest

from moorage.testing import builders
from tests.integration.cli.conftest import Cli

pytestmark = pytest.mark.awscli
NAMED = ("--repository-name", "app")


def test_repositories_and_images(public: Cli) -> None:
    made = public("create-repository", *NAMED, "--catalog-data", "description=hello", "--tags", "Key=team,Value=red")
    arn = made["repository"]["repositoryArn"]
    assert arn == f"arn:aws:ecr-public::{public.key.account_id}:repository/app"
    assert public("list-tags-for-resource", "--resource-arn", arn)["tags"] == [{"Key": "team", "Value": "red"}]
    for number in range(3):
        text = builders.index([], annotations={"n": str(number)}).decode()
        public("put-image", *NAMED, "--image-manifest", text, "--image-tag", f"v{number}")
    newest_first = public("describe-image-tags", *NAMED, "--page-size", "1", "--query", "imageTagDetails[].imageTag")
    assert newest_first == ["v2", "v1", "v0"]
    assert public("describe-images", *NAMED, "--image-ids", "imageTag=v1", "--query", "imageDetails[].imageTags") == [["v1"]]
    public("batch-delete-image", *NAMED, "--image-ids", "imageTag=v0", "imageTag=v1", "imageTag=v2")
    public("delete-repository", *NAMED)
    public.refused("RepositoryNotFoundException", "describe-repositories", "--repository-names", "app")


def test_policies_and_catalogue(public: Cli) -> None:
    public("create-repository", *NAMED)
    statement = {"Effect": "Allow", "Principal": {"AWS": public.key.account_id}, "Action": "ecr-public:PutImage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    public("set-repository-policy", *NAMED, "--policy-text", policy)
    assert json.loads(public("get-repository-policy", *NAMED)["policyText"]) == json.loads(policy)
    public("put-repository-catalog-data", *NAMED, "--catalog-data", json.dumps({"architectures": ["ARM"], "aboutText": "# A"}))
    assert public("get-repository-catalog-data", *NAMED)["catalogData"]["architectures"] == ["ARM"]
    public("put-registry-catalog-data", "--display-name", "Red team")
    (registry,) = public("describe-registries")["registries"]
    assert registry["registryId"] == public.key.account_id
    assert len(public.text("get-login-password").strip()) > 50
