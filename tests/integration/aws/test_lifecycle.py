"""Lifecycle policies: put, shown, deleted; previews of what they would do."""

from __future__ import annotations

import json
from typing import Any

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import ROOT
from tests.conftest import fresh_name
from tests.integration.aws.errors import each, no_repository, parameter, refused

REGISTRY = ROOT.account_id


def policy(*rules: dict[str, Any]) -> str:
    return json.dumps({"rules": list(rules)}, indent=2)


def rule(priority: int = 1, action: str = "expire", **selection: Any) -> dict[str, Any]:
    chosen = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1} | selection
    target = {"targetStorageClass": "archive"} if action == "transition" else {}
    return {
        "rulePriority": priority,
        "description": "long enough for the least length of a policy's text",
        "selection": chosen,
        "action": {"type": action, **target},
    }


def missing(repository: str, what: str = "Lifecycle policy") -> str:
    return f"{what} does not exist for the repository with name '{repository}' in the registry with id '{REGISTRY}'"


def test_a_policy_through_its_life(ecr: Any, repository: str) -> None:
    for call in each(
        lambda: ecr.get_lifecycle_policy(repositoryName=repository),
        lambda: ecr.delete_lifecycle_policy(repositoryName=repository),
        lambda: ecr.start_lifecycle_policy_preview(repositoryName=repository),
    ):
        with refused("LifecyclePolicyNotFoundException", missing(repository)):
            call()
    text = policy(rule())
    put = ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
    assert (put["registryId"], put["repositoryName"], put["lifecyclePolicyText"]) == (REGISTRY, repository, text)
    told = ecr.get_lifecycle_policy(repositoryName=repository)
    assert told["lifecyclePolicyText"] == text
    assert "lastEvaluatedAt" not in told  # it never was: no day in 1970 says so
    other = policy(rule(countNumber=2))
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=other)
    assert ecr.delete_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"] == other
    with refused("LifecyclePolicyNotFoundException", missing(repository)):
        ecr.get_lifecycle_policy(repositoryName=repository)


def test_what_no_policy_can_say(ecr: Any, repository: str) -> None:
    frame = "Lifecycle policy validation failure: "
    for text, detail in (
        (" " * 100, "Could not map policyString into LifecyclePolicy."),
        (policy(rule(countNumber=0)), "numeric instance is lower than the required minimum (minimum: 1, found: 0)"),
        (policy(rule(1), rule(2)), "Rule for tagStatus=ANY must have the lowest priority per storage class"),
    ):
        for call in (ecr.put_lifecycle_policy, ecr.start_lifecycle_policy_preview):
            with refused("InvalidParameterException", parameter("LifecyclePolicyText", frame + detail)):
                call(repositoryName=repository, lifecyclePolicyText=text)
    with refused("InvalidParameterException"):
        ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText="x" * 30_721)
    absent = fresh_name("absent")
    for call in each(
        lambda: ecr.put_lifecycle_policy(repositoryName=absent, lifecyclePolicyText=" " * 100),
        lambda: ecr.get_lifecycle_policy(repositoryName=absent),
        lambda: ecr.delete_lifecycle_policy(repositoryName=absent),
        lambda: ecr.start_lifecycle_policy_preview(repositoryName=absent),
        lambda: ecr.get_lifecycle_policy_preview(repositoryName=absent),
    ):
        with refused("RepositoryNotFoundException", no_repository(absent)):
            call()


def push(ecr: Any, repository: str, number: int, *tags: str) -> str:
    """An empty index, whose push time differs from that of every other."""
    manifest = builders.index([], annotations={"number": str(number)}).decode()
    digest = ""
    for tag in tags or (None,):
        told = ecr.put_image(repositoryName=repository, imageManifest=manifest, **({"imageTag": tag} if tag else {}))
        digest = told["image"]["imageId"]["imageDigest"]
    return digest


