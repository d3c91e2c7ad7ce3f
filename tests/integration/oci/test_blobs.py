"""Blobs: headers, ranges, conditional requests, mounts, isolation."""

from __future__ import annotations

import random
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import Answer, RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name

CONTENT = random.Random(1).randbytes(300_000)
DIGEST = builders.digest(CONTENT)


@pytest.fixture
def blob(registry: RegistryClient, repository: str) -> str:
    """The path of a blob with `CONTENT`."""
    return f"/v2/{repository}/blobs/{registry.push_blob(repository, CONTENT)}"


def require_headers(answer: Answer) -> None:
    assert answer.header("Content-Type") == "application/octet-stream"
    assert answer.header("Docker-Content-Digest") == DIGEST
    assert answer.header("ETag") == f'"{DIGEST}"'
    assert answer.header("Accept-Ranges") == "bytes"
    assert answer.header("Cache-Control").startswith("private, max-age=31536000")
    assert answer.header("Docker-Distribution-Api-Version") == "registry/2.0"
    assert answer.header("Date")


def stable(answer: Answer) -> dict[str, str]:
    """The headers that are the same for each answer."""
    return {name.lower(): value for name, value in answer.headers.items() if name.lower() not in {"date", "x-request-id"}}


def test_get_and_head(registry: RegistryClient, blob: str) -> None:
    got, head = registry.get(blob), registry.head(blob)
    assert (got.status, got.body) == (200, CONTENT)
    assert (head.status, head.body) == (200, b"")
    require_headers(got)
    assert stable(head) == stable(got)
    assert head.header("Content-Length") == str(len(CONTENT))


SIZE = len(CONTENT)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=65535-65536", 65_535, 65_537),
        ("bytes=1000-", 1000, SIZE),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
        ("bytes=-1", SIZE - 1, SIZE),
        ("bytes=-70000", SIZE - 70_000, SIZE),
        (f"bytes=-{SIZE * 2}", 0, SIZE),
        (f"bytes=0-{SIZE * 2}", 0, SIZE),
        ("bytes=262143-262144", 262_143, 262_145),
    ],
)
def test_range(registry: RegistryClient, blob: str, asked: str, start: int, stop: int) -> None:
    answer = registry.get(blob, Range=asked)
    assert (answer.status, answer.body) == (206, CONTENT[start:stop])
    assert answer.header("Content-Range") == f"bytes {start}-{stop - 1}/{SIZE}"
    assert answer.header("Content-Length") == str(stop - start)
    require_headers(answer)


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE * 9}-{SIZE * 10}", "bytes=-0", "bytes=500-0"])
def test_range_that_cannot_be_satisfied(registry: RegistryClient, blob: str, asked: str) -> None:
    answer = registry.get(blob, Range=asked)
    assert (answer.status, answer.code) == (416, "SIZE_INVALID")
    assert answer.message == f"the range cannot be satisfied: the blob has {SIZE} bytes"
    assert answer.header("Content-Range") == f"bytes */{SIZE}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=a-b", "items=0-1", "bytes=", "bytes=-", "0-5"])
def test_range_that_is_not_one(registry: RegistryClient, blob: str, asked: str) -> None:
    answer = registry.get(blob, Range=asked)
    assert (answer.status, answer.body) == (200, CONTENT)


def test_if_range(registry: RegistryClient, blob: str) -> None:
    same = registry.get(blob, Range="bytes=1-2", If_Range=f'"{DIGEST}"')
    assert (same.status, same.body) == (206, CONTENT[1:3])
    other = registry.get(blob, Range="bytes=1-2", If_Range='"sha256:other"')
    assert (other.status, other.body) == (200, CONTENT)


@pytest.mark.parametrize("given", [f'"{DIGEST}"', f'W/"{DIGEST}"', f'"x", "{DIGEST}"', "*"])
def test_not_modified(registry: RegistryClient, blob: str, given: str) -> None:
    answer = registry.get(blob, If_None_Match=given)
    assert (answer.status, answer.body) == (304, b"")
    assert answer.header("ETag") == f'"{DIGEST}"'
    assert registry.get(blob, If_None_Match='"other"').body == CONTENT


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 1_048_576, 5_000_001])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_sizes_and_algorithms(registry: RegistryClient, repository: str, size: int, algorithm: str) -> None:
    content = random.Random(size).randbytes(size)
    digest = builders.digest(content, algorithm)
    registry.push_blob(repository, content, digest)
    answer = registry.get(f"/v2/{repository}/blobs/{digest}")
    assert (answer.status, answer.body) == (200, content)
    assert answer.header("Docker-Content-Digest") == digest
    if size:
        assert registry.get(f"/v2/{repository}/blobs/{digest}", Range=f"bytes={size - 1}-").body == content[-1:]
    else:
        assert registry.get(f"/v2/{repository}/blobs/{digest}", Range="bytes=0-").status in {200, 416}


