"""PutImage, BatchGetImage, ListImages, DescribeImages, BatchDeleteImage."""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.builders import BuiltImage
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import ROOT
from tests.integration.aws.errors import parameter, refused

REGISTRY = ROOT.account_id
ABSENT = "sha256:" + "a" * 64
INDEX = "application/vnd.oci.image.index.v1+json"


def push_blobs(registry: RegistryClient, repository: str, built: BuiltImage) -> None:
    for digest, data in built.blobs.items():
        registry.push_blob(repository, data, digest)


def put(ecr: Any, repository: str, built: BuiltImage, **settings: Any) -> dict[str, Any]:
    answer: dict[str, Any] = ecr.put_image(repositoryName=repository, imageManifest=built.manifest.decode(), **settings)["image"]
    return answer


def test_put_image(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    push_blobs(registry, repository, built)
    told = put(ecr, repository, built, imageTag="v1", imageManifestMediaType=built.media_type, imageDigest=built.digest)
    assert told == {
        "registryId": REGISTRY,
        "repositoryName": repository,
        "imageId": {"imageDigest": built.digest, "imageTag": "v1"},
        "imageManifest": built.manifest.decode(),
        "imageManifestMediaType": built.media_type,
    }
    registry.require_image(repository, built, "v1")
    assert put(ecr, repository, built, imageTag="v2")["imageId"] == {"imageDigest": built.digest, "imageTag": "v2"}


def test_put_image_says_its_media_type(ecr: Any, registry: RegistryClient, repository: str) -> None:
    """On /v2/ the shape of a manifest may tell what it is; the API wants to be told."""
    built = builders.image(1)
    push_blobs(registry, repository, built)
    untold = json.dumps({name: value for name, value in json.loads(built.manifest).items() if name != "mediaType"})
    with refused("InvalidParameterException", "image manifest mediatype not provided in manifest or parameter"):
        ecr.put_image(repositoryName=repository, imageManifest=untold, imageTag="v1")
    with refused("InvalidParameterException", parameter("ImageManifest", "Invalid JSON syntax")):
        ecr.put_image(repositoryName=repository, imageManifest="no json")
    told = ecr.put_image(repositoryName=repository, imageManifest=untold, imageTag="v1", imageManifestMediaType=built.media_type)[
        "image"
    ]
    assert (told["imageManifest"], told["imageManifestMediaType"]) == (untold, built.media_type)


def test_put_image_may_say_the_media_type_of_a_docker_manifest(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1, docker=True)
    push_blobs(registry, repository, built)
    untold = json.dumps({name: value for name, value in json.loads(built.manifest).items() if name != "mediaType"})
    told = ecr.put_image(repositoryName=repository, imageManifest=untold, imageTag="v1", imageManifestMediaType=built.media_type)
    assert told["image"]["imageManifestMediaType"] == built.media_type
    pulled = registry.get(f"/v2/{repository}/manifests/v1")
    assert (pulled.body, pulled.header("content-type")) == (untold.encode(), built.media_type)
    with refused("InvalidParameterException"):  # the body's word counts over the client's
        put(ecr, repository, built, imageManifestMediaType="application/vnd.oci.image.manifest.v1+json")
    # On /v2/ nobody but the body can be believed: other registries read it by what it says of itself.
    answer = registry.put_manifest(repository, "v2", untold.encode(), built.media_type)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_put_image_again(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    push_blobs(registry, repository, built)
    assert put(ecr, repository, built)["imageId"] == {"imageDigest": built.digest}
    where = f"already exists in the repository with name '{repository}' in registry with id '{REGISTRY}'"
    with refused("ImageAlreadyExistsException", f"Image with digest '{built.digest}' and tag 'null' {where}"):
        put(ecr, repository, built)
    put(ecr, repository, built, imageTag="v1")
    with refused("ImageAlreadyExistsException", f"Image with digest '{built.digest}' and tag 'v1' {where}"):
        put(ecr, repository, built, imageTag="v1")


def test_put_image_under_an_immutable_tag(ecr: Any, registry: RegistryClient, repository: str) -> None:
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    first, second = builders.image(1), builders.image(2)
    push_blobs(registry, repository, first)
    push_blobs(registry, repository, second)
    put(ecr, repository, first, imageTag="v1")
    message = (
        f"The image tag 'v1' already exists in the '{repository}' repository and cannot be overwritten because the tag is "
        "immutable."
    )
    with refused("ImageTagAlreadyExistsException", message):
        put(ecr, repository, second, imageTag="v1")
    # The call is all or nothing: the image did not come without its tag.
    assert ecr.list_images(repositoryName=repository)["imageIds"] == [{"imageDigest": first.digest, "imageTag": "v1"}]


def test_put_image_refused(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    invalid = parameter("ImageManifest", "Invalid JSON syntax")
    for text in ("no json", "{}", "[]", json.dumps({"schemaVersion": 1, "mediaType": built.media_type})):
        with refused("InvalidParameterException", invalid):
            ecr.put_image(repositoryName=repository, imageManifest=text)
    with refused("InvalidParameterException", invalid):
        put(ecr, repository, built, imageManifestMediaType=INDEX)
    message = (
        f"The image with digest '{ABSENT}' in repository '{repository}' and registry ID '{REGISTRY}' does not match the image "
        "digest that Amazon ECR has calculated."
    )
    with refused("ImageDigestDoesNotMatchException", message):
        put(ecr, repository, built, imageDigest=ABSENT)
    with refused("InvalidParameterException", parameter("imageTag", "must satisfy regular expression '[a-zA-Z0-9-_.]+'")):
        put(ecr, repository, built, imageTag="not a tag")
    needed = (
        f"required for pushing image into repository with name '{repository}' in the registry with id '{REGISTRY}' do not exist"
    )
    with refused("LayersNotFoundException", f"Layers with digests '[{', '.join(sorted(built.blobs))}]' {needed}"):
        put(ecr, repository, built, imageTag="v1")
    listed = builders.index([built])
    with refused("ReferencedImagesNotFoundException", f"Images with digests '[{built.digest}]' {needed}"):
        ecr.put_image(repositoryName=repository, imageManifest=listed.decode(), imageTag="v1")
    with refused("InvalidParameterException"):
        ecr.put_image(repositoryName=repository, imageManifest=" " * 4_194_305)
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_batch_get_image(ecr: Any, registry: RegistryClient, repository: str) -> None:
    first, second = builders.image(1), builders.image(2)
    registry.push_image(repository, first, "v1", "v2")
    registry.push_image(repository, second)
    told = ecr.batch_get_image(
        repositoryName=repository,
        imageIds=[
            {"imageTag": "v1"},
            {"imageDigest": second.digest},
            {"imageTag": "v2", "imageDigest": first.digest},
            {"imageTag": "absent"},
            {"imageDigest": ABSENT},
            {"imageDigest": "nonsense"},
            {"imageTag": "v1", "imageDigest": second.digest},
            {},
            {"imageTag": "v1"},
        ],
        acceptedMediaTypes=["application/vnd.docker.distribution.manifest.v2+json"],
    )

    def shown(built: BuiltImage, tag: str | None) -> dict[str, Any]:
        named = {"imageDigest": built.digest} | ({"imageTag": tag} if tag else {})
        return {
            "registryId": REGISTRY, "repositoryName": repository, "imageId": named, "imageManifest": built.manifest.decode(),
            "imageManifestMediaType": built.media_type,
        }  # fmt: skip

    assert told["images"] == [shown(first, "v1"), shown(second, None), shown(first, "v2")]
    missing = ("ImageNotFound", "Requested image not found")
    assert [(entry["imageId"], entry["failureCode"], entry["failureReason"]) for entry in told["failures"]] == [
        ({"imageTag": "absent"}, *missing),
        ({"imageDigest": ABSENT}, *missing),
        (
            {"imageDigest": "nonsense"},
            "InvalidImageDigest",
            "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        ),
        (
            {"imageTag": "v1", "imageDigest": second.digest},
            "ImageTagDoesNotMatchDigest",
            "Requested image tag does not match the image digest",
        ),
        ({}, "MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"),
    ]


def test_batches_are_bounded(ecr: Any, repository: str) -> None:
    ids = [{"imageTag": f"v{number}"} for number in range(101)]
    for call in (ecr.batch_get_image, ecr.batch_delete_image):
        assert len(call(repositoryName=repository, imageIds=ids[:100])["failures"]) == 100
        with refused("InvalidParameterException", parameter("imageIds", "Member must have length less than or equal to 100")):
            call(repositoryName=repository, imageIds=ids)


@pytest.fixture
def filled(ecr: Any, registry: RegistryClient, repository: str) -> list[BuiltImage]:
    """Five images, oldest first: with three tags, none, one, none, two."""
    images = [builders.image(seed, layers=1) for seed in range(5)]
    for built, tags in zip(images, (["a", "b", "c"], [], ["d"], [], ["e", "f"]), strict=True):
        registry.push_image(repository, built, *tags)
    return images


ORDER = [(4, "e"), (4, "f"), (3, None), (2, "d"), (1, None), (0, "a"), (0, "b"), (0, "c")]


@pytest.mark.parametrize("status", ["ANY", "TAGGED", "UNTAGGED"])
def test_list_images(ecr: Any, repository: str, filled: list[BuiltImage], status: str) -> None:
    expected = [
        {"imageDigest": filled[number].digest} | ({"imageTag": tag} if tag else {})
        for number, tag in ORDER
        if status == "ANY" or (tag is not None) == (status == "TAGGED")
    ]
    chosen: dict[str, Any] = {"repositoryName": repository, "filter": {"tagStatus": status}}
    for size in range(1, len(expected) + 2):
        pages = list(ecr.get_paginator("list_images").paginate(**chosen, PaginationConfig={"PageSize": size}))
        assert [entry for page in pages for entry in page["imageIds"]] == expected
        assert all(len(page["imageIds"]) == size for page in pages[:-1])
        assert "nextToken" not in pages[-1]
    if status == "ANY":
        assert ecr.list_images(repositoryName=repository)["imageIds"] == expected


@pytest.mark.parametrize("status", ["ANY", "TAGGED", "UNTAGGED"])
def test_describe_images(ecr: Any, repository: str, filled: list[BuiltImage], status: str) -> None:
    tags: dict[int, list[str]] = {}
    for number, tag in ORDER:
        tags.setdefault(number, []).extend([tag] if tag else [])
    expected = [
        (filled[number].digest, tags[number]) for number in tags if status == "ANY" or bool(tags[number]) == (status == "TAGGED")
    ]
    chosen: dict[str, Any] = {"repositoryName": repository, "filter": {"tagStatus": status}}
    for size in range(1, len(expected) + 2):
        pages = list(ecr.get_paginator("describe_images").paginate(**chosen, PaginationConfig={"PageSize": size}))
        found = [entry for page in pages for entry in page["imageDetails"]]
        assert [(entry["imageDigest"], entry.get("imageTags", [])) for entry in found] == expected
        assert all(len(page["imageDetails"]) == size for page in pages[:-1])
        assert "nextToken" not in pages[-1]


def test_details(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1, layers=2)
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    registry.push_image(repository, built, "v1", "v2")
    (told,) = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert before <= told.pop("imagePushedAt") <= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    assert told == {
        "registryId": REGISTRY,
        "repositoryName": repository,
        "imageDigest": built.digest,
        "imageTags": ["v1", "v2"],
        "imageSizeInBytes": sum(len(data) for data in built.blobs.values()),
        "imageManifestMediaType": built.media_type,
        "artifactMediaType": "application/vnd.oci.image.config.v1+json",
        "imageStatus": "ACTIVE",
    }


def test_details_of_an_index_and_of_an_artifact(ecr: Any, registry: RegistryClient, repository: str) -> None:
    child = builders.image(1)
    registry.push_image(repository, child)
    listed = builders.index([child])
    registry.put_manifest(repository, "multi", listed, INDEX)
    subject = {"mediaType": child.media_type, "digest": child.digest, "size": len(child.manifest)}
    artifact = builders.image(2, artifactType="application/x-thing", subject=subject)
    registry.push_image(repository, artifact)
    index, about = (
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])["imageDetails"][0]
        for digest in (builders.digest(listed), artifact.digest)
    )
    assert (index["imageManifestMediaType"], index["imageTags"]) == (INDEX, ["multi"])
    assert "artifactMediaType" not in index
    assert (about["artifactMediaType"], about["subjectManifestDigest"]) == ("application/x-thing", child.digest)


def test_describe_named_images(ecr: Any, repository: str, filled: list[BuiltImage]) -> None:
    wanted = [{"imageDigest": filled[3].digest}, {"imageTag": "a"}, {"imageDigest": filled[0].digest}]
    told = ecr.describe_images(repositoryName=repository, imageIds=wanted)
    assert [entry["imageDigest"] for entry in told["imageDetails"]] == [filled[3].digest, filled[0].digest]
    where = f"does not exist within the repository with name '{repository}' in the registry with id '{REGISTRY}'"
    with refused("ImageNotFoundException", f"The image with imageId {{imageDigest:'null', imageTag:'zz'}} {where}"):
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": "a"}, {"imageTag": "zz"}])
    with refused("ImageNotFoundException", f"The image with imageId {{imageDigest:'{ABSENT}', imageTag:'null'}} {where}"):
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": ABSENT}])
    with refused("InvalidParameterException"):
        ecr.describe_images(repositoryName=repository, imageIds=wanted, maxResults=5)


def test_last_pull_is_recorded(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    assert registry.head(f"/v2/{repository}/manifests/v1").status == 200

    def pulled_at() -> dt.datetime | None:
        found: dt.datetime | None = ecr.describe_images(repositoryName=repository)["imageDetails"][0].get("lastRecordedPullTime")
        return found

    assert pulled_at() is None
    registry.get(f"/v2/{repository}/manifests/v1")
    deadline = time.monotonic() + 20
    while (at := pulled_at()) is None:  # recorded within a second or so
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert abs(dt.datetime.now(dt.UTC) - at) < dt.timedelta(seconds=30)


def test_batch_delete_image(ecr: Any, registry: RegistryClient, repository: str) -> None:
    images = [builders.image(seed, layers=1) for seed in range(3)]
    registry.push_image(repository, images[0], "a", "b")
    registry.push_image(repository, images[1], "c")
    registry.push_image(repository, images[2], "d", "e")
    told = ecr.batch_delete_image(
        repositoryName=repository,
        imageIds=[{"imageTag": "a"}, {"imageTag": "c"}, {"imageDigest": images[2].digest}, {"imageTag": "zz"}, {}],
    )
    assert told["imageIds"] == [
        {"imageDigest": images[0].digest, "imageTag": "a"},
        {"imageDigest": images[1].digest, "imageTag": "c"},
        {"imageDigest": images[2].digest, "imageTag": "d"},
        {"imageDigest": images[2].digest, "imageTag": "e"},
    ]
    assert [entry["failureCode"] for entry in told["failures"]] == ["ImageNotFound", "MissingDigestAndTag"]
    # The last tag takes the image along.
    assert ecr.list_images(repositoryName=repository)["imageIds"] == [{"imageDigest": images[0].digest, "imageTag": "b"}]
    assert registry.get(f"/v2/{repository}/manifests/{images[1].digest}").status == 404
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "b"}])
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []
    again = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": images[0].digest}])
    assert (again["imageIds"], [entry["failureCode"] for entry in again["failures"]]) == ([], ["ImageNotFound"])


