"""Images and layers of ECR Public through the API alone: push, describe, delete; registries named by aliases."""

from __future__ import annotations

from typing import Any

from moorage.testing import builders
from moorage.testing.builders import BuiltImage
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import ROOT, KeyPair, MoorageServer
from tests.integration.access.people import PUSH, Person, allow, document, grant
from tests.integration.aws.errors import no_repository, parameter, refused

ABSENT = "sha256:" + "a" * 64


def push(client: Any, repository: str, built: BuiltImage, tag: str | None, **registry: str) -> dict[str, Any]:
    """The whole push of a client that speaks the API alone."""
    where = {"repositoryName": repository, **registry}
    told = client.batch_check_layer_availability(layerDigests=list(built.blobs), **where)
    for layer in told["layers"]:
        if layer["layerAvailability"] == "AVAILABLE":
            continue
        data = built.blobs[layer["layerDigest"]]
        upload = client.initiate_layer_upload(**where)["uploadId"]
        client.upload_layer_part(uploadId=upload, partFirstByte=0, partLastByte=len(data) - 1, layerPartBlob=data, **where)
        client.complete_layer_upload(uploadId=upload, layerDigests=[layer["layerDigest"]], **where)
    named = {"imageTag": tag} if tag else {}
    image: dict[str, Any] = client.put_image(imageManifest=built.manifest.decode(), **named, **where)["image"]
    return image


def test_push_through_the_api(public: Any, anybody: RegistryClient, repository: str, path: str, alias: str) -> None:
    built = builders.image(1)
    image = push(public, repository, built, "v1", registryId=alias)
    assert image == {
        "registryId": ROOT.account_id,
        "repositoryName": repository,
        "imageId": {"imageDigest": built.digest, "imageTag": "v1"},
        "imageManifest": built.manifest.decode(),
        "imageManifestMediaType": built.media_type,
    }
    anybody.require_image(path, built, "v1")
    with refused("ImageAlreadyExistsException"):
        push(public, repository, built, "v1")
    newer = builders.image(2)
    push(public, repository, newer, "v1")  # tags of public repositories always move
    anybody.require_image(path, newer, "v1")


def test_describe_images(public: Any, publisher: RegistryClient, repository: str, path: str) -> None:
    built = [builders.image(seed) for seed in range(3)]
    for number, image in enumerate(built):
        publisher.push_image(path, image, f"v{number}", f"also-{number}")
    found = public.describe_images(repositoryName=repository)["imageDetails"]
    assert [detail["imageDigest"] for detail in found] == [image.digest for image in reversed(built)]
    pushed_at = found[0].pop("imagePushedAt")
    assert found[0] == {
        "registryId": ROOT.account_id,
        "repositoryName": repository,
        "imageDigest": built[2].digest,
        "imageTags": ["v2", "also-2"],
        "imageSizeInBytes": sum(map(len, built[2].blobs.values())),
        "imageManifestMediaType": built[2].media_type,
        "artifactMediaType": "application/vnd.oci.image.config.v1+json",
    }
    assert pushed_at is not None
    walked = public.get_paginator("describe_images").paginate(repositoryName=repository, PaginationConfig={"PageSize": 1})
    assert [page["imageDetails"][0]["imageDigest"] for page in walked] == [image.digest for image in reversed(built)]
    with refused("ImageNotFoundException"):
        public.describe_images(repositoryName=repository, imageIds=[{"imageTag": "none"}])


def test_describe_image_tags(public: Any, publisher: RegistryClient, repository: str, path: str) -> None:
    built = [builders.image(seed) for seed in range(2)]
    for tag, image in (("first", 0), ("second", 1), ("third", 0), ("first", 1)):
        publisher.push_image(path, built[image], tag)
    found = public.describe_image_tags(repositoryName=repository)["imageTagDetails"]
    assert [entry["imageTag"] for entry in found] == ["first", "third", "second"]
    assert [entry["createdAt"] for entry in found] == sorted((entry["createdAt"] for entry in found), reverse=True)
    detail = found[1]["imageDetail"]
    assert detail.pop("imagePushedAt") <= found[1]["createdAt"]
    assert detail == {
        "imageDigest": built[0].digest,
        "imageSizeInBytes": sum(map(len, built[0].blobs.values())),
        "imageManifestMediaType": built[0].media_type,
        "artifactMediaType": "application/vnd.oci.image.config.v1+json",
    }
    walked = public.get_paginator("describe_image_tags").paginate(repositoryName=repository, PaginationConfig={"PageSize": 1})
    pages = list(walked)
    assert [page["imageTagDetails"][0]["imageTag"] for page in pages] == ["first", "third", "second"]
    assert "nextToken" not in pages[-1]
    with refused("InvalidParameterException", parameter("nextToken", "Invalid token")):
        public.describe_image_tags(repositoryName=repository, nextToken="x")
    with refused("RepositoryNotFoundException", no_repository("none-such")):
        public.describe_image_tags(repositoryName="none-such")


