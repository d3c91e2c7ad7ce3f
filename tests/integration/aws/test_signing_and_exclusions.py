"""Signing configuration, and principals whose pulls do not move the time of an image's last pull."""

from __future__ import annotations

import time
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import Person, allow
from tests.integration.aws.errors import each, parameter, refused


@pytest.fixture
def theirs(server: MoorageServer, account: KeyPair) -> Any:
    return server.client(key=account)


def profile(name: str) -> str:
    return f"arn:aws:signer:us-east-1:123456789012:/signing-profiles/{name}"


def test_signing_configuration(theirs: Any, account: KeyPair) -> None:
    absent = f"Signing configuration does not exist in the registry with id '{account.account_id}'"
    for call in each(theirs.get_signing_configuration, theirs.delete_signing_configuration):
        with refused("SigningConfigurationNotFoundException", absent):
            call()
    filters = [{"filter": "prod/*", "filterType": "WILDCARD_MATCH"}]
    chosen = {
        "rules": [
            {"signingProfileArn": profile("one"), "repositoryFilters": filters},
            {"signingProfileArn": profile("two")},
        ]
    }
    assert theirs.put_signing_configuration(signingConfiguration=chosen)["signingConfiguration"] == chosen
    told = theirs.get_signing_configuration()
    assert (told["registryId"], told["signingConfiguration"]) == (account.account_id, chosen)
    assert theirs.put_signing_configuration(signingConfiguration={"rules": []})["signingConfiguration"] == {"rules": []}
    assert theirs.get_signing_configuration()["signingConfiguration"] == {"rules": []}
    assert theirs.delete_signing_configuration()["signingConfiguration"] == {"rules": []}
    with refused("SigningConfigurationNotFoundException", absent):
        theirs.get_signing_configuration()


def test_what_no_signing_configuration_can_say(theirs: Any) -> None:
    def put(*rules: dict[str, Any]) -> None:
        theirs.put_signing_configuration(signingConfiguration={"rules": list(rules)})

    text = "A signing profile can be used in only one rule of the signing configuration"
    with refused("ValidationException", text):
        put({"signingProfileArn": profile("one")}, {"signingProfileArn": profile("one")})
    with refused("InvalidParameterException"):
        put({"signingProfileArn": "nonsense"})
    with refused("InvalidParameterException"):
        put(*({"signingProfileArn": profile(f"p{number}")} for number in range(11)))


def test_nothing_was_signed(ecr: Any, registry: RegistryClient, repository: str, server: MoorageServer) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    told = ecr.describe_image_signing_status(repositoryName=repository, imageId={"imageTag": "v1"})
    assert (told["registryId"], told["signingStatuses"]) == (server.root.account_id, [])
    assert told["imageId"] == {"imageDigest": built.digest, "imageTag": "v1"}
    with refused("ImageNotFoundException"):
        ecr.describe_image_signing_status(repositoryName=repository, imageId={"imageTag": "v2"})


def role(account: KeyPair, name: str) -> str:
    return f"arn:aws:iam::{account.account_id}:role/{name}"


def test_exclusions(theirs: Any, account: KeyPair) -> None:
    arns = sorted(role(account, f"path/scanner{number}") for number in range(5))
    for arn in arns:
        assert theirs.register_pull_time_update_exclusion(principalArn=arn)["principalArn"] == arn
    where = f"in the registry with id '{account.account_id}'"
    text = f"The pull time update exclusion for '{arns[0]}' already exists {where}"
    with refused("ExclusionAlreadyExistsException", text):
        theirs.register_pull_time_update_exclusion(principalArn=arns[0])
    found: list[str] = []
    token: dict[str, str] = {}
    for size in (2, 2, 1):
        page = theirs.list_pull_time_update_exclusions(maxResults=2, **token)
        assert len(page["pullTimeUpdateExclusions"]) == size
        found += page["pullTimeUpdateExclusions"]
        token = {"nextToken": page["nextToken"]} if "nextToken" in page else {}
    assert (found, token) == (arns, {})
    assert theirs.deregister_pull_time_update_exclusion(principalArn=arns[0])["principalArn"] == arns[0]
    with refused("ExclusionNotFoundException", f"The pull time update exclusion for '{arns[0]}' does not exist {where}"):
        theirs.deregister_pull_time_update_exclusion(principalArn=arns[0])
    assert theirs.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"] == arns[1:]
    with refused("InvalidParameterException"):
        theirs.register_pull_time_update_exclusion(principalArn=f"arn:aws:iam::{account.account_id}:root")
    with refused("InvalidParameterException", parameter("nextToken", "Invalid token")):
        theirs.list_pull_time_update_exclusions(nextToken="x")


def test_the_quota_of_exclusions(theirs: Any, account: KeyPair) -> None:
    for number in range(100):
        theirs.register_pull_time_update_exclusion(principalArn=role(account, f"r{number}"))
    with refused("LimitExceededException"):
        theirs.register_pull_time_update_exclusion(principalArn=role(account, "one-more"))
    assert len(theirs.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"]) == 100


def wait_for_pull(client: Any, repository: str, tag: str) -> Any:
    """The time of the last pull, which is written once a second."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        (detail,) = client.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
        if "lastRecordedPullTime" in detail:
            return detail["lastRecordedPullTime"]
    raise AssertionError("the pull was not written")


def test_pulls_of_the_excluded_do_not_count(server: MoorageServer, account: KeyPair, theirs: Any) -> None:
    name = fresh_name()
    theirs.create_repository(repositoryName=name)
    pullers = [Person(server, account, allow("ecr:BatchGetImage")) for _ in range(2)]
    for tag in ("first", "second"):
        theirs.put_image(repositoryName=name, imageManifest=builders.index([], annotations={"n": tag}).decode(), imageTag=tag)
    theirs.register_pull_time_update_exclusion(principalArn=pullers[0].arn)
    # What is pulled later is written later: when the second image shows a pull, that of the first is written, too.
    pullers[0].ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "first"}])
    pullers[1].ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "second"}])
    wait_for_pull(theirs, name, "second")
    (detail,) = theirs.describe_images(repositoryName=name, imageIds=[{"imageTag": "first"}])["imageDetails"]
    assert "lastRecordedPullTime" not in detail
    theirs.deregister_pull_time_update_exclusion(principalArn=pullers[0].arn)
    pullers[0].ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "first"}])
    wait_for_pull(theirs, name, "first")
