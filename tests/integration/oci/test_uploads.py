"""Uploads: chunks, streams, order, resumption, cancellation, two writers."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import Answer, RegistryClient, basic
from moorage.testing.server import MoorageServer

CONTENT = random.Random(2).randbytes(3_000_000)
DIGEST = builders.digest(CONTENT)
_PATIENCE_SECONDS = 30.0


def patch(registry: RegistryClient, location: str, start: int, data: bytes) -> Answer:
    headers = {"Content-Range": f"{start}-{start + len(data) - 1}", "Content-Type": "application/octet-stream"}
    return registry.request("PATCH", location, data, headers)


def finish(registry: RegistryClient, location: str, digest: str = DIGEST, body: bytes = b"", start: int | None = None) -> Answer:
    headers = {} if start is None else {"Content-Range": f"{start}-{start + len(body) - 1}"}
    return registry.request("PUT", f"{location}?digest={digest}", body, headers)


def require_stored(
    registry: RegistryClient, repository: str, answer: Answer, digest: str = DIGEST, data: bytes = CONTENT
) -> None:
    assert answer.status == 201, answer.body
    assert answer.header("Location") == f"/v2/{repository}/blobs/{digest}"
    assert answer.header("Docker-Content-Digest") == digest
    assert registry.get(answer.header("Location")).body == data


def require_standing(answer: Answer, status: int, location: str, received: int) -> None:
    assert answer.status == status, answer.body
    assert answer.header("Location") == location
    assert answer.header("Docker-Upload-UUID") == location.rpartition("/")[2]
    assert answer.header("Range") == f"0-{max(0, received - 1)}"


def test_start(registry: RegistryClient, repository: str) -> None:
    locations = set()
    for path in (f"/v2/{repository}/blobs/uploads/", f"/v2/{repository}/blobs/uploads"):
        answer = registry.request("POST", path)
        location = answer.header("Location")
        assert location.startswith(f"/v2/{repository}/blobs/uploads/")
        require_standing(answer, 202, location, 0)
        assert "OCI-Chunk-Min-Length" not in answer.headers
        require_standing(registry.get(location), 204, location, 0)
        locations.add(location)
    assert len(locations) == 2


@pytest.mark.parametrize("chunk", [1_000_000, 999_999, 70_001])
def test_chunks(registry: RegistryClient, repository: str, chunk: int) -> None:
    location = registry.start_upload(repository)
    for start in range(0, len(CONTENT), chunk):
        part = CONTENT[start : start + chunk]
        require_standing(patch(registry, location, start, part), 202, location, start + len(part))
    require_stored(registry, repository, finish(registry, location))
    assert registry.get(location).code == "BLOB_UPLOAD_UNKNOWN"


def test_last_chunk_in_the_closing_put(registry: RegistryClient, repository: str) -> None:
    for start in (2_000_000, None):
        location = registry.start_upload(repository)
        patch(registry, location, 0, CONTENT[:2_000_000])
        require_stored(registry, repository, finish(registry, location, body=CONTENT[2_000_000:], start=start))


def test_whole_in_the_closing_put(registry: RegistryClient, repository: str) -> None:
    location = registry.start_upload(repository)
    require_stored(registry, repository, finish(registry, location, body=CONTENT))


def test_stream_without_length(registry: RegistryClient, repository: str) -> None:
    location = registry.start_upload(repository)

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(CONTENT), 60_001):
            yield CONTENT[start : start + 60_001]

    answer = registry.request("PATCH", location, pieces(), {"Content-Type": "application/octet-stream"})
    require_standing(answer, 202, location, len(CONTENT))
    require_stored(registry, repository, finish(registry, location))


def test_stream_in_the_closing_put_and_the_single_post(registry: RegistryClient, repository: str) -> None:
    def pieces() -> Iterator[bytes]:
        yield CONTENT[:1_500_000]
        yield CONTENT[1_500_000:]

    location = registry.start_upload(repository)
    require_stored(registry, repository, registry.request("PUT", f"{location}?digest={DIGEST}", pieces()))
    path = f"/v2/{repository}/blobs/uploads/?digest={DIGEST}"
    require_stored(registry, repository, registry.request("POST", path, pieces()))


@pytest.mark.parametrize("start", [0, 999_999, 1_000_001, 2_000_000])
def test_out_of_order(registry: RegistryClient, repository: str, start: int) -> None:
    location = registry.start_upload(repository)
    patch(registry, location, 0, CONTENT[:1_000_000])
    refused = patch(registry, location, start, CONTENT[start : start + 500_000])
    require_standing(refused, 416, location, 1_000_000)
    assert (refused.code, refused.message) == ("BLOB_UPLOAD_INVALID", "the upload has 1000000 bytes: go on from there")
    closing = finish(registry, location, body=CONTENT[start:], start=start)
    require_standing(closing, 416, location, 1_000_000)
    # Nothing was spoilt.
    require_standing(registry.get(location), 204, location, 1_000_000)
    assert patch(registry, location, 1_000_000, CONTENT[1_000_000:]).status == 202
    require_stored(registry, repository, finish(registry, location))


def test_first_chunk_that_does_not_start_at_0(registry: RegistryClient, repository: str) -> None:
    location = registry.start_upload(repository)
    require_standing(patch(registry, location, 5, b"late"), 416, location, 0)


@pytest.mark.parametrize("given", ["0-2", "0-5", "7-8"])
def test_content_range_of_another_length(registry: RegistryClient, repository: str, given: str) -> None:
    location = registry.start_upload(repository)
    refused = registry.request("PATCH", location, b"1234", {"Content-Range": given})
    assert (refused.status, refused.code) == (400, "SIZE_INVALID")
    require_standing(registry.get(location), 204, location, 0)


@pytest.mark.parametrize("given", ["5-0", "nonsense", "bytes=0-3", "-3", "0-", "0-99999999999999999999"])
def test_content_range_that_is_none(registry: RegistryClient, repository: str, given: str) -> None:
    location = registry.start_upload(repository)
    refused = registry.request("PATCH", location, b"1234", {"Content-Range": given})
    require_standing(refused, 416, location, 0)
    assert refused.code == "BLOB_UPLOAD_INVALID"


def test_cancel(registry: RegistryClient, repository: str) -> None:
    location = registry.start_upload(repository)
    patch(registry, location, 0, CONTENT[:1000])
    answer = registry.delete(location)
    assert (answer.status, answer.body) == (204, b"")
    for method in ("GET", "PATCH", "DELETE"):
        assert registry.request(method, location, b"x" if method == "PATCH" else None).code == "BLOB_UPLOAD_UNKNOWN"
    assert finish(registry, location, builders.digest(CONTENT[:1000])).status == 404


def test_empty_upload_is_the_empty_blob(registry: RegistryClient, repository: str) -> None:
    empty = builders.digest(b"")
    location = registry.start_upload(repository)
    require_stored(registry, repository, finish(registry, location, empty), empty, b"")
    again = registry.start_upload(repository)
    assert registry.request("PATCH", again, b"").status == 202
    require_stored(registry, repository, finish(registry, again, empty), empty, b"")


def test_sha512(registry: RegistryClient, repository: str) -> None:
    digest = builders.digest(CONTENT, "sha512")
    answer = registry.request("POST", f"/v2/{repository}/blobs/uploads/?digest-algorithm=sha512")
    location = answer.header("Location")
    assert patch(registry, location, 0, CONTENT[:1_000_000]).status == 202
    assert patch(registry, location, 1_000_000, CONTENT[1_000_000:]).status == 202
    require_stored(registry, repository, finish(registry, location, digest), digest)
    # Announced or not, the digest of the closing PUT counts.
    location = registry.start_upload(repository)
    patch(registry, location, 0, CONTENT)
    require_stored(registry, repository, finish(registry, location, digest), digest)
    assert registry.request("POST", f"/v2/{repository}/blobs/uploads/?digest-algorithm=md5").code == "DIGEST_INVALID"


def test_wrong_digest_ends_the_upload(registry: RegistryClient, repository: str) -> None:
    location = registry.start_upload(repository)
    patch(registry, location, 0, CONTENT[:1000])
    refused = finish(registry, location, DIGEST)
    assert (refused.status, refused.code) == (400, "DIGEST_INVALID")
    assert registry.head(f"/v2/{repository}/blobs/{DIGEST}").status == 404


def test_expect_100_continue(server: MoorageServer, registry: RegistryClient, repository: str) -> None:
    location = registry.start_upload(repository)
    with socket.create_connection(("127.0.0.1", server.port), timeout=_PATIENCE_SECONDS) as peer, peer.makefile("rb") as reader:
        peer.sendall(_head("PATCH", location, registry, "Content-Length: 5", "Expect: 100-continue"))
        assert reader.readline().startswith(b"HTTP/1.1 100")
        assert reader.readline() == b"\r\n"
        peer.sendall(b"hello")
        assert reader.readline().startswith(b"HTTP/1.1 202")
    require_standing(registry.get(location), 204, location, 5)


def test_expect_is_refused_before_the_body(server: MoorageServer, registry: RegistryClient, repository: str) -> None:
    location = registry.start_upload(repository)
    with socket.create_connection(("127.0.0.1", server.port), timeout=_PATIENCE_SECONDS) as peer, peer.makefile("rb") as reader:
        peer.sendall(_head("PATCH", location + "0", registry, "Content-Length: 5000000000", "Expect: 100-continue"))
        assert reader.readline().startswith(b"HTTP/1.1 404")


def _head(method: str, location: str, registry: RegistryClient, *headers: str) -> bytes:
    assert registry.password
    lines = [f"{method} {location} HTTP/1.1", f"Host: {registry.host}", f"Authorization: {basic(registry.password)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_resume_after_a_cut_connection(server: MoorageServer, registry: RegistryClient, repository: str, framing: str) -> None:
    location = registry.start_upload(repository)
    patch(registry, location, 0, CONTENT[:1_000_000])
    sent = CONTENT[1_000_000:2_500_000]
    with socket.create_connection(("127.0.0.1", server.port), timeout=_PATIENCE_SECONDS) as peer:
        if framing == "length":
            peer.sendall(_head("PATCH", location, registry, f"Content-Length: {len(CONTENT) - 1_000_000}") + sent)
        else:
            peer.sendall(_head("PATCH", location, registry, "Transfer-Encoding: chunked"))
            peer.sendall(f"{len(sent):x}\r\n".encode() + sent + b"\r\n")
    # What arrived may be kept or not; what the status says is what counts, as soon as nobody writes any more.
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        standing = registry.get(location)
        received = int(standing.header("Range").partition("-")[2]) + 1
        assert 1_000_000 <= received <= 2_500_000
        answer = patch(registry, location, received, CONTENT[received:])
        if answer.status == 202:
            break
        assert answer.status == 416
        assert time.monotonic() < deadline, "the upload is never given back"
    require_stored(registry, repository, finish(registry, location))


def test_two_writers_on_one_upload(server: MoorageServer, registry: RegistryClient, repository: str) -> None:
    """Both send the same first chunk at once: one is taken, the other is told where the upload stands; no byte is mixed."""
    location = registry.start_upload(repository)
    barrier = threading.Barrier(2)

    def write(data: bytes) -> Answer:
        with registry.other(registry.password) as own:
            barrier.wait()
            return patch(own, location, 0, data)

    ones, zeroes = b"1" * 1_000_000, b"0" * 1_000_000
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(write, (ones, zeroes)))
    assert sorted(answer.status for answer in answers) == [202, 416]
    winner = ones if answers[0].status == 202 else zeroes
    loser = next(answer for answer in answers if answer.status == 416)
    assert loser.code == "BLOB_UPLOAD_INVALID"
    assert loser.header("Location") == location
    require_stored(registry, repository, finish(registry, location, builders.digest(winner)), builders.digest(winner), winner)


def test_a_second_writer_is_refused_while_the_first_is_still_sending(
    server: MoorageServer, registry: RegistryClient, repository: str
) -> None:
    location = registry.start_upload(repository)
    with socket.create_connection(("127.0.0.1", server.port), timeout=_PATIENCE_SECONDS) as slow, slow.makefile("rb") as reader:
        slow.sendall(_head("PATCH", location, registry, "Content-Length: 2000000", "Expect: 100-continue"))
        assert reader.readline().startswith(b"HTTP/1.1 100")  # now it holds the upload
        assert reader.readline() == b"\r\n"
        slow.sendall(CONTENT[:500_000])
        refused = patch(registry, location, 0, CONTENT[:1000])
        require_standing(refused, 416, location, 0)
        assert refused.message == "another request is writing to this upload: ask for its status, then go on"
        assert finish(registry, location, builders.digest(b"")).status == 416
        slow.sendall(CONTENT[500_000:2_000_000])
        assert reader.readline().startswith(b"HTTP/1.1 202")
    assert patch(registry, location, 2_000_000, CONTENT[2_000_000:]).status == 202
    require_stored(registry, repository, finish(registry, location))


def test_the_same_blob_by_many_at_once(server: MoorageServer, registry: RegistryClient, repository: str) -> None:
    content = random.Random(repository).randbytes(500_000)
    digest = builders.digest(content)
    barrier = threading.Barrier(8)

    def push(_: int) -> Answer:
        with registry.other(registry.password) as own:
            location = own.start_upload(repository)
            barrier.wait()
            return finish(own, location, digest, content)

    with ThreadPoolExecutor(8) as threads:
        for answer in threads.map(push, range(8)):
            assert answer.status == 201
    assert registry.get(f"/v2/{repository}/blobs/{digest}").body == content


def test_closing_twice_at_once(registry: RegistryClient, repository: str) -> None:
    location = registry.start_upload(repository)
    patch(registry, location, 0, CONTENT)
    barrier = threading.Barrier(2)

    def close(_: int) -> int:
        with registry.other(registry.password) as own:
            barrier.wait()
            return finish(own, location).status

    with ThreadPoolExecutor(2) as threads:
        statuses = sorted(threads.map(close, range(2)))
    assert statuses[0] == 201
    assert statuses[1] in {201, 404, 416}
    assert registry.get(f"/v2/{repository}/blobs/{DIGEST}").body == CONTENT


def test_many_small_chunks(registry: RegistryClient, repository: str) -> None:
    content = bytes(range(256))
    location = registry.start_upload(repository)
    for start in range(256):
        assert patch(registry, location, start, content[start : start + 1]).status == 202
    digest = builders.digest(content)
    require_stored(registry, repository, finish(registry, location, digest), digest, content)
    assert registry.get(f"/v2/{repository}/blobs/{digest}", Range="bytes=100-200").body == content[100:201]
