"""BatchCheckLayerAvailability, InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload, GetDownloadUrlForLayer."""

from __future__ import annotations

import http.client
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import ROOT, KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import Person
from tests.integration.aws.errors import no_repository, parameter, refused

REGISTRY = ROOT.account_id
ABSENT = "sha256:" + "a" * 64
MIB = 1024 * 1024
NO_UPLOAD = "00000000-0000-4000-8000-000000000000"


def where(name: str) -> str:
    return f"the repository with name '{name}' in the registry with id '{REGISTRY}'"


def send(ecr: Any, repository: str, upload: str, data: bytes, start: int = 0) -> int:
    told = ecr.upload_layer_part(
        repositoryName=repository, uploadId=upload, partFirstByte=start, partLastByte=start + len(data) - 1, layerPartBlob=data
    )
    assert (told["registryId"], told["repositoryName"], told["uploadId"]) == (REGISTRY, repository, upload)
    return int(told["lastByteReceived"])


def start_upload(ecr: Any, repository: str) -> str:
    told = ecr.initiate_layer_upload(repositoryName=repository)
    assert told["partSize"] == 10 * MIB
    return str(told["uploadId"])


def complete(ecr: Any, repository: str, upload: str, *digests: str) -> dict[str, Any]:
    told: dict[str, Any] = ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=list(digests))
    return told


def test_push_in_parts(ecr: Any, registry: RegistryClient, repository: str) -> None:
    content = random.Random(1).randbytes(12 * MIB)
    digest = builders.digest(content)
    upload = start_upload(ecr, repository)
    for start in range(0, len(content), 5 * MIB):
        part = content[start : start + 5 * MIB]
        assert send(ecr, repository, upload, part, start) == start + len(part) - 1
    told = complete(ecr, repository, upload, digest)
    assert (told["registryId"], told["repositoryName"], told["uploadId"], told["layerDigest"]) == (
        REGISTRY, repository, upload, digest,
    )  # fmt: skip
    assert registry.get(f"/v2/{repository}/blobs/{digest}").body == content
    # The same call again, as a client makes it that has lost the answer.
    with refused("LayerAlreadyExistsException", f"Layer with digest '{digest}' already exists in {where(repository)}"):
        complete(ecr, repository, upload, digest)
    with refused("UploadNotFoundException", f"Upload with id '{upload}' could not be found for {where(repository)}"):
        complete(ecr, repository, upload, ABSENT)


def test_the_largest_part(ecr: Any, registry: RegistryClient, repository: str) -> None:
    content = bytes(20_971_520)
    upload = start_upload(ecr, repository)
    assert send(ecr, repository, upload, content) == len(content) - 1
    digest = builders.digest(content)
    complete(ecr, repository, upload, digest, digest)
    assert registry.head(f"/v2/{repository}/blobs/{digest}").header("Content-Length") == str(len(content))
    with refused("InvalidParameterException"):
        send(ecr, repository, start_upload(ecr, repository), content + b"x")


def test_parts_out_of_order(ecr: Any, repository: str) -> None:
    upload = start_upload(ecr, repository)
    message = f"Invalid layer part upload for upload with id '{upload}' in {where(repository)}"
    with refused("InvalidLayerPartException", message) as answer:
        send(ecr, repository, upload, b"late", 5)
    assert "lastValidByteReceived" not in answer
    send(ecr, repository, upload, b"12345")
    for start in (0, 4, 6):
        with refused("InvalidLayerPartException", message) as answer:
            send(ecr, repository, upload, b"67", start)
        assert (answer["registryId"], answer["repositoryName"], answer["uploadId"]) == (REGISTRY, repository, upload)
        assert answer["lastValidByteReceived"] == 4
    with refused("InvalidLayerPartException", message):
        ecr.upload_layer_part(repositoryName=repository, uploadId=upload, partFirstByte=5, partLastByte=9, layerPartBlob=b"67")
    assert send(ecr, repository, upload, b"67", 5) == 6
    with refused("LayerPartTooSmallException", "Layer parts must be at least 5 MiB in size"):
        complete(ecr, repository, upload, builders.digest(b"1234567"))