def test_all_tags_of_an_image_in_one_batch(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "a", "b")
    told = ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "a"}, {"imageTag": "b"}])
    assert told["failures"] == []
    assert told["imageIds"] == [{"imageDigest": built.digest, "imageTag": tag} for tag in ("a", "b")]
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_an_index_and_its_children(ecr: Any, registry: RegistryClient, repository: str) -> None:
    children = [builders.image(seed) for seed in range(2)]
    for child in children:
        registry.push_image(repository, child)
    listed = builders.index(children)
    registry.put_manifest(repository, "multi", listed, INDEX)
    ids = [{"imageDigest": child.digest} for child in children]
    told = ecr.batch_delete_image(repositoryName=repository, imageIds=ids)
    assert told["imageIds"] == []
    assert [(entry["failureCode"], entry["failureReason"]) for entry in told["failures"]] == [
        ("ImageReferencedByManifestList", f"Requested image referenced by manifest list: [{builders.digest(listed)}]")
    ] * 2
    told = ecr.batch_delete_image(repositoryName=repository, imageIds=[*ids, {"imageTag": "multi"}])
    assert told["failures"] == []
    assert len(told["imageIds"]) == 3
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_tags_that_none_can_be(ecr: Any, repository: str) -> None:
    reason = "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9-_.]+'"
    for call in (ecr.batch_get_image, ecr.batch_delete_image):
        failures = call(repositoryName=repository, imageIds=[{"imageTag": "no tag"}, {"imageTag": "a" * 300}])["failures"]
        assert [(each["imageId"]["imageTag"][:6], each["failureCode"]) for each in failures] == [
            ("no tag", "InvalidImageTag"),
            ("aaaaaa", "ImageNotFound"),
        ]
        assert failures[0]["failureReason"] == reason


def test_accepted_media_types_convert_nothing(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1, docker=True)
    registry.push_image(repository, built, "v1")
    for accepted in ([built.media_type], [INDEX]):
        (found,) = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}], acceptedMediaTypes=accepted)[
            "images"
        ]
        assert (found["imageManifest"].encode(), found["imageManifestMediaType"]) == (built.manifest, built.media_type)
