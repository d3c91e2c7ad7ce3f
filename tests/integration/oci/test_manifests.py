"""Manifests: exact bytes, kinds, tags, immutability, deletion, headers."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.builders import BuiltImage
from moorage.testing.registry_client import Answer, RegistryClient

INDEX = "application/vnd.oci.image.index.v1+json"
OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
EMPTY = b"{}"


def tags_of(registry: RegistryClient, repository: str) -> list[str]:
    found: list[str] = registry.get(f"/v2/{repository}/tags/list").json()["tags"]
    return found


def require_manifest(answer: Answer, data: bytes, media_type: str) -> None:
    digest = builders.digest(data)
    assert (answer.status, answer.body) == (200, data)
    assert answer.header("Content-Type") == media_type
    assert answer.header("Docker-Content-Digest") == digest
    assert answer.header("ETag") == f'"{digest}"'
    assert answer.header("Content-Length") == str(len(data))
    assert answer.header("Docker-Distribution-Api-Version") == "registry/2.0"


def test_put_get_head(registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built)
    answer = registry.put_manifest(repository, "v1", built.manifest, built.media_type)
    assert (answer.status, answer.body) == (201, b"")
    assert answer.header("Location") == f"/v2/{repository}/manifests/{built.digest}"
    assert answer.header("Docker-Content-Digest") == built.digest
    assert "OCI-Subject" not in answer.headers
    by_tag, by_digest = registry.get(f"/v2/{repository}/manifests/v1"), registry.get(f"/v2/{repository}/manifests/{built.digest}")
    for got, reference in ((by_tag, "v1"), (by_digest, built.digest)):
        require_manifest(got, built.manifest, OCI)
        head = registry.head(f"/v2/{repository}/manifests/{reference}")
        assert (head.status, head.body) == (200, b"")
        of_one = {"date", "x-request-id"}
        assert [(k, v) for k, v in head.headers.items() if k.lower() not in of_one] == [
            (k, v) for k, v in got.headers.items() if k.lower() not in of_one
        ]
    assert by_tag.header("Cache-Control") == "no-store"
    assert "max-age=31536000" in by_digest.header("Cache-Control")


def test_not_modified(registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    for reference in ("v1", built.digest):
        path = f"/v2/{repository}/manifests/{reference}"
        for given in (f'"{built.digest}"', f'W/"{built.digest}"', "*"):
            answer = registry.get(path, If_None_Match=given)
            assert (answer.status, answer.body, answer.header("ETag")) == (304, b"", f'"{built.digest}"')
        assert registry.get(path, If_None_Match='"sha256:other"').status == 200


def test_accept_does_not_matter(registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    for accept in (DOCKER, INDEX, "text/html", "*/*"):
        require_manifest(registry.get(f"/v2/{repository}/manifests/v1", Accept=accept), built.manifest, OCI)


def _push(registry: RegistryClient, repository: str, document: dict[str, Any], media_type: str | None, tag: str = "v1") -> bytes:
    data = json.dumps(document).encode()
    answer = registry.put_manifest(repository, tag, data, media_type)
    assert answer.status == 201, answer.body
    return data


@pytest.fixture
def empty(registry: RegistryClient, repository: str) -> dict[str, Any]:
    """The descriptor of the empty config, which the repository holds."""
    registry.push_blob(repository, EMPTY)
    return {"mediaType": "application/vnd.oci.empty.v1+json", "digest": builders.digest(EMPTY), "size": 2}


def test_kinds(registry: RegistryClient, repository: str, empty: dict[str, Any]) -> None:
    artifact = {"schemaVersion": 2, "mediaType": OCI, "artifactType": "application/x-thing", "config": empty, "layers": [empty]}
    data = _push(registry, repository, artifact, OCI)
    require_manifest(registry.get(f"/v2/{repository}/manifests/v1"), data, OCI)
    data = _push(registry, repository, artifact | {"layers": []}, OCI)
    require_manifest(registry.get(f"/v2/{repository}/manifests/v1"), data, OCI)
    helm = artifact | {"config": empty | {"mediaType": "application/vnd.cncf.helm.config.v1+json"}}
    data = _push(registry, repository, helm, OCI)
    require_manifest(registry.get(f"/v2/{repository}/manifests/v1"), data, OCI)
    data = _push(registry, repository, {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}, INDEX)
    require_manifest(registry.get(f"/v2/{repository}/manifests/v1"), data, INDEX)
    docker = builders.image(5, docker=True)
    registry.push_image(repository, docker, "docker")
    require_manifest(registry.get(f"/v2/{repository}/manifests/docker"), docker.manifest, DOCKER)
    listed = builders.index([docker], docker=True)
    assert registry.put_manifest(repository, "list", listed, DOCKER_LIST).status == 201
    require_manifest(registry.get(f"/v2/{repository}/manifests/list"), listed, DOCKER_LIST)


@pytest.mark.parametrize("declared", [None, OCI, f"{OCI}; charset=utf-8", "application/json", "application/octet-stream"])
def test_declared_type(registry: RegistryClient, repository: str, empty: dict[str, Any], declared: str | None) -> None:
    untyped = {"schemaVersion": 2, "config": empty, "layers": []}
    data = _push(registry, repository, untyped, declared)
    require_manifest(registry.get(f"/v2/{repository}/manifests/v1"), data, OCI)
    data = _push(registry, repository, untyped | {"mediaType": OCI}, declared)
    require_manifest(registry.get(f"/v2/{repository}/manifests/v1"), data, OCI)


def test_untyped_index(registry: RegistryClient, repository: str) -> None:
    data = _push(registry, repository, {"schemaVersion": 2, "manifests": []}, None)
    require_manifest(registry.get(f"/v2/{repository}/manifests/v1"), data, INDEX)


def test_unknown_members_and_spaces_come_back(registry: RegistryClient, repository: str, empty: dict[str, Any]) -> None:
    text = json.dumps(
        {"schemaVersion": 2, "mediaType": OCI, "config": empty, "layers": [], "x-future": {"ä": [1, None]}}, indent=3
    )
    data = f"\n  {text}\r\n\n".encode()
    assert registry.put_manifest(repository, "v1", data, OCI).status == 201
    require_manifest(registry.get(f"/v2/{repository}/manifests/v1"), data, OCI)


def test_foreign_layers_are_not_needed(registry: RegistryClient, repository: str, empty: dict[str, Any]) -> None:
    absent = {"digest": "sha256:" + "d" * 64, "size": 9, "urls": ["https://example.com/layer"]}
    for kind in (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    ):
        layer = absent | {"mediaType": kind}
        _push(registry, repository, {"schemaVersion": 2, "mediaType": OCI, "config": empty, "layers": [layer]}, OCI)


def test_sha512(registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built)
    digest = builders.digest(built.manifest, "sha512")
    answer = registry.put_manifest(repository, f"{digest}?tag=v512", built.manifest, OCI)
    assert (answer.status, answer.header("Docker-Content-Digest")) == (201, digest)
    assert answer.header("ETag") == f'"{digest}"'
    assert answer.header("OCI-Tag") == "v512"
    for reference in (digest, "v512"):
        got = registry.get(f"/v2/{repository}/manifests/{reference}")
        assert (got.status, got.body, got.header("Docker-Content-Digest")) == (200, built.manifest, digest)


def test_nested_index(registry: RegistryClient, repository: str) -> None:
    children = [builders.image(seed) for seed in range(3)]
    for child in children:
        registry.push_image(repository, child)
    inner = builders.index(children)
    assert registry.put_manifest(repository, builders.digest(inner), inner, INDEX).status == 201
    outer = builders.index([BuiltImage(inner, INDEX, {}, "")])
    assert registry.put_manifest(repository, "all", outer, INDEX).status == 201
    assert registry.delete(f"/v2/{repository}/manifests/{builders.digest(inner)}").status == 405
    assert tags_of(registry, repository) == ["all"]


# Tags.


def test_push_by_digest_sets_no_tag(registry: RegistryClient, repository: str) -> None:
    registry.push_image(repository, builders.image(1))
    assert tags_of(registry, repository) == []


def test_tags_of_the_query(registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built)
    names = [f"t{number:02}" for number in range(15)]
    query = "&".join(f"tag={name}" for name in names)
    answer = registry.put_manifest(repository, f"{built.digest}?{query}", built.manifest, OCI)
    assert answer.status == 201
    assert answer.headers.get_all("OCI-Tag") == names
    assert tags_of(registry, repository) == names
    refused = registry.put_manifest(repository, f"{built.digest}?tag=good&tag=.bad", built.manifest, OCI)
    assert (refused.status, refused.code) == (400, "TAG_INVALID")
    assert "good" not in tags_of(registry, repository)


def test_a_tag_moves(registry: RegistryClient, repository: str) -> None:
    first, second = builders.image(1), builders.image(2)
    registry.push_image(repository, first, "v1")
    registry.push_image(repository, second, "v1")
    registry.require_image(repository, second, "v1")
    registry.require_image(repository, first)
    registry.push_image(repository, first, "v1")
    registry.require_image(repository, first, "v1")


@pytest.mark.parametrize(
    ("mode", "filters", "movable"),
    [
        ("MUTABLE", None, {"latest", "v1"}),
        ("IMMUTABLE", None, set()),
        ("IMMUTABLE_WITH_EXCLUSION", ["latest", "dev-*"], {"latest", "dev-1"}),
        ("MUTABLE_WITH_EXCLUSION", ["v*"], {"latest", "dev-1"}),
    ],
)
def test_mutability(
    registry: RegistryClient, repository: str, ecr: Any, mode: str, filters: list[str] | None, movable: set[str]
) -> None:
    chosen = {} if filters is None else {
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": pattern} for pattern in filters]
    }  # fmt: skip
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability=mode, **chosen)
    first, second = builders.image(1), builders.image(2)
    names = sorted({"latest", "v1", "dev-1"} if filters else {"latest", "v1"})
    registry.push_image(repository, first, *names)
    registry.push_image(repository, second)
    for name in names:
        again = registry.put_manifest(repository, name, first.manifest, OCI)
        assert again.status == 201, "the same image under the same tag is no change"
        moved = registry.put_manifest(repository, name, second.manifest, OCI)
        assert moved.status == (201 if name in movable else 400)
        registry.require_image(repository, second if name in movable else first, name)


def test_an_immutable_tag_can_be_deleted_and_set_again(registry: RegistryClient, repository: str, ecr: Any) -> None:
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    registry.push_image(repository, builders.image(1), "v1")
    assert registry.delete(f"/v2/{repository}/manifests/v1").status == 202
    registry.push_image(repository, builders.image(2), "v1")
    registry.require_image(repository, builders.image(2), "v1")


def test_one_of_many_sets_an_immutable_tag(registry: RegistryClient, repository: str, ecr: Any) -> None:
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    images = [builders.image(seed) for seed in range(6)]
    for built in images:
        registry.push_image(repository, built)
    barrier = threading.Barrier(len(images))

    def put(built: BuiltImage) -> int:
        with registry.other(registry.password) as own:
            barrier.wait()
            return own.put_manifest(repository, "v1", built.manifest, OCI).status

    with ThreadPoolExecutor(len(images)) as threads:
        statuses = list(threads.map(put, images))
    assert sorted(statuses) == [201, 400, 400, 400, 400, 400]
    registry.require_image(repository, images[statuses.index(201)], "v1")


# Deletion.


def test_a_push_after_its_repository_was_created_again(registry: RegistryClient, repository: str, ecr: Any) -> None:
    """What is remembered of the one that is gone seals nothing for the other."""
    built = builders.image(1)
    for _ in range(3):
        registry.push_image(repository, built, "v1")
        registry.require_image(repository, built, "v1")
        ecr.delete_repository(repositoryName=repository, force=True)
        assert registry.put_manifest(repository, "v1", built.manifest, built.media_type).code == "NAME_UNKNOWN"
        ecr.create_repository(repositoryName=repository)


def test_delete_by_tag_takes_the_tag_alone(registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "v1", "v2")
    answer = registry.delete(f"/v2/{repository}/manifests/v1")
    assert (answer.status, answer.body) == (202, b"")
    assert tags_of(registry, repository) == ["v2"]
    assert registry.delete(f"/v2/{repository}/manifests/v2").status == 202
    assert tags_of(registry, repository) == []
    registry.require_image(repository, built)
    again = registry.delete(f"/v2/{repository}/manifests/v1")
    assert (again.status, again.code) == (404, "MANIFEST_UNKNOWN")


def test_delete_by_digest_takes_all_tags(registry: RegistryClient, repository: str) -> None:
    built, other = builders.image(1), builders.image(2)
    registry.push_image(repository, built, "v1", "v2")
    registry.push_image(repository, other, "v3")
    assert registry.delete(f"/v2/{repository}/manifests/{built.digest}").status == 202
    assert tags_of(registry, repository) == ["v3"]
    for reference in (built.digest, "v1", "v2"):
        assert registry.get(f"/v2/{repository}/manifests/{reference}").code == "MANIFEST_UNKNOWN"
    assert registry.delete(f"/v2/{repository}/manifests/{built.digest}").code == "MANIFEST_UNKNOWN"
    # Its blobs are there for the grace, so that a push that was told "exists" is not betrayed.
    registry.push_image(repository, built, "back")
    registry.require_image(repository, built, "back")


def test_blobs_can_be_deleted_after_their_image(registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    assert registry.delete(f"/v2/{repository}/blobs/{built.config}").status == 405
    registry.delete(f"/v2/{repository}/manifests/{built.digest}")
    assert registry.delete(f"/v2/{repository}/blobs/{built.config}").status == 202
    refused = registry.put_manifest(repository, "v1", built.manifest, OCI)
    assert (refused.status, refused.code) == (400, "MANIFEST_BLOB_UNKNOWN")


def test_image_whose_blob_is_deleted_meanwhile(registry: RegistryClient, repository: str) -> None:
    """Either the delete is refused or the push is: never an image without its bytes."""
    for seed in range(12):
        built = builders.image(seed, layers=1)
        for digest, data in built.blobs.items():
            registry.push_blob(repository, data, digest)
        barrier = threading.Barrier(2)

        def put(built: BuiltImage = built, barrier: threading.Barrier = barrier) -> int:
            with registry.other(registry.password) as own:
                barrier.wait()
                return own.put_manifest(repository, "race", built.manifest, OCI).status

        def delete(built: BuiltImage = built, barrier: threading.Barrier = barrier) -> int:
            with registry.other(registry.password) as own:
                barrier.wait()
                return own.delete(f"/v2/{repository}/blobs/{built.config}").status

        with ThreadPoolExecutor(2) as threads:
            pushed, deleted = threads.submit(put), threads.submit(delete)
        assert (pushed.result(), deleted.result()) in {(201, 405), (400, 202)}
        if pushed.result() == 201:
            registry.require_image(repository, built, "race")