def test_complete_refused(ecr: Any, repository: str) -> None:
    upload = start_upload(ecr, repository)
    with refused("EmptyUploadException", f"The upload with id '{upload}' does not contain any layer parts"):
        complete(ecr, repository, upload, ABSENT)
    send(ecr, repository, upload, b"content")
    computed = builders.digest(b"content")
    message = f"Layer digest '{ABSENT}' does not match the digest '{computed}' computed for the uploaded layer"
    with refused("InvalidLayerException", message):
        complete(ecr, repository, upload, ABSENT)
    with refused("UploadNotFoundException"):
        complete(ecr, repository, upload, computed)


def test_every_digest_that_is_given_has_to_be_the_contents(ecr: Any, repository: str) -> None:
    computed = builders.digest(b"content")
    message = f"Layer digest '{ABSENT}' does not match the digest '{computed}' computed for the uploaded layer"
    for given in ((computed, ABSENT), (ABSENT, computed)):
        upload = start_upload(ecr, repository)
        send(ecr, repository, upload, b"content")
        with refused("InvalidLayerException", message):
            complete(ecr, repository, upload, *given)


def test_digests_of_another_kind(ecr: Any, repository: str, server: MoorageServer, account: KeyPair) -> None:
    """A digest that nothing here can have is looked at after rights and repository."""
    other, absent = "md5:0123", "absent"
    nobody = Person(server, account).ecr
    calls: tuple[Callable[[Any, str], Any], ...] = (
        lambda client, name: client.get_download_url_for_layer(repositoryName=name, layerDigest=other),
        lambda client, name: complete(client, name, NO_UPLOAD, other),
        lambda client, name: client.list_image_referrers(repositoryName=name, subjectId={"imageDigest": other}),
    )
    for call in calls:
        with refused("AccessDeniedException"):
            call(nobody, absent)
        with refused("RepositoryNotFoundException", no_repository(absent)):
            call(ecr, absent)
    with refused("LayersNotFoundException", f"The layer with digest '{other}' does not exist in {where(repository)}"):
        ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=other)
    pattern = "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
    upload = start_upload(ecr, repository)
    send(ecr, repository, upload, b"content")
    with refused("InvalidParameterException", parameter("layerDigests", pattern)):
        complete(ecr, repository, upload, other)
    with refused("InvalidParameterException", parameter("subjectId.imageDigest", pattern)):
        ecr.list_image_referrers(repositoryName=repository, subjectId={"imageDigest": other})


def test_layer_that_exists(ecr: Any, registry: RegistryClient, repository: str) -> None:
    digest = registry.push_blob(repository, b"content")
    upload = start_upload(ecr, repository)
    send(ecr, repository, upload, b"content")
    with refused("LayerAlreadyExistsException", f"Layer with digest '{digest}' already exists in {where(repository)}"):
        complete(ecr, repository, upload, digest)
    assert registry.get(f"/v2/{repository}/blobs/{digest}").body == b"content"


def test_uploads_that_are_not(ecr: Any, repository: str, second_repository: str, server: MoorageServer, account: KeyPair) -> None:
    upload = start_upload(ecr, second_repository)
    for given in (NO_UPLOAD, upload):
        message = f"Upload with id '{given}' could not be found for {where(repository)}"
        with refused("UploadNotFoundException", message):
            send(ecr, repository, given, b"x")
        with refused("UploadNotFoundException", message):
            complete(ecr, repository, given, ABSENT)


def test_one_upload_on_both_planes(ecr: Any, registry: RegistryClient, repository: str) -> None:
    content = random.Random(2).randbytes(6 * MIB)
    upload = start_upload(ecr, repository)
    send(ecr, repository, upload, content[: 5 * MIB])
    location = f"/v2/{repository}/blobs/uploads/{upload}"
    assert registry.get(location).header("Range") == f"0-{5 * MIB - 1}"
    assert registry.request("PATCH", location, content[5 * MIB :]).status == 202
    assert complete(ecr, repository, upload, builders.digest(content))["layerDigest"] == builders.digest(content)


