"""Each operation of ECR and ECR Public asks for its own action on its own resource, before it looks at anything else; and a
repository's policy lets another account in where there is a repository."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore import xform_name

from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import Person, document, grant

DIGEST, SOME_ID = "sha256:" + "1" * 64, "00000000-0000-4000-8000-000000000000"
REGISTRY_WIDE = re.compile(
    ".*(PullThroughCacheRules?|Registry|RegistryPolicy|ScanningConfiguration|CreationTemplates?|SigningConfiguration|Exclusions?|"
    "AccountSetting|AuthorizationToken|Backfills?|BackfillResults|ReplicationConfiguration)"
)
"""Operations of the private registry that are about no repository."""
OF_REPOSITORIES = frozenset(("BatchGetRepositoryScanningConfiguration", "PutImageScanningConfiguration"))
BORROWED = {"ListImageReferrers": "BatchGetImage"}
NOT_BUILT = frozenset(("StartImageScan",))
"""Refused before anything else."""
DENIED = re.compile(r"is not authorized to perform: (\S+) on resource: (\S+)")


def arguments(model: Any, account: KeyPair, name: str) -> dict[str, Any]:
    """What an operation has to be given to be a request at all."""
    known: dict[str, Any] = {
        "repositoryName": name,
        "repositoryNames": [name],
        "resourceArn": f"{arn_of_service(model, account)}repository/{name}",
        "layerDigests": [DIGEST],
        "layerDigest": DIGEST,
        "imageIds": [{"imageTag": "a"}],
        "imageId": {"imageTag": "a"},
        "subjectId": {"imageDigest": DIGEST},
        "uploadId": SOME_ID,
        "partFirstByte": 0,
        "partLastByte": 0,
        "layerPartBlob": b"x",
        "imageManifest": "x",
        "tags": [{"Key": "a", "Value": "b"}],
        "tagKeys": ["a"],
        "policyText": "x",
        "lifecyclePolicyText": "x" * 100,
        "name": "BLOB_MOUNTING",
        "value": "ENABLED",
        "ecrRepositoryPrefix": "zz",
        "upstreamRegistryUrl": "quay.io",
        "prefix": "zz",
        "appliedFor": ["REPLICATION"],
        "replicationConfiguration": {"rules": []},
        "replicationBackfillId": SOME_ID,
        "destination": {"region": "eu-west-1", "registryId": account.account_id},
        "imageScanningConfiguration": {},
        "imageTagMutability": "MUTABLE",
        "signingConfiguration": {"rules": []},
        "principalArn": f"arn:aws:iam::{account.account_id}:role/a",
        "targetStorageClass": "ARCHIVE",
        "catalogData": {},
    }
    shape = model.input_shape
    return {member: known[member] for member in (*shape.required_members, *({"repositoryNames"} & shape.members.keys()))}


def arn_of_service(model: Any, account: KeyPair) -> str:
    """How ARNs of the model's service begin."""
    region = "us-east-1" if model.service_model.service_name == "ecr" else ""
    return f"arn:aws:{model.service_model.service_name}:{region}:{account.account_id}:"


def resource_of(model: Any, account: KeyPair, name: str) -> str:
    """The resource of an operation. Source: service authorization reference of ECR and ECR Public."""
    if model.name == "GetAuthorizationToken":
        return "*"
    if model.service_model.service_name == "ecr":
        if REGISTRY_WIDE.fullmatch(model.name) and model.name not in OF_REPOSITORIES:
            return "*"
    elif model.name.endswith(("Registries", "RegistryCatalogData")):
        return f"{arn_of_service(model, account)}registry/{account.account_id}"
    return f"{arn_of_service(model, account)}repository/{name}"


def code_of(client: Any, operation: str, given: dict[str, Any]) -> tuple[str, str]:
    """The code and text of an answer; empty for a success."""
    try:
        getattr(client, xform_name(operation))(**given)
    except client.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    return "", ""


@pytest.mark.parametrize("service", ["ecr", "ecr-public"])
def test_action_and_resource(server: MoorageServer, account: KeyPair, service: str) -> None:
    client = server.client(service, key=Person(server, account).key)
    for operation in set(client.meta.service_model.operation_names) - NOT_BUILT:
        model = client.meta.service_model.operation_model(operation)
        code, text = code_of(client, operation, arguments(model, account, "absent"))
        found = DENIED.search(text)
        assert code == "AccessDeniedException", operation
        assert found, operation
        action = f"{service}:{BORROWED.get(operation, operation)}"
        assert (found[1], found[2]) == (action, resource_of(model, account, "absent"))


def test_a_repositorys_policy_lets_others_in(server: MoorageServer, account: KeyPair, stranger: KeyPair) -> None:
    own, theirs, name = server.client(key=account), server.client(key=stranger), fresh_name()
    own.create_repository(repositoryName=name)
    asked = 0
    for operation in sorted(set(theirs.meta.service_model.operation_names) - NOT_BUILT, key="DeleteRepository".__eq__):
        model = theirs.meta.service_model.operation_model(operation)
        given = arguments(model, account, name)
        if resource_of(model, account, name) == "*" or operation == "CreateRepository":
            continue
        if "registryId" in model.input_shape.members:
            given["registryId"] = account.account_id
        elif "resourceArn" not in given:
            continue  # it is about repositories of one's own registry alone
        assert code_of(theirs, operation, given)[0] == "AccessDeniedException", operation
        action = f"ecr:{BORROWED.get(operation, operation)}"
        own.set_repository_policy(repositoryName=name, policyText=document(grant({"AWS": stranger.account_id}, action)))
        assert code_of(theirs, operation, given)[0] != "AccessDeniedException", operation
        if operation not in {"DeleteRepository", "DeleteRepositoryPolicy"}:
            own.delete_repository_policy(repositoryName=name)
        asked += 1
    assert asked == 30
