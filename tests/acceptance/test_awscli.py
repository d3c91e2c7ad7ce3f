"""The aws CLI, both versions, as getting started has it; and boto3 for the same path."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from tests import clients
from tests.acceptance.conftest import Shell

pytestmark = pytest.mark.awscli


@pytest.mark.parametrize("version", ["aws-v1", "aws-v2"])
def test_getting_started(shell: Shell, version: str) -> None:
    program, server = clients.program(version), shell.server
    # Version 1 is a current one and takes the endpoint from the environment; Debian's version 2 is older than that.
    endpoint = ("--endpoint-url", server.endpoint) if version == "aws-v2" else ()
    shell.environment["AWS_ENDPOINT_URL"] = server.endpoint

    def aws(*arguments: str) -> Any:
        text = shell.run(program, *endpoint, *arguments, "--output", "json")
        return json.loads(text) if text.strip() else None

    made = aws("ecr", "create-repository", "--repository-name", "hello", "--tags", "Key=team,Value=red")["repository"]
    assert made["repositoryUri"] == f"{server.host}/hello"
    password = shell.run(program, *endpoint, "ecr", "get-login-password").strip()
    built = builders.image(1)
    with RegistryClient("127.0.0.1", server.port, password) as registry:
        registry.push_image("hello", built, "v1", "v2")
    listed = aws("ecr", "list-images", "--repository-name", "hello", "--page-size", "1")["imageIds"]
    assert listed == [{"imageDigest": built.digest, "imageTag": tag} for tag in ("v1", "v2")]
    (detail,) = aws("ecr", "describe-images", "--repository-name", "hello")["imageDetails"]
    assert (detail["imageDigest"], detail["imageTags"]) == (built.digest, ["v1", "v2"])
    assert aws("ecr", "describe-repositories", "--max-items", "1")["repositories"] == [made]
    (image,) = aws("ecr", "batch-get-image", "--repository-name", "hello", "--image-ids", "imageTag=v1")["images"]
    assert image["imageManifest"].encode() == built.manifest
    retagged = aws(
        "ecr", "put-image", "--repository-name", "hello", "--image-tag", "v3", "--image-manifest", image["imageManifest"]
    )
    assert retagged["image"]["imageId"] == {"imageDigest": built.digest, "imageTag": "v3"}
    assert aws("ecr", "list-tags-for-resource", "--resource-arn", made["repositoryArn"])["tags"] == [
        {"Key": "team", "Value": "red"}
    ]
    assert aws("sts", "get-caller-identity")["Account"] == server.root.account_id
    deleted = aws("ecr", "batch-delete-image", "--repository-name", "hello", "--image-ids", f"imageDigest={built.digest}")
    assert [entry["imageTag"] for entry in deleted["imageIds"]] == ["v1", "v2", "v3"]
    aws("ecr", "delete-repository", "--repository-name", "hello")
    assert aws("ecr", "describe-repositories")["repositories"] == []


@pytest.mark.parametrize("version", ["aws-v1", "aws-v2"])
def test_identities(shell: Shell, version: str) -> None:
    """A user with a key, a role and a policy, as a script makes them."""
    program, server = clients.program(version), shell.server
    endpoint = ("--endpoint-url", server.endpoint) if version == "aws-v2" else ()
    shell.environment["AWS_ENDPOINT_URL"] = server.endpoint

    def iam(*arguments: str) -> Any:
        text = shell.run(program, *endpoint, "iam", *arguments, "--output", "json")
        return json.loads(text) if text.strip() else None

    trust, policy = shell.home / "trust.json", shell.home / "policy.json"
    statement = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2))
    allowed = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": allowed}))
    user = iam("create-user", "--user-name", "alice", "--path", "/team/", "--tags", "Key=team,Value=red")["User"]
    assert user["Arn"] == f"arn:aws:iam::{server.root.account_id}:user/team/alice"
    assert iam("create-access-key", "--user-name", "alice")["AccessKey"]["Status"] == "Active"
    iam("create-role", "--role-name", "ci", "--assume-role-policy-document", f"file://{trust}")
    role = iam("get-role", "--role-name", "ci")["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"] == [statement]
    made = iam("create-policy", "--policy-name", "login", "--policy-document", f"file://{policy}")["Policy"]["Arn"]
    iam("attach-role-policy", "--role-name", "ci", "--policy-arn", made)
    iam("put-user-policy", "--user-name", "alice", "--policy-name", "own", "--policy-document", f"file://{policy}")
    assert iam("get-user-policy", "--user-name", "alice", "--policy-name", "own")["PolicyDocument"]["Statement"] == allowed
    assert [each["PolicyArn"] for each in iam("list-attached-role-policies", "--role-name", "ci")["AttachedPolicies"]] == [made]
    everything = iam("list-policies", "--page-size", "1")["Policies"]
    assert "AdministratorAccess" in [each["PolicyName"] for each in everything]
    seed = shell.home / "seed"
    device = iam(
        *("create-virtual-mfa-device", "--virtual-mfa-device-name", "phone"),
        *("--bootstrap-method", "Base32StringSeed", "--outfile", str(seed)),
    )
    assert device["VirtualMFADevice"]["SerialNumber"].endswith(":mfa/phone")
    assert len(seed.read_text().strip()) == 32
    assert iam("get-account-summary")["SummaryMap"]["Users"] == 1


def test_boto3(shell: Shell) -> None:
    """Push and pull with nothing but the AWS API."""
    ecr = shell.server.client()
    ecr.create_repository(repositoryName="hello")
    built = builders.image(1)
    for digest, data in built.blobs.items():
        upload = ecr.initiate_layer_upload(repositoryName="hello")["uploadId"]
        ecr.upload_layer_part(
            repositoryName="hello", uploadId=upload, partFirstByte=0, partLastByte=len(data) - 1, layerPartBlob=data
        )
        ecr.complete_layer_upload(repositoryName="hello", uploadId=upload, layerDigests=[digest])
    pushed = ecr.put_image(repositoryName="hello", imageTag="v1", imageManifest=built.manifest.decode())["image"]
    assert pushed["imageId"]["imageDigest"] == built.digest
    with shell.server.registry() as registry:
        registry.require_image("hello", built, "v1")