def test_batch_check_layer_availability(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1, layers=1)
    registry.push_image(repository, built, "v1")
    loose = registry.push_blob(repository, b"not named by any image")
    (layer,) = built.layers
    told = ecr.batch_check_layer_availability(
        repositoryName=repository, layerDigests=[ABSENT, layer, "nonsense", loose, built.config, layer]
    )
    assert told["layers"] == [
        {"layerDigest": ABSENT, "layerAvailability": "UNAVAILABLE"},
        {
            "layerDigest": layer,
            "layerAvailability": "AVAILABLE",
            "layerSize": len(built.blobs[layer]),
            "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        },
        {
            "layerDigest": loose,
            "layerAvailability": "AVAILABLE",
            "layerSize": 22,
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
        },
        {
            "layerDigest": built.config,
            "layerAvailability": "AVAILABLE",
            "layerSize": len(built.blobs[built.config]),
            "mediaType": "application/vnd.oci.image.config.v1+json",
        },
    ]
    assert told["failures"] == [
        {"layerDigest": "nonsense", "failureCode": "InvalidLayerDigest", "failureReason": "Invalid layer digest 'nonsense'"}
    ]


def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=60)
    try:
        connection.request(
            method, f"{parts.path}?{parts.query}", headers={name.replace("_", "-"): v for name, v in headers.items()}
        )
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.headers.items()}, response.read()
    finally:
        connection.close()


def test_get_download_url_for_layer(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    for digest, data in built.blobs.items():
        told = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=digest)
        assert told["layerDigest"] == digest
        url = told["downloadUrl"]
        status, headers, body = fetch(url)
        assert (status, body, headers["docker-content-digest"]) == (200, data, digest)
        assert fetch(url, Range="bytes=1-3")[::2] == (206, data[1:4])
        assert fetch(url, "HEAD")[::2] == (200, b"")


def test_download_urls_that_are_not_ours(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    first, second = built.layers
    url = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=first)["downloadUrl"]
    path, _, query = url.partition("?")
    assert fetch(path)[0] == 403
    assert fetch(url.replace(first, second))[0] == 403
    assert fetch(url, "POST")[0] == 404
    pairs = query.split("&")
    for position, pair in enumerate(pairs):
        name, _, value = pair.partition("=")
        changed = value[:-1] + ("0" if value[-1] != "0" else "1")
        for other in (pairs[:position] + pairs[position + 1 :], [*pairs[:position], f"{name}={changed}", *pairs[position + 1 :]]):
            assert fetch(f"{path}?{'&'.join(other)}")[0] == 403
    # Once the repository lets the layer go, the link leads nowhere.
    ecr.delete_repository(repositoryName=repository, force=True)
    assert fetch(url)[0] == 404


def test_layers_without_url(ecr: Any, registry: RegistryClient, repository: str) -> None:
    loose = registry.push_blob(repository, b"not named by any image")
    message = f"The layer with digest '{loose}' is not associated with an image in {where(repository)}"
    with refused("LayerInaccessibleException", message):
        ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=loose)
    message = f"The layer with digest '{ABSENT}' does not exist in {where(repository)}"
    with refused("LayersNotFoundException", message):
        ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=ABSENT)


def test_digests_that_nothing_can_have(ecr: Any, repository: str, server: MoorageServer, stranger: KeyPair) -> None:
    """Who may not ask learns nothing of it, and a repository that is not there is missed first."""
    root, odd = server.root.account_id, "md5:00"
    with refused("LayersNotFoundException", f"The layer with digest '{odd}' does not exist in {where(repository)}"):
        ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=odd)
    absent = fresh_name("absent")
    with refused("RepositoryNotFoundException", no_repository(absent)):
        ecr.get_download_url_for_layer(repositoryName=absent, layerDigest=odd)
    with refused("AccessDeniedException"):
        server.client(key=stranger).get_download_url_for_layer(registryId=root, repositoryName=repository, layerDigest=odd)


@pytest.mark.parametrize("count", [101])
def test_too_many_layers(ecr: Any, repository: str, count: int) -> None:
    with refused("InvalidParameterException"):
        ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[ABSENT] * count)
