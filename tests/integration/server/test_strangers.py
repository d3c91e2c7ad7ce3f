"""What somebody without rights costs: neither memory nor the time of others, however many of them there are."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from moorage.testing.server import ROOT, MoorageServer
from tests.conftest import fresh_name

STRANGERS = "127.0.0.9"
COUNT = 300
MIB = 1024 * 1024
MOST_GROWTH_MIB = 150
P99_SECONDS = 1.0
"""Generous: the machine of the tests is shared. Without the bounds, honest requests wait for 20 s or for ever."""


def signed_by_nobody(target: str) -> str:
    """A head that names the root's key, with a signature that is none."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{ROOT.access_key_id}/{now[:8]}/us-east-1/ecr/aws4_request"
    return (
        f"X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.{target}\r\nX-Amz-Date: {now}\r\n"
        "Content-Type: application/x-amz-json-1.1\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}\r\n"
    )


def half_head(_: int) -> bytes:
    return b"GET /v2/ HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 30_000


def long_host(number: int) -> bytes:
    return b"GET /v2/ HTTP/1.1\r\nHost: %d%b\r\n\r\n" % (number, b"h" * 60_000)


def unsigned_body(_: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + b"Action=" + b"x" * 900_000


def unsigned_chunks(_: int) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\ndbba0\r\n" + b"x" * 900_000


def slow_part(_: int) -> bytes:
    head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 28000000\r\n{signed_by_nobody('UploadLayerPart')}\r\n"
    return head.encode() + b"x" * (MIB + 100_000)


def memory_mib(server: MoorageServer) -> float:
    status = Path(f"/proc/{server.pid}/status").read_text("ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


@contextlib.contextmanager
def strangers(server: MoorageServer, says: Callable[[int], bytes]) -> Iterator[None]:
    """Connections that each say something, as far as the server takes it, and then stay."""
    with contextlib.ExitStack() as left:
        for number in range(COUNT):
            each = socket.create_connection(("127.0.0.1", server.port), timeout=20, source_address=(STRANGERS, 0))
            left.callback(each.close)
            each.settimeout(0.05)
            with contextlib.suppress(TimeoutError, ConnectionError):
                each.sendall(says(number))
        yield


def waits(server: MoorageServer, count: int) -> list[float]:
    """How long an honest client waits for each of its answers, in order of length; every tenth on a new connection."""
    found = []
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for number in range(count):
        begun = time.perf_counter()
        if number % 10 == 0:
            connection.close()
        connection.request("GET", "/v2/", headers={"Authorization": "Basic QVdTOng="})
        answer = connection.getresponse()
        answer.read()
        found.append(time.perf_counter() - begun)
        assert answer.status == 401
    connection.close()
    return sorted(found)


@pytest.mark.parametrize("says", [half_head, long_host, unsigned_body, unsigned_chunks, slow_part])
def test_strangers_cost_little(make_server: Callable[..., MoorageServer], stack: str, says: Callable[[int], bytes]) -> None:
    if stack != "sqlite+local":
        return  # nobody of them gets as far as a database or a store
    server = make_server()
    honest = server.create_account("honest")
    ecr = server.client(key=honest)
    name = fresh_name()
    ecr.create_repository(repositoryName=name)
    waits(server, 20)
    before = memory_mib(server)
    with strangers(server, says):
        assert waits(server, 200)[197] < P99_SECONDS
        upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
        begun = time.perf_counter()
        part = b"x" * 20 * MIB  # the largest: 28 MB on the wire, all of which has to find room
        ecr.upload_layer_part(
            repositoryName=name, uploadId=upload, partFirstByte=0, partLastByte=len(part) - 1, layerPartBlob=part
        )
        assert time.perf_counter() - begun < 10
        assert memory_mib(server) - before < MOST_GROWTH_MIB