def test_single_post(registry: RegistryClient, repository: str) -> None:
    answer = registry.request("POST", f"/v2/{repository}/blobs/uploads/?digest={DIGEST}", CONTENT)
    assert answer.status == 201
    assert answer.header("Location") == f"/v2/{repository}/blobs/{DIGEST}"
    assert answer.header("Docker-Content-Digest") == DIGEST
    assert registry.get(answer.header("Location")).body == CONTENT


def test_same_blob_twice(registry: RegistryClient, repository: str, blob: str) -> None:
    registry.push_blob(repository, CONTENT)
    assert registry.request("POST", f"/v2/{repository}/blobs/uploads/?digest={DIGEST}", CONTENT).status == 201
    assert registry.get(blob).body == CONTENT


def test_delete(registry: RegistryClient, blob: str) -> None:
    assert registry.delete(blob).status == 202
    for again in (registry.get(blob), registry.delete(blob)):
        assert (again.status, again.code) == (404, "BLOB_UNKNOWN")
    assert registry.head(blob).status == 404


def test_delete_and_push_again(registry: RegistryClient, repository: str, blob: str) -> None:
    assert registry.delete(blob).status == 202
    registry.push_blob(repository, CONTENT)
    assert registry.get(blob).body == CONTENT


# Mounts.


def mount(registry: RegistryClient, repository: str, source: str | None, digest: str = DIGEST) -> Answer:
    origin = f"&from={source}" if source else ""
    return registry.request("POST", f"/v2/{repository}/blobs/uploads/?mount={digest}{origin}")


@pytest.mark.parametrize("with_source", [True, False])
def test_mount(registry: RegistryClient, repository: str, blob: str, second_repository: str, with_source: bool) -> None:
    answer = mount(registry, second_repository, repository if with_source else None)
    assert answer.status == 201
    assert answer.header("Location") == f"/v2/{second_repository}/blobs/{DIGEST}"
    assert answer.header("Docker-Content-Digest") == DIGEST
    assert registry.get(answer.header("Location")).body == CONTENT
    # What one repository lets go, the other keeps.
    assert registry.delete(blob).status == 202
    assert registry.get(answer.header("Location")).body == CONTENT


def require_upload(registry: RegistryClient, answer: Answer) -> None:
    assert answer.status == 202
    assert answer.header("Docker-Upload-UUID")
    assert registry.get(answer.header("Location")).status == 204


def test_mount_of_nothing_starts_an_upload(registry: RegistryClient, repository: str, second_repository: str) -> None:
    absent = "sha256:" + "c" * 64
    for source in (repository, "no/such-repo", "NOT A NAME".replace(" ", "%20"), None):
        require_upload(registry, mount(registry, second_repository, source, absent))


def test_mount_from_a_repository_that_has_it_not(registry: RegistryClient, blob: str, second_repository: str, ecr: Any) -> None:
    third = fresh_name("third")
    ecr.create_repository(repositoryName=third)
    require_upload(registry, mount(registry, second_repository, third))
    assert registry.head(f"/v2/{second_repository}/blobs/{DIGEST}").status == 404


def test_mount_from_another_account(server: MoorageServer, account: KeyPair, blob: str, repository: str) -> None:
    server.client(key=account).create_repository(repositoryName="mine")
    with server.registry(key=account) as own:
        for source in (repository, None):
            require_upload(own, mount(own, "mine", source))
        assert own.head(f"/v2/mine/blobs/{DIGEST}").status == 404


def test_mount_into_itself(registry: RegistryClient, repository: str, blob: str) -> None:
    assert mount(registry, repository, repository).status == 201
    assert registry.get(blob).body == CONTENT


# Isolation.


def test_knowing_a_digest_is_not_enough(registry: RegistryClient, blob: str, second_repository: str) -> None:
    path = f"/v2/{second_repository}/blobs/{DIGEST}"
    assert registry.head(path).status == 404
    assert registry.get(path).code == "BLOB_UNKNOWN"
    assert registry.delete(path).code == "BLOB_UNKNOWN"
    assert registry.get(blob).body == CONTENT


def test_mount_from_a_deleted_repository(registry: RegistryClient, ecr: Any, second_repository: str) -> None:
    gone = fresh_name("gone")
    ecr.create_repository(repositoryName=gone)
    content = gone.encode()
    digest = registry.push_blob(gone, content)
    ecr.delete_repository(repositoryName=gone)
    for source in (gone, None):
        require_upload(registry, mount(registry, second_repository, source, digest))
    assert registry.head(f"/v2/{second_repository}/blobs/{digest}").status == 404
