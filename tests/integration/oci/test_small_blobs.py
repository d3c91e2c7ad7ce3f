"""Blobs on both sides of the size up to which they lie in the database: pushed in every way, read whole and in ranges."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator

import pytest

from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import MoorageServer

ROW = 16 * 1024
HOP = 256 * 1024
SIZES = (0, 1, ROW - 1, ROW, ROW + 1, HOP, HOP + 1)


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def halves(data: bytes) -> Iterator[bytes]:
    """A body in chunked encoding."""
    yield data[: len(data) // 2]
    yield data[len(data) // 2 :]


def in_one_post(client: RegistryClient, name: str, data: bytes) -> None:
    answer = client.request("POST", f"/v2/{name}/blobs/uploads/?digest={digest_of(data)}", data)
    assert answer.status == 201, answer.body


def by_put(client: RegistryClient, name: str, data: bytes) -> None:
    answer = client.request("PUT", f"{client.start_upload(name)}?digest={digest_of(data)}", data)
    assert answer.status == 201, answer.body


def by_patch(client: RegistryClient, name: str, data: bytes) -> None:
    place = client.start_upload(name)
    assert client.request("PATCH", place, data).status == 202
    assert client.request("PUT", f"{place}?digest={digest_of(data)}").status == 201


def by_stream(client: RegistryClient, name: str, data: bytes) -> None:
    place = client.start_upload(name)
    assert client.request("PATCH", place, halves(data)).status == 202
    assert client.request("PUT", f"{place}?digest={digest_of(data)}").status == 201


WAYS = (in_one_post, by_put, by_patch, by_stream)


@pytest.mark.parametrize("push", WAYS)
@pytest.mark.parametrize("size", SIZES)
def test_every_way(
    registry: RegistryClient, repository: str, push: Callable[[RegistryClient, str, bytes], None], size: int
) -> None:
    data = os.urandom(size)
    push(registry, repository, data)
    path = f"/v2/{repository}/blobs/{digest_of(data)}"
    assert registry.head(path).header("Content-Length") == str(size)
    assert registry.get(path).body == data
    if size > 10:
        answer = registry.get(path, Range="bytes=3-8")
        assert (answer.status, answer.body) == (206, data[3:9])
        assert registry.get(path, Range="bytes=-2").body == data[-2:]


@pytest.mark.parametrize("sizes", [(1, ROW), (ROW, ROW + 1, 5), (HOP + 1, 1, HOP + 1), (7, 0, 7)])
def test_segments_of_both_kinds(registry: RegistryClient, repository: str, sizes: tuple[int, ...]) -> None:
    parts = [os.urandom(size) for size in sizes]
    place, sent = registry.start_upload(repository), 0
    for part in parts:
        if part:
            given = {"Content-Range": f"{sent}-{sent + len(part) - 1}"}
            assert registry.request("PATCH", place, part, given).status == 202
            sent += len(part)
            assert registry.get(place).header("Range") == f"0-{sent - 1}"
    assert registry.request("PATCH", place, b"x", {"Content-Range": "0-0"}).status == 416
    whole = b"".join(parts)
    assert registry.request("PUT", f"{place}?digest={digest_of(whole)}").status == 201
    path = f"/v2/{repository}/blobs/{digest_of(whole)}"
    assert registry.get(path).body == whole
    edge = sizes[0]
    answer = registry.get(path, Range=f"bytes={edge - 1}-{edge}")
    assert (answer.status, answer.body) == (206, whole[edge - 1 : edge + 1])


def test_other_digests_and_wrong_ones(registry: RegistryClient, repository: str) -> None:
    data = os.urandom(100)
    sha512 = "sha512:" + hashlib.sha512(data).hexdigest()
    place = registry.start_upload(repository)
    assert registry.request("PATCH", place, data).status == 202
    assert registry.request("PUT", f"{place}?digest={sha512}").status == 201
    assert registry.get(f"/v2/{repository}/blobs/{sha512}").body == data
    answer = registry.request("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(b'other')}", data)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_what_is_deleted_leaves_nothing(own_server: MoorageServer) -> None:
    own_server.client().create_repository(repositoryName="app")
    with own_server.registry() as client:
        data = os.urandom(100)
        for push in WAYS:
            push(client, "app", data)  # the second and later copies are dropped at once
        place = client.start_upload("app")
        assert client.request("PATCH", place, b"begun").status == 202
        assert client.request("DELETE", place).status == 204
        assert client.delete(f"/v2/app/blobs/{digest_of(data)}").status == 202
        assert client.get(f"/v2/app/blobs/{digest_of(data)}").status == 404
    assert "no faults" in own_server.run("fsck", "--deep").stdout


@pytest.mark.parametrize("stack", ["sqlite+local"], indirect=True)
def test_a_flipped_byte_is_never_served(own_server: MoorageServer) -> None:
    own_server.client().create_repository(repositoryName="app")
    data = os.urandom(100)
    with own_server.registry() as client:
        by_put(client, "app", data)
    own_server.terminate()
    database = sqlite3.connect(own_server.data / "moorage.db")
    ((key, sealed),) = database.execute("SELECT key, sealed FROM small_objects").fetchall()
    damaged = sealed[:-1] + bytes([sealed[-1] ^ 1])
    database.execute("UPDATE small_objects SET sealed = ? WHERE key = ?", (damaged, key))
    database.commit()
    database.close()
    done = own_server.run("fsck", check=False)
    assert digest_of(data) in done.stdout
    own_server.start()
    with own_server.registry() as client:
        answer = client.get(f"/v2/app/blobs/{digest_of(data)}")
        assert (answer.status, answer.code) == (500, "UNKNOWN")
        assert data not in answer.body
    assert "fails authentication" in own_server.log
