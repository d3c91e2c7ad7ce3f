"""The archive, on both planes; and the artifacts that are attached to images."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from moorage.testing import builders
from moorage.testing.builders import BuiltImage
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import ROOT, MoorageServer
from tests.conftest import fresh_name
from tests.integration.aws.errors import each, no_repository, parameter, refused

REGISTRY = ROOT.account_id
SBOM = "application/spdx+json"


def move(ecr: Any, repository: str, target: str, tag: str | None = None, digest: str | None = None) -> str:
    image = {name: value for name, value in (("imageTag", tag), ("imageDigest", digest)) if value}
    told = ecr.update_image_storage_class(repositoryName=repository, imageId=image, targetStorageClass=target)
    assert (told["registryId"], told["repositoryName"]) == (REGISTRY, repository)
    assert set(image.items()) <= set(told["imageId"].items())
    return str(told["imageStatus"])


def detail(ecr: Any, repository: str, tag: str) -> dict[str, Any]:
    (found,) = ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    return dict(found)


def wait_until_active(ecr: Any, repository: str, tag: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = detail(ecr, repository, tag)
        if found["imageStatus"] == "ACTIVE":
            return found
    raise AssertionError("the image was not activated")


def digests(found: list[dict[str, str]]) -> set[str]:
    return {each_one["imageDigest"] for each_one in found}


def test_an_archived_image_cannot_be_pulled(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    assert detail(ecr, repository, "v1")["imageStatus"] == "ACTIVE"
    assert move(ecr, repository, "STANDARD", "v1") == "ACTIVE"
    assert move(ecr, repository, "ARCHIVE", "v1") == "ARCHIVED"
    assert move(ecr, repository, "ARCHIVE", digest=built.digest) == "ARCHIVED"
    for reference in ("v1", built.digest):
        for method in ("GET", "HEAD"):
            assert registry.request(method, f"/v2/{repository}/manifests/{reference}").status == 404
    answer = registry.get(f"/v2/{repository}/manifests/v1")
    assert (answer.code, answer.message) == ("MANIFEST_UNKNOWN", "Requested image not found")
    told = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    assert (told["images"], [each_one["failureCode"] for each_one in told["failures"]]) == ([], ["ImageNotFound"])
    both = {"imageTag": "v1", "imageDigest": "sha256:" + "0" * 64}
    told = ecr.batch_get_image(repositoryName=repository, imageIds=[both])  # what disagrees does so in the archive too
    assert [each_one["failureCode"] for each_one in told["failures"]] == ["ImageTagDoesNotMatchDigest"]
    states = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[built.config])["layers"]
    assert [each_one["layerAvailability"] for each_one in states] == ["ARCHIVED"]
    with refused("LayerInaccessibleException"):
        ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=built.config)


def test_tags_of_archived_images_are_not_listed_for_pulls(ecr: Any, registry: RegistryClient, repository: str) -> None:
    for number in range(3):
        registry.push_image(repository, builders.image(number), f"v{number}")
    move(ecr, repository, "ARCHIVE", "v1")
    assert registry.get(f"/v2/{repository}/tags/list").json()["tags"] == ["v0", "v2"]
    first = registry.get(f"/v2/{repository}/tags/list?n=1")
    assert (first.json()["tags"], first.header("Link")) == (["v0"], f'</v2/{repository}/tags/list?n=1&last=v0>; rel="next"')
    assert registry.get(f"/v2/{repository}/tags/list?n=1&last=v0").json()["tags"] == ["v2"]
    move(ecr, repository, "STANDARD", "v1")
    wait_until_active(ecr, repository, "v1")
    assert registry.get(f"/v2/{repository}/tags/list").json()["tags"] == ["v0", "v1", "v2"]


def test_archived_images_are_listed_where_they_are_asked_for(ecr: Any, registry: RegistryClient, repository: str) -> None:
    kept, archived = builders.image(1), builders.image(2)
    registry.push_image(repository, kept, "kept")
    registry.push_image(repository, archived, "archived")
    move(ecr, repository, "ARCHIVE", "archived")
    for status, expected in (
        (None, {kept.digest}),
        ("ACTIVE", {kept.digest}),
        ("ARCHIVED", {archived.digest}),
        ("ACTIVATING", set()),
        ("ANY", {kept.digest, archived.digest}),
    ):
        chosen = {"filter": {"imageStatus": status}} if status else {}
        assert digests(ecr.list_images(repositoryName=repository, **chosen)["imageIds"]) == expected
        assert digests(ecr.describe_images(repositoryName=repository, **chosen)["imageDetails"]) == expected
    both = {"tagStatus": "TAGGED", "imageStatus": "ARCHIVED"}
    assert digests(ecr.describe_images(repositoryName=repository, filter=both)["imageDetails"]) == {archived.digest}
    found = detail(ecr, repository, "archived")
    assert found["imageStatus"] == "ARCHIVED"
    assert found["lastArchivedAt"] >= found["imagePushedAt"]
    assert "lastActivatedAt" not in found
    token = ecr.list_images(repositoryName=repository, maxResults=1, filter={"imageStatus": "ANY"})["nextToken"]
    with refused("InvalidParameterException", parameter("nextToken", "Invalid token")):
        ecr.list_images(repositoryName=repository, nextToken=token)


def test_a_restored_image_is_activated_first(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    move(ecr, repository, "ARCHIVE", "v1")
    assert move(ecr, repository, "STANDARD", "v1") == "ACTIVATING"
    assert move(ecr, repository, "STANDARD", "v1") in {"ACTIVATING", "ACTIVE"}
    found = wait_until_active(ecr, repository, "v1")
    assert found["lastActivatedAt"] > found["lastArchivedAt"]
    registry.require_image(repository, built, "v1")
    assert ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=built.config)


def test_an_image_that_is_being_activated(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(environment={"MOORAGE_ACTIVATION_SECONDS": "3600"})
    ecr, name = server.client(), "slow"
    ecr.create_repository(repositoryName=name)
    ecr.put_image(repositoryName=name, imageManifest=builders.index([]).decode(), imageTag="v1")
    move(ecr, name, "ARCHIVE", "v1")
    assert move(ecr, name, "STANDARD", "v1") == "ACTIVATING"
    found = detail(ecr, name, "v1")
    assert (found["imageStatus"], "lastActivatedAt" in found) == ("ACTIVATING", False)
    (failure,) = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])["failures"]
    assert failure["failureCode"] == "ImageInaccessible"
    with server.registry() as registry:
        assert registry.get(f"/v2/{name}/manifests/v1").code == "MANIFEST_UNKNOWN"
    activating = ecr.list_images(repositoryName=name, filter={"imageStatus": "ACTIVATING"})["imageIds"]
    assert [each_one["imageTag"] for each_one in activating] == ["v1"]
    with refused("ImageStorageClassUpdateNotSupportedException"):
        move(ecr, name, "ARCHIVE", "v1")


def test_a_push_restores(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    move(ecr, repository, "ARCHIVE", "v1")
    told = ecr.put_image(repositoryName=repository, imageManifest=built.manifest.decode(), imageTag="v1")
    assert told["image"]["imageId"]["imageDigest"] == built.digest
    assert detail(ecr, repository, "v1")["imageStatus"] == "ACTIVE"
    with refused("ImageAlreadyExistsException"):
        ecr.put_image(repositoryName=repository, imageManifest=built.manifest.decode(), imageTag="v1")
    move(ecr, repository, "ARCHIVE", "v1")
    registry.push_image(repository, built, "v1")
    registry.require_image(repository, built, "v1")


def test_an_archived_image_can_be_deleted(ecr: Any, registry: RegistryClient, repository: str) -> None:
    registry.push_image(repository, builders.image(1), "v1")
    move(ecr, repository, "ARCHIVE", "v1")
    with refused("RepositoryNotEmptyException"):
        ecr.delete_repository(repositoryName=repository)
    assert ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["failures"] == []
    ecr.delete_repository(repositoryName=repository)


def attached(subject: BuiltImage, number: int, kind: str = SBOM) -> BuiltImage:
    descriptor = {"mediaType": subject.media_type, "digest": subject.digest, "size": len(subject.manifest)}
    return builders.image(number, layers=1, subject=descriptor, artifactType=kind, annotations={"n": str(number)})


def status_of(ecr: Any, repository: str, digest: str) -> str:
    (found,) = ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])["imageDetails"]
    return str(found["imageStatus"])


def test_an_index_takes_along_what_is_its_own(ecr: Any, registry: RegistryClient, repository: str) -> None:
    own, shared = builders.image(1), builders.image(2)
    signature = attached(own, 3)
    for built in (own, shared, signature):
        registry.push_image(repository, built)
    for tag, children in (("first", [own, shared]), ("second", [shared])):
        ecr.put_image(repositoryName=repository, imageManifest=builders.index(children).decode(), imageTag=tag)
    with refused("ImageStorageClassUpdateNotSupportedException"):
        move(ecr, repository, "ARCHIVE", digest=own.digest)
    assert move(ecr, repository, "ARCHIVE", "first") == "ARCHIVED"
    statuses = [status_of(ecr, repository, built.digest) for built in (own, shared, signature)]
    assert statuses == ["ARCHIVED", "ACTIVE", "ARCHIVED"]
    move(ecr, repository, "ARCHIVE", "second")
    assert status_of(ecr, repository, shared.digest) == "ARCHIVED"
    move(ecr, repository, "STANDARD", "first")
    wait_until_active(ecr, repository, "first")
    assert [status_of(ecr, repository, built.digest) for built in (own, shared, signature)] == ["ACTIVE"] * 3
    assert detail(ecr, repository, "second")["imageStatus"] == "ARCHIVED"


def test_a_push_of_an_index_restores_what_can_be_pulled_by_it(ecr: Any, registry: RegistryClient, repository: str) -> None:
    child, other = builders.image(1), builders.image(2)
    signature = attached(child, 3)
    for built in (child, other, signature):
        registry.push_image(repository, built)
    listed, more = builders.index([child]).decode(), builders.index([child, other]).decode()
    ecr.put_image(repositoryName=repository, imageManifest=listed, imageTag="v1")
    move(ecr, repository, "ARCHIVE", "v1")
    ecr.put_image(repositoryName=repository, imageManifest=listed, imageTag="v1")  # the same one again
    assert [status_of(ecr, repository, built.digest) for built in (child, signature)] == ["ACTIVE"] * 2
    move(ecr, repository, "ARCHIVE", "v1")
    ecr.put_image(repositoryName=repository, imageManifest=more, imageTag="v2")  # another one that names the child
    assert [status_of(ecr, repository, built.digest) for built in (child, other, signature)] == ["ACTIVE"] * 3
    assert detail(ecr, repository, "v1")["imageStatus"] == "ARCHIVED"


def test_what_cannot_be_moved(ecr: Any, repository: str) -> None:
    absent = fresh_name("absent")
    with refused("RepositoryNotFoundException", no_repository(absent)):
        move(ecr, absent, "ARCHIVE", "v1")
    with refused("ImageNotFoundException"):
        move(ecr, repository, "ARCHIVE", "v1")
    with refused("InvalidParameterException"):
        move(ecr, repository, "GLACIER", "v1")


def test_referrers(ecr: Any, registry: RegistryClient, repository: str) -> None:
    subject = builders.image(1)
    registry.push_image(repository, subject, "v1")
    artifacts = [attached(subject, 2), attached(subject, 3, "application/vnd.cncf.notary.signature"), attached(subject, 4)]
    for built in artifacts:
        registry.push_image(repository, built)

    def listed(**arguments: Any) -> list[str]:
        told = ecr.list_image_referrers(repositoryName=repository, subjectId={"imageDigest": subject.digest}, **arguments)
        return [each_one["digest"] for each_one in told["referrers"]]

    told = ecr.list_image_referrers(repositoryName=repository, subjectId={"imageDigest": subject.digest})
    assert told["referrers"] == [
        {
            "digest": built.digest,
            "mediaType": built.media_type,
            "artifactType": SBOM if number != 3 else "application/vnd.cncf.notary.signature",
            "size": len(built.manifest),
            "annotations": {"n": str(number)},
            "artifactStatus": "ACTIVE",
        }
        for number, built in enumerate(artifacts, 2)
    ]
    assert listed(filter={"artifactTypes": [SBOM]}) == [artifacts[0].digest, artifacts[2].digest]
    assert listed(filter={"artifactTypes": [SBOM, "application/vnd.cncf.notary.signature"]}) == [
        built.digest for built in artifacts
    ]
    assert listed(filter={"artifactTypes": ["none/such"]}) == []
    first = ecr.list_image_referrers(repositoryName=repository, subjectId={"imageDigest": subject.digest}, maxResults=2)
    assert listed(nextToken=first["nextToken"]) == [artifacts[2].digest]
    with refused("InvalidParameterException", parameter("nextToken", "Invalid token")):
        listed(nextToken=first["nextToken"], filter={"artifactTypes": [SBOM]})
    move(ecr, repository, "ARCHIVE", digest=artifacts[0].digest)
    assert listed() == [artifacts[1].digest, artifacts[2].digest]
    assert listed(filter={"artifactStatus": "ARCHIVED"}) == [artifacts[0].digest]
    assert len(registry.get(f"/v2/{repository}/referrers/{subject.digest}").json()["manifests"]) == 2


def test_referrers_of_what_is_not_there(ecr: Any, repository: str) -> None:
    subject = {"imageDigest": "sha256:" + "a" * 64}
    assert ecr.list_image_referrers(repositoryName=repository, subjectId=subject)["referrers"] == []
    absent = fresh_name("absent")
    for call in each(lambda: ecr.list_image_referrers(repositoryName=absent, subjectId=subject)):
        with refused("RepositoryNotFoundException", no_repository(absent)):
            call()
    with refused("InvalidParameterException"):
        ecr.list_image_referrers(repositoryName=repository, subjectId={"imageDigest": "nonsense"})
    with refused("InvalidParameterException"):
        ecr.list_image_referrers(repositoryName=repository, subjectId=subject, maxResults=51)
