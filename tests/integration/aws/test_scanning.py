"""Scanning as it is configured, scans that wait for their engine, and findings that there are not."""

from __future__ import annotations

from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.aws.errors import no_repository, refused
from tests.integration.aws.registries import registry_of


def rule(frequency: str, *filters: str) -> dict[str, Any]:
    return {
        "scanFrequency": frequency,
        "repositoryFilters": [{"filter": pattern, "filterType": "WILDCARD"} for pattern in filters],
    }


@pytest.fixture
def theirs(server: MoorageServer, account: KeyPair) -> Any:
    return server.client(key=account)


def test_the_registrys_configuration(theirs: Any, account: KeyPair) -> None:
    told = theirs.get_registry_scanning_configuration()
    assert (told["registryId"], told["scanningConfiguration"]) == (account.account_id, {"scanType": "BASIC", "rules": []})
    enhanced = {"scanType": "ENHANCED", "rules": [rule("CONTINUOUS_SCAN", "prod*"), rule("SCAN_ON_PUSH", "*")]}
    assert theirs.put_registry_scanning_configuration(**enhanced)["registryScanningConfiguration"] == enhanced
    assert theirs.get_registry_scanning_configuration()["scanningConfiguration"] == enhanced
    # The type stays where none is given; the rules never do.
    assert theirs.put_registry_scanning_configuration()["registryScanningConfiguration"] == {"scanType": "ENHANCED", "rules": []}


def test_rules_that_the_type_does_not_have(theirs: Any) -> None:
    def put(scan_type: str, *rules: dict[str, Any]) -> None:
        theirs.put_registry_scanning_configuration(scanType=scan_type, rules=list(rules))

    with refused("ValidationException", "The scan frequency CONTINUOUS_SCAN is not supported for the scan type BASIC"):
        put("BASIC", rule("CONTINUOUS_SCAN", "*"))
    with refused("ValidationException", "The scan frequency MANUAL is not supported for the scan type ENHANCED"):
        put("ENHANCED", rule("MANUAL", "*"))
    with refused("ValidationException", "A scanning configuration can have only one rule for each scan frequency"):
        put("BASIC", rule("SCAN_ON_PUSH", "a"), rule("SCAN_ON_PUSH", "b"))
    with refused("InvalidParameterException"):
        put("BASIC", rule("SCAN_ON_PUSH", "UPPER"))
    with refused("InvalidParameterException"):
        put("BASIC", rule("SCAN_ON_PUSH", "a"), rule("MANUAL", "b"), rule("CONTINUOUS_SCAN", "c"))
    assert theirs.get_registry_scanning_configuration()["scanningConfiguration"] == {"scanType": "BASIC", "rules": []}


def test_what_holds_for_repositories(theirs: Any) -> None:
    names = [fresh_name(prefix) for prefix in ("shop/prod-api", "prod/web", "test")]
    for name in names:
        theirs.create_repository(repositoryName=name)

    def effective() -> list[tuple[bool, str, list[str]]]:
        told = theirs.batch_get_repository_scanning_configuration(repositoryNames=names)
        assert told["failures"] == []
        return [
            (each["scanOnPush"], each["scanFrequency"], [applied["filter"] for applied in each["appliedScanFilters"]])
            for each in told["scanningConfigurations"]
        ]

    assert effective() == [(False, "MANUAL", [])] * 3
    theirs.put_image_scanning_configuration(repositoryName=names[2], imageScanningConfiguration={"scanOnPush": True})
    assert effective()[2] == (True, "SCAN_ON_PUSH", [])
    # Without a star a filter is contained in the name, with one it is all of it.
    theirs.put_registry_scanning_configuration(scanType="BASIC", rules=[rule("SCAN_ON_PUSH", "prod", "prod*")])
    assert effective()[:2] == [(False, "SCAN_ON_PUSH", ["prod"]), (False, "SCAN_ON_PUSH", ["prod", "prod*"])]
    theirs.put_registry_scanning_configuration(
        scanType="ENHANCED", rules=[rule("CONTINUOUS_SCAN", "prod*"), rule("SCAN_ON_PUSH", "*")]
    )
    assert effective() == [
        (False, "SCAN_ON_PUSH", ["*"]),
        (False, "CONTINUOUS_SCAN", ["prod*"]),
        (True, "SCAN_ON_PUSH", ["*"]),
    ]
    with refused("ValidationException", "This feature is disabled"):
        theirs.put_image_scanning_configuration(repositoryName=names[2], imageScanningConfiguration={"scanOnPush": False})


