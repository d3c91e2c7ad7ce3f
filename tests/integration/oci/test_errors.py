"""Every error of /v2/: status, code and the exact text that clients print."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import Answer, RegistryClient
from moorage.testing.server import ROOT, MoorageServer

ABSENT = "sha256:" + "a" * 64
NAME_PATTERN = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
TAG_PATTERN = "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"
REGISTRY = ROOT.account_id
NO_UPLOAD = "00000000-0000-4000-8000-000000000000"


def require(answer: Answer, status: int, code: str, message: str) -> None:
    assert (answer.status, answer.code, answer.message) == (status, code, message)
    assert answer.header("Content-Type") == "application/json; charset=utf-8"
    assert answer.header("Docker-Distribution-Api-Version") == "registry/2.0"
    assert answer.header("Content-Length") == str(len(answer.body))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "tags/list"),
        ("GET", "manifests/latest"),
        ("GET", f"manifests/{ABSENT}"),
        ("PUT", "manifests/latest"),
        ("DELETE", "manifests/latest"),
        ("DELETE", f"manifests/{ABSENT}"),
        ("GET", f"blobs/{ABSENT}"),
        ("DELETE", f"blobs/{ABSENT}"),
        ("POST", "blobs/uploads/"),
        ("POST", f"blobs/uploads/?mount={ABSENT}&from=elsewhere"),
        ("GET", f"blobs/uploads/{NO_UPLOAD}"),
        ("PATCH", f"blobs/uploads/{NO_UPLOAD}"),
        ("PUT", f"blobs/uploads/{NO_UPLOAD}?digest={ABSENT}"),
        ("DELETE", f"blobs/uploads/{NO_UPLOAD}"),
        ("GET", f"referrers/{ABSENT}"),
    ],
)
def test_repository_missing(registry: RegistryClient, method: str, path: str) -> None:
    body = builders.image().manifest if method == "PUT" and "manifests" in path else None
    answer = registry.request(method, f"/v2/no/such-repo/{path}", body)
    message = f"The repository with name 'no/such-repo' does not exist in the registry with id '{REGISTRY}'"
    require(answer, 404, "NAME_UNKNOWN", message)


def test_single_post_to_a_missing_repository(registry: RegistryClient) -> None:
    answer = registry.request("POST", f"/v2/no/such-repo/blobs/uploads/?digest={builders.digest(b'x')}", b"x")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize("reference", ["latest", ABSENT, "sha512:" + "b" * 128])
def test_manifest_missing(registry: RegistryClient, repository: str, reference: str) -> None:
    path = f"/v2/{repository}/manifests/{reference}"
    for method in ("GET", "DELETE"):
        require(registry.request(method, path), 404, "MANIFEST_UNKNOWN", "Requested image not found")
    head = registry.head(path)
    assert (head.status, head.body) == (404, b"")


def test_blob_missing(registry: RegistryClient, repository: str) -> None:
    path = f"/v2/{repository}/blobs/{ABSENT}"
    for method in ("GET", "DELETE"):
        require(registry.request(method, path), 404, "BLOB_UNKNOWN", "blob unknown to registry")
    head = registry.head(path)
    assert (head.status, head.body) == (404, b"")


@pytest.mark.parametrize("upload", [NO_UPLOAD, "not-a-uuid", "x" * 300])
def test_upload_missing(registry: RegistryClient, repository: str, upload: str) -> None:
    message = (
        f"Upload with id '{upload}' could not be found for the repository with name '{repository}' "
        f"in the registry with id '{REGISTRY}'"
    )
    for method, query, body in (("GET", "", None), ("PATCH", "", b"x"), ("PUT", f"?digest={ABSENT}", b""), ("DELETE", "", None)):
        answer = registry.request(method, f"/v2/{repository}/blobs/uploads/{upload}{query}", body)
        require(answer, 404, "BLOB_UPLOAD_UNKNOWN", message)


def test_upload_of_another_repository(registry: RegistryClient, repository: str, second_repository: str) -> None:
    upload = registry.start_upload(repository).rpartition("/")[2]
    for method, query in (("GET", ""), ("PATCH", ""), ("PUT", f"?digest={ABSENT}"), ("DELETE", "")):
        answer = registry.request(
            method, f"/v2/{second_repository}/blobs/uploads/{upload}{query}", b"x" if method == "PATCH" else b""
        )
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert registry.get(f"/v2/{repository}/blobs/uploads/{upload}").status == 204


def test_immutable_tag(registry: RegistryClient, repository: str, ecr: Any) -> None:
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    first, second = builders.image(1), builders.image(2)
    registry.push_image(repository, first, "v1")
    registry.push_image(repository, second)
    message = (
        f"The image tag 'v1' already exists in the '{repository}' repository and cannot be overwritten because the tag is "
        "immutable."
    )
    require(registry.put_manifest(repository, "v1", second.manifest, second.media_type), 400, "TAG_INVALID", message)
    assert registry.put_manifest(repository, "v1", first.manifest, first.media_type).status == 201
    by_query = registry.put_manifest(repository, f"{second.digest}?tag=v2&tag=v1", second.manifest, second.media_type)
    require(by_query, 400, "TAG_INVALID", message)
    assert registry.get(f"/v2/{repository}/tags/list").json()["tags"] == ["v1"]
    registry.require_image(repository, first, "v1")


OCI = "application/vnd.oci.image.manifest.v1+json"
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": ABSENT, "size": 2}
VALID = {"schemaVersion": 2, "mediaType": OCI, "config": CONFIG, "layers": []}


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"", OCI),
        (b"no json", OCI),
        (b"[]", OCI),
        (b"\xff\xfe", OCI),
        (b'{"schemaVersion":2', OCI),
        (json.dumps(VALID | {"schemaVersion": 1}).encode(), OCI),
        (json.dumps(VALID | {"schemaVersion": "2"}).encode(), OCI),
        (json.dumps(VALID | {"layers": {}}).encode(), OCI),
        (json.dumps(VALID | {"layers": [{"digest": "x"}]}).encode(), OCI),
        (json.dumps(VALID | {"config": CONFIG | {"size": -1}}).encode(), OCI),
        (json.dumps(VALID | {"config": CONFIG | {"digest": "md5:" + "a" * 32}}).encode(), OCI),
        (json.dumps({name: VALID[name] for name in VALID if name != "config"}).encode(), OCI),
        (json.dumps(VALID | {"subject": {"mediaType": OCI, "digest": "nonsense", "size": 1}}).encode(), OCI),
        (json.dumps(VALID | {"manifests": []}).encode(), OCI),
        (json.dumps(VALID).encode(), "application/vnd.oci.image.index.v1+json"),
        (json.dumps(VALID).encode(), "application/vnd.docker.distribution.manifest.v2+json"),
        (json.dumps(VALID | {"mediaType": "text/plain"}).encode(), "text/plain"),
        (json.dumps({"schemaVersion": 1, "fsLayers": []}).encode(), "application/vnd.docker.distribution.manifest.v1+prettyjws"),
        (json.dumps(VALID | {"mediaType": "application/vnd.oci.artifact.manifest.v1+json"}).encode(), None),
        (b"[" * 100_000, OCI),
        (b'{"schemaVersion":2,"annotations":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, OCI),
    ],
)
def test_manifest_invalid(registry: RegistryClient, repository: str, content: bytes, media_type: str | None) -> None:
    answer = registry.put_manifest(repository, "bad", content, media_type)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    assert answer.message == "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"
    (told,) = answer.json()["errors"]
    assert told["detail"]["reason"]
    assert registry.get(f"/v2/{repository}/tags/list").json()["tags"] == []


def test_digest_of_the_url_is_not_the_contents(registry: RegistryClient, repository: str) -> None:
    built = builders.image()
    registry.push_image(repository, built)
    answer = registry.put_manifest(repository, ABSENT, built.manifest, built.media_type)
    message = (
        f"The image with digest '{ABSENT}' in repository '{repository}' and registry ID '{REGISTRY}' does not match the image "
        "digest that Amazon ECR has calculated."
    )
    require(answer, 400, "DIGEST_INVALID", message)


def test_layers_missing(registry: RegistryClient, repository: str) -> None:
    built = builders.image(7, layers=3)
    registry.push_blob(repository, built.blobs[built.layers[1]])
    answer = registry.put_manifest(repository, "v1", built.manifest, built.media_type)
    missing = sorted(set(built.blobs) - {built.layers[1]})
    message = (
        f"Layers with digests '[{', '.join(missing)}]' required for pushing image into repository with name '{repository}' "
        f"in the registry with id '{REGISTRY}' do not exist"
    )
    require(answer, 400, "MANIFEST_BLOB_UNKNOWN", message)
    assert [error["detail"]["digest"] for error in answer.errors] == missing


def test_children_missing(registry: RegistryClient, repository: str) -> None:
    children = [builders.image(1), builders.image(2)]
    registry.push_image(repository, children[0])
    answer = registry.put_manifest(repository, "v1", builders.index(children), "application/vnd.oci.image.index.v1+json")
    message = (
        f"Images with digests '[{children[1].digest}]' required for pushing image into repository with name '{repository}' "
        f"in the registry with id '{REGISTRY}' do not exist"
    )
    require(answer, 400, "MANIFEST_BLOB_UNKNOWN", message)
    assert [error["detail"]["digest"] for error in answer.errors] == [children[1].digest]


def test_child_of_an_index_cannot_be_deleted(registry: RegistryClient, repository: str) -> None:
    child = builders.image(1)
    registry.push_image(repository, child, "child")
    index = builders.index([child])
    registry.put_manifest(repository, "multi", index, "application/vnd.oci.image.index.v1+json")
    answer = registry.delete(f"/v2/{repository}/manifests/{child.digest}")
    require(answer, 405, "UNSUPPORTED", f"Requested image referenced by manifest list: [{builders.digest(index)}]")
    assert registry.get(f"/v2/{repository}/tags/list").json()["tags"] == ["child", "multi"]
    assert registry.delete(f"/v2/{repository}/manifests/{builders.digest(index)}").status == 202
    assert registry.delete(f"/v2/{repository}/manifests/{child.digest}").status == 202


@pytest.mark.parametrize(
    "name",
    ["UPPER", "a--B", "-a", "a-", "a//b", "a/./b", "a/../b", "a___b", "a..b", "%C3%A4x", "a%20b", "a%2F%2Fb", "a" * 257, "a"],
)
@pytest.mark.parametrize("path", ["tags/list", "manifests/latest", f"blobs/{ABSENT}"])
def test_bad_name(registry: RegistryClient, name: str, path: str) -> None:
    answer = registry.get(f"/v2/{name}/{path}")
    reason = (
        f"must satisfy regular expression '{NAME_PATTERN}'"
        if 2 <= len(name) <= 256
        else "a repository name has 2 to 256 characters"
    )
    require(answer, 400, "NAME_INVALID", f"Invalid parameter at 'repositoryName' failed to satisfy constraint: '{reason}'")


@pytest.mark.parametrize("tag", [".dot", "-dash", "with%20space", "a" * 129, "%C3%A4", "a+b", "a%25b"])
def test_bad_tag(registry: RegistryClient, repository: str, tag: str) -> None:
    built = builders.image()
    registry.push_image(repository, built)
    path = f"/v2/{repository}/manifests/{tag}"
    answer = registry.put_manifest(repository, tag, built.manifest, built.media_type)
    pattern = "must satisfy regular expression '[a-zA-Z0-9-_.]+'"
    require(answer, 400, "TAG_INVALID", f"Invalid parameter at 'imageTag' failed to satisfy constraint: '{pattern}'")
    (told,) = answer.json()["errors"]
    assert told["detail"] == {"reason": f"must satisfy regular expression '{TAG_PATTERN}'"}
    require(registry.get(path), 404, "MANIFEST_UNKNOWN", "Requested image not found")
    assert registry.head(path).status == 404


@pytest.mark.parametrize(
    "digest",
    ["sha256:" + "a" * 63, "sha256:" + "A" * 64, "sha256:" + "g" * 64, "md5:" + "a" * 32, "sha512:" + "a" * 64, "sha256:"],
)
def test_bad_digest(registry: RegistryClient, repository: str, digest: str) -> None:
    message = f"'{digest}' is not a digest of sha256 or sha512"
    for method, path in (
        ("GET", f"blobs/{digest}"),
        ("DELETE", f"blobs/{digest}"),
        ("GET", f"manifests/{digest}"),
        ("GET", f"referrers/{digest}"),
        ("POST", f"blobs/uploads/?mount={digest}"),
        ("POST", f"blobs/uploads/?digest={digest}"),
    ):
        require(
            registry.request(method, f"/v2/{repository}/{path}", b"" if method == "POST" else None),
            400,
            "DIGEST_INVALID",
            message,
        )
    location = registry.start_upload(repository)
    require(registry.request("PUT", f"{location}?digest={digest}", b"x"), 400, "DIGEST_INVALID", message)
    require(registry.request("PUT", location, b"x"), 400, "DIGEST_INVALID", "'' is not a digest of sha256 or sha512")


def test_digest_mismatch_of_a_blob(registry: RegistryClient, repository: str) -> None:
    content = b"not what was said"
    message = f"the content has digest {builders.digest(content)}, not {ABSENT}: upload it again"
    require(registry.request("POST", f"/v2/{repository}/blobs/uploads/?digest={ABSENT}", content), 400, "DIGEST_INVALID", message)
    location = registry.start_upload(repository)
    require(registry.request("PUT", f"{location}?digest={ABSENT}", content), 400, "DIGEST_INVALID", message)
    assert registry.head(f"/v2/{repository}/blobs/{ABSENT}").status == 404
    assert registry.head(f"/v2/{repository}/blobs/{builders.digest(content)}").status == 404


def test_manifest_too_large(registry: RegistryClient, repository: str) -> None:
    message = (
        "Invalid parameter at 'ImageManifest' failed to satisfy constraint: "
        "'Member must have length less than or equal to 4194304'"
    )
    require(registry.put_manifest(repository, "big", b" " * 4_194_305, OCI), 413, "MANIFEST_INVALID", message)


def test_manifest_of_exactly_4_mib(registry: RegistryClient, repository: str) -> None:
    config = b"{}"
    registry.push_blob(repository, config)
    document = VALID | {"config": CONFIG | {"digest": builders.digest(config)}, "annotations": {"a": ""}}
    document["annotations"] = {"a": "x" * (4_194_304 - len(json.dumps(document)))}
    data = json.dumps(document).encode()
    assert len(data) == 4_194_304
    assert registry.put_manifest(repository, "big", data, OCI).status == 201
    assert registry.get(f"/v2/{repository}/manifests/big").body == data


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "manifests/latest", "DELETE, GET, HEAD, PUT"),
        ("PUT", f"blobs/{ABSENT}", "DELETE, GET, HEAD"),
        ("DELETE", "tags/list", "GET"),
        ("GET", "blobs/uploads/", "POST"),
        ("POST", f"referrers/{ABSENT}", "GET"),
        ("POST", "blobs/uploads/x", "DELETE, GET, PATCH, PUT"),
    ],
)
def test_method_not_offered(registry: RegistryClient, repository: str, method: str, path: str, allowed: str) -> None:
    answer = registry.request(method, f"/v2/{repository}/{path}")
    require(answer, 405, "UNSUPPORTED", "The operation is unsupported.")
    assert answer.header("Allow") == allowed


@pytest.mark.parametrize(
    "path", ["/v2/x", "/v2/_catalog/", "/v2/a/b", "/v2//tags/list", "/v2/a/blobs/", "/v2/a/manifests/", "/v2/a/tags"]
)
def test_path_that_addresses_nothing(registry: RegistryClient, path: str) -> None:
    answer = registry.get(path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"


def test_blob_that_a_manifest_names_cannot_be_deleted(registry: RegistryClient, repository: str) -> None:
    built = builders.image()
    registry.push_image(repository, built, "v1")
    for digest in built.blobs:
        answer = registry.delete(f"/v2/{repository}/blobs/{digest}")
        require(answer, 405, "UNSUPPORTED", f"images of the repository name the blob {digest}: delete them first")
    registry.require_image(repository, built, "v1")


def test_bad_page_size(registry: RegistryClient, repository: str) -> None:
    for path in (f"/v2/{repository}/tags/list", "/v2/_catalog", f"/v2/{repository}/referrers/{ABSENT}"):
        for given in ("-1", "abc", "1.5", "%C2%B2", ""):
            answer = registry.get(f"{path}?n={given}")
            assert (answer.status, answer.code) == (400, "UNSUPPORTED")


def test_errors_of_head_have_no_body(server: MoorageServer, registry: RegistryClient, repository: str) -> None:
    answers = [
        registry.head("/v2/no/such-repo/manifests/latest"),
        registry.head(f"/v2/{repository}/manifests/latest"),
        registry.head(f"/v2/{repository}/blobs/{ABSENT}"),
        registry.head(f"/v2/{repository}/blobs/sha256:x"),
        registry.head("/v2/UPPER/manifests/latest"),
    ]
    assert [answer.status for answer in answers] == [404, 404, 404, 400, 400]
    assert {answer.body for answer in answers} == {b""}
    # The connection is still in step: a body after a HEAD would be taken for the next answer.
    assert registry.get("/v2/").status == 200