def test_delete_images(public: Any, publisher: RegistryClient, repository: str, path: str, alias: str) -> None:
    built = builders.image(1)
    publisher.push_image(path, built, "a", "b")
    where = {"registryId": alias, "repositoryName": repository}
    told = public.batch_delete_image(imageIds=[{"imageTag": "a"}, {"imageTag": "none"}], **where)
    assert told["imageIds"] == [{"imageDigest": built.digest, "imageTag": "a"}]
    assert told["failures"][0]["failureCode"] == "ImageNotFound"
    public.batch_delete_image(imageIds=[{"imageDigest": built.digest}], **where)
    assert public.describe_images(repositoryName=repository)["imageDetails"] == []


def test_what_is_missing_is_said(public: Any, repository: str) -> None:
    built = builders.image(7)
    with refused("LayersNotFoundException"):
        public.put_image(repositoryName=repository, imageManifest=built.manifest.decode(), imageTag="v1")
    with refused("ReferencedImagesNotFoundException"):
        public.put_image(repositoryName=repository, imageManifest=builders.index([built]).decode(), imageTag="v1")
    with refused("UploadNotFoundException"):
        public.complete_layer_upload(
            repositoryName=repository, uploadId="00000000-0000-4000-8000-000000000000", layerDigests=[ABSENT]
        )
    told = public.batch_check_layer_availability(repositoryName=repository, layerDigests=["nonsense", ABSENT])
    assert told["layers"][0]["layerAvailability"] == "UNAVAILABLE"
    assert told["failures"][0]["failureCode"] == "InvalidLayerDigest"


def test_registries_that_are_not(server: MoorageServer, public: Any, repository: str, account: KeyPair) -> None:
    for unknown in ("no-such-alias", "999999999999", account.account_id):
        where = {"registryId": unknown, "repositoryName": repository}
        with refused("RegistryNotFoundException", f"The registry with id '{unknown}' does not exist"):
            public.initiate_layer_upload(**where)
        with refused("RegistryNotFoundException"):
            public.batch_check_layer_availability(layerDigests=[ABSENT], **where)
    with refused("RepositoryNotFoundException", no_repository(repository, "no-such-alias")):
        public.batch_delete_image(registryId="no-such-alias", repositoryName=repository, imageIds=[{"imageTag": "x"}])
    for unknown in ("999999999999", account.account_id):
        with refused("AccessDeniedException"):
            public.describe_images(registryId=unknown, repositoryName=repository)
    with refused("InvalidParameterException"):
        public.describe_images(registryId="no-such-alias", repositoryName=repository)


def test_push_of_another_account(
    server: MoorageServer, public: Any, anybody: RegistryClient, repository: str, path: str, alias: str, stranger: KeyPair
) -> None:
    person = Person(server, stranger, allow("ecr-public:*", "sts:GetServiceBearerToken"))
    theirs = server.client("ecr-public", key=person.key)
    with refused("AccessDeniedException"):
        push(theirs, repository, builders.image(1), "theirs", registryId=alias)
    actions = [action.replace("ecr:", "ecr-public:") for action in PUSH]
    policy = document(grant({"AWS": person.arn}, *actions))
    public.set_repository_policy(repositoryName=repository, policyText=policy)
    push(theirs, repository, builders.image(1), "theirs", registryId=alias)
    with server.public_registry(key=person.key) as registry:
        registry.push_image(path, builders.image(2), "with-a-token")
    anybody.require_image(path, builders.image(2), "with-a-token")
    with refused("AccessDeniedException"):
        theirs.batch_delete_image(registryId=alias, repositoryName=repository, imageIds=[{"imageTag": "theirs"}])


def test_operations_of_ecr_alone_are_unknown(public: Any) -> None:
    own = set(public.meta.service_model.operation_names)
    assert not own & {"ListImages", "BatchGetImage", "GetDownloadUrlForLayer", "PutImageTagMutability"}