def test_repositories_that_there_are_not(theirs: Any, account: KeyPair) -> None:
    absent, name = fresh_name("absent"), fresh_name()
    theirs.create_repository(repositoryName=name)
    told = theirs.batch_get_repository_scanning_configuration(repositoryNames=[absent, name])
    assert [each["repositoryName"] for each in told["scanningConfigurations"]] == [name]
    reason = no_repository(absent, account.account_id)
    assert told["failures"] == [{"repositoryName": absent, "failureCode": "REPOSITORY_NOT_FOUND", "failureReason": reason}]
    with refused("RepositoryNotFoundException", reason):
        theirs.put_image_scanning_configuration(repositoryName=absent, imageScanningConfiguration={"scanOnPush": True})


def test_the_switch_of_a_repository(ecr: Any, repository: str, server: MoorageServer) -> None:
    told = ecr.put_image_scanning_configuration(repositoryName=repository, imageScanningConfiguration={"scanOnPush": True})
    assert (told["registryId"], told["repositoryName"]) == (server.root.account_id, repository)
    assert told["imageScanningConfiguration"] == {"scanOnPush": True}
    (described,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    assert described["imageScanningConfiguration"] == {"scanOnPush": True}
    ecr.put_image_scanning_configuration(repositoryName=repository, imageScanningConfiguration={})
    (described,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    assert described["imageScanningConfiguration"] == {"scanOnPush": False}


def test_nothing_was_scanned(ecr: Any, repository: str, registry: RegistryClient, server: MoorageServer) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    image = f"{{imageDigest:'{built.digest}', imageTag:'v1'}}"
    where = f"in the repository with name '{repository}' in the registry with id '{server.root.account_id}'"
    with refused("ScanNotFoundException", f"Image scan does not exist for the image with '{image}' {where}"):
        ecr.describe_image_scan_findings(repositoryName=repository, imageId={"imageTag": "v1"})
    with refused("ImageNotFoundException"):
        ecr.describe_image_scan_findings(repositoryName=repository, imageId={"imageTag": "v2"})


def test_scans_are_asked_for_by_everybody_who_may_and_wait_for_their_engine(
    theirs: Any, server: MoorageServer, account: KeyPair, stranger: KeyPair
) -> None:
    name, absent = fresh_name(), fresh_name("absent")
    theirs.create_repository(repositoryName=name)
    built, artifact = builders.image(1), builders.image(2, artifactType="application/x-thing")
    index = builders.index([built]).decode()
    with registry_of(server, account) as registry:
        registry.push_image(name, built, "v1")
        registry.push_image(name, artifact, "thing")
    theirs.put_image(repositoryName=name, imageManifest=index, imageTag="many")

    def start(tag: str, repository: str = name, client: Any = theirs) -> None:
        client.start_image_scan(repositoryName=repository, imageId={"imageTag": tag}, registryId=account.account_id)

    with refused("RepositoryNotFoundException", no_repository(absent, account.account_id)):
        start("v1", absent)
    with refused("ImageNotFoundException"):
        start("v2")
    with refused("AccessDeniedException"):
        start("v1", client=server.client(key=stranger))
    with refused("InvalidParameterException"):
        start("v1", "UPPER")
    for tag in ("many", "thing"):
        with refused("UnsupportedImageTypeException"):
            start(tag)
    with refused("UnknownOperationException") as told:
        start("v1")
    assert "wait for the image scanning engine" in told["Error"]["Message"]
    theirs.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "many"}])
    theirs.update_image_storage_class(repositoryName=name, imageId={"imageTag": "v1"}, targetStorageClass="ARCHIVE")
    with refused("ImageArchivedException"):
        start("v1")
    theirs.put_registry_scanning_configuration(scanType="ENHANCED", rules=[])
    with refused("ValidationException", "This feature is disabled"):
        start("v1")