def test_a_preview(ecr: Any, repository: str, registry: RegistryClient) -> None:
    with refused("LifecyclePolicyPreviewNotFoundException", missing(repository, "Lifecycle policy preview")):
        ecr.get_lifecycle_policy_preview(repositoryName=repository)
    digests = [push(ecr, repository, number, f"v{number}", f"also-{number}") for number in range(3)]
    loose = push(ecr, repository, 3)
    text = policy(rule(1, tagStatus="tagged", tagPatternList=["v*"]), rule(2, "transition", countNumber=3))
    started = ecr.start_lifecycle_policy_preview(repositoryName=repository, lifecyclePolicyText=text)
    assert (started["lifecyclePolicyText"], started["status"]) == (text, "COMPLETE")
    ecr.get_waiter("lifecycle_policy_preview_complete").wait(repositoryName=repository)
    told = ecr.get_lifecycle_policy_preview(repositoryName=repository)
    assert (told["lifecyclePolicyText"], told["status"], told["summary"]) == (text, "COMPLETE", {"expiringImageTotalCount": 2})
    pushed_at = {
        detail["imageDigest"]: detail["imagePushedAt"]
        for detail in ecr.describe_images(repositoryName=repository)["imageDetails"]
    }
    assert told["previewResults"] == [
        {
            "imageTags": [f"v{number}", f"also-{number}"],
            "imageDigest": digests[number],
            "imagePushedAt": pushed_at[digests[number]],
            "action": {"type": "EXPIRE"},
            "appliedRulePriority": 1,
            "storageClass": "STANDARD",
        }
        for number in (0, 1)
    ]
    # Nothing was deleted, and no policy was set.
    assert len(ecr.describe_images(repositoryName=repository)["imageDetails"]) == 4
    with refused("LifecyclePolicyNotFoundException", missing(repository)):
        ecr.get_lifecycle_policy(repositoryName=repository)
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=policy(rule(1, "transition", countNumber=2)))
    ecr.start_lifecycle_policy_preview(repositoryName=repository)
    told = ecr.get_lifecycle_policy_preview(repositoryName=repository)
    assert told["summary"] == {
        "expiringImageTotalCount": 0,
        "transitioningImageTotalCounts": [{"targetStorageClass": "ARCHIVE", "imageTotalCount": 2}],
    }
    assert [each_one["action"] for each_one in told["previewResults"]] == [
        {"type": "TRANSITION", "targetStorageClass": "ARCHIVE"}
    ] * 2
    assert loose not in [each_one["imageDigest"] for each_one in told["previewResults"]]


def test_parts_of_a_preview(ecr: Any, repository: str) -> None:
    digests = [push(ecr, repository, number, *([f"v{number}"] if number % 2 else [])) for number in range(8)]
    ecr.start_lifecycle_policy_preview(repositoryName=repository, lifecyclePolicyText=policy(rule()))

    def shown(**arguments: Any) -> list[str]:
        told = ecr.get_lifecycle_policy_preview(repositoryName=repository, **arguments)
        return [each_one["imageDigest"] for each_one in told["previewResults"]]

    assert shown() == digests[:7]
    assert shown(filter={"tagStatus": "TAGGED"}) == digests[1:7:2]
    assert shown(filter={"tagStatus": "UNTAGGED"}) == digests[0:7:2]
    assert shown(imageIds=[{"imageDigest": digests[7]}, {"imageTag": "v3"}, {"imageDigest": digests[0]}]) == [
        digests[0],
        digests[3],
    ]
    pages = ecr.get_paginator("get_lifecycle_policy_preview").paginate(
        repositoryName=repository, PaginationConfig={"PageSize": 3}
    )
    found = [[each_one["imageDigest"] for each_one in page["previewResults"]] for page in pages]
    assert found == [digests[0:3], digests[3:6], digests[6:7]]
    with refused("InvalidParameterException", parameter("maxResults", "must not be specified together with imageIds")):
        shown(imageIds=[{"imageTag": "v1"}], maxResults=1)
    with refused("InvalidParameterException"):
        shown(maxResults=101)
    token = ecr.get_lifecycle_policy_preview(repositoryName=repository, maxResults=1)["nextToken"]
    with refused("InvalidParameterException", parameter("nextToken", "Invalid token")):
        shown(nextToken=token, filter={"tagStatus": "TAGGED"})
    assert shown(nextToken=token) == digests[1:7]
    ecr.start_lifecycle_policy_preview(repositoryName=repository, lifecyclePolicyText=policy(rule()))
    with refused("InvalidParameterException", parameter("nextToken", "Invalid token")):
        shown(nextToken=token)  # its preview is gone


def test_pages_of_a_preview_end_with_the_next_one(ecr: Any, repository: str) -> None:
    """Its results are a list of their own: going on in it would show some of them twice, or never."""
    for number in range(3):
        push(ecr, repository, number, f"v{number}")
    text = policy(rule())
    ecr.start_lifecycle_policy_preview(repositoryName=repository, lifecyclePolicyText=text)
    token = ecr.get_lifecycle_policy_preview(repositoryName=repository, maxResults=1)["nextToken"]
    assert ecr.get_lifecycle_policy_preview(repositoryName=repository, nextToken=token)["previewResults"]
    ecr.start_lifecycle_policy_preview(repositoryName=repository, lifecyclePolicyText=text)
    with refused("InvalidParameterException", parameter("nextToken", "Invalid token")):
        ecr.get_lifecycle_policy_preview(repositoryName=repository, nextToken=token)


def test_a_repository_goes_with_its_policy_and_preview(ecr: Any, repository: str) -> None:
    push(ecr, repository, 0, "v0")
    push(ecr, repository, 1, "v1")
    text = policy(rule())
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=text)
    ecr.start_lifecycle_policy_preview(repositoryName=repository)
    ecr.delete_repository(repositoryName=repository, force=True)
    ecr.create_repository(repositoryName=repository)
    with refused("LifecyclePolicyNotFoundException", missing(repository)):
        ecr.get_lifecycle_policy(repositoryName=repository)
    with refused("LifecyclePolicyPreviewNotFoundException", missing(repository, "Lifecycle policy preview")):
        ecr.get_lifecycle_policy_preview(repositoryName=repository)
