"""Bodies of requests: by a thread on the descriptor, and by the plain path."""

from __future__ import annotations

import contextlib
import hashlib
import random
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.model.errors import StorageFull
from moorage.server.http.limits import HttpLimits
from moorage.transfer.handover import Receive, Scope, Send, receive_into

from .serving import MIB, FileSink, Running, reply, serving, until

SIZE = 5 * MIB + 4321
CONTENT = random.Random(2).randbytes(SIZE)
DIGEST = hashlib.sha256(CONTENT).hexdigest().encode()
TOO_MUCH = 3 * MIB


class Uploads:
    """PUT /any answers with the digest; PUT /full fails with StorageFull at 3 MiB; PUT /early answers without reading."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sinks: list[FileSink] = []
        self.whole: list[bool] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/early":
            await reply(send, 403, b"denied")
            return
        sink = FileSink(self.folder / str(len(self.sinks)), TOO_MUCH if scope["path"] == "/full" else None)
        self.sinks.append(sink)
        try:
            whole = await receive_into(scope, receive, sink)
        except StorageFull:
            await reply(send, 507, b"full")
        else:
            self.whole.append(whole)
            if whole:
                await reply(send, 201, sink.hasher.hexdigest().encode())
        finally:
            sink.close()


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path)


@pytest.fixture(params=["handover", "plain"])
def running(request: pytest.FixtureRequest, uploads: Uploads) -> Iterator[Running]:
    with serving(uploads, handover=request.param == "handover") as server:
        yield server


def chunked(content: bytes, size: int, trailer: bytes = b"") -> bytes:
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailer + b"\r\n"


@pytest.mark.parametrize("size", [0, 1, 1000, MIB - 1, MIB, MIB + 1, SIZE])
def test_a_body_of_known_length_arrives_and_the_connection_goes_on(running: Running, size: int) -> None:
    wire = running.connect()
    for _ in range(2):
        wire.request("PUT", "/any", body=CONTENT[:size])
        assert wire.response() == (201, hashlib.sha256(CONTENT[:size]).hexdigest().encode())
    running.access(1)
    assert [access.bytes_in for access in running.accesses] == [size] * 2


@pytest.mark.parametrize("chunk", [1 << 14, 40000, 3 * MIB])
def test_a_chunked_body_arrives_and_the_connection_goes_on(running: Running, chunk: int) -> None:
    wire = running.connect()
    for _ in range(2):
        wire.request("PATCH", "/any", "Transfer-Encoding: chunked")
        wire.send(chunked(CONTENT, chunk, b"Host: trailers are not header fields\r\n"))
        assert wire.response() == (201, DIGEST)
    assert running.access(1).bytes_in == SIZE


def test_tiny_and_empty_chunked_bodies(running: Running) -> None:
    wire = running.connect()
    for content in (b"", b"abc"):
        wire.request("PATCH", "/any", "Transfer-Encoding: chunked")
        wire.send(chunked(content, 1))
        assert wire.response() == (201, hashlib.sha256(content).hexdigest().encode())


def test_the_sink_works_in_the_pool(running: Running, uploads: Uploads) -> None:
    wire = running.connect()
    wire.request("PUT", "/any", body=CONTENT)
    wire.response()
    wire.request("PUT", "/any", body=b"small")
    wire.response()
    assert all(name.startswith("test-bytes") for sink in uploads.sinks for name in sink.threads)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_requests_pipelined_behind_an_upload_are_answered_in_order(running: Running, framing: str) -> None:
    wire = running.connect()
    first = b"PUT /any HTTP/1.1\r\nHost: h\r\n"
    if framing == "length":
        first += b"Content-Length: %d\r\n\r\n" % SIZE + CONTENT
    else:
        first += b"Transfer-Encoding: chunked\r\n\r\n" + chunked(CONTENT, 60000)
    second = b"PUT /any HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    wire.send(first + second * 20 + first)
    digest = hashlib.sha256(b"abc").hexdigest().encode()
    assert [wire.response() for _ in range(22)] == [(201, DIGEST), *[(201, digest)] * 20, (201, DIGEST)]


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_garbage_behind_an_upload_is_answered_behind_it(running: Running, framing: str) -> None:
    wire = running.connect()
    if framing == "length":
        wire.request("PUT", "/any", body=CONTENT)
    else:
        wire.request("PUT", "/any", "Transfer-Encoding: chunked")
        wire.send(chunked(CONTENT, 60000))
    wire.send(b"\x00\x01 this is not HTTP\r\n\r\n")
    assert wire.response() == (201, DIGEST)
    assert wire.head()[0] == 400


def test_expect_continue_is_answered_before_the_body(running: Running) -> None:
    wire = running.connect()
    wire.request("PUT", "/any", "Expect: 100-continue", f"Content-Length: {SIZE}")
    assert wire.head()[0] == 100
    wire.send(CONTENT)
    assert wire.response() == (201, DIGEST)
    wire.request("PUT", "/any", body=b"")
    assert wire.response()[0] == 201


def test_an_early_answer_to_expect_ends_the_connection(running: Running) -> None:
    wire = running.connect()
    wire.request("PUT", "/early", "Expect: 100-continue", f"Content-Length: {SIZE}")
    status, fields = wire.head()
    assert (status, fields["connection"]) == (403, "close")


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_is_reported(running: Running, uploads: Uploads, framing: str, how: str) -> None:
    wire = running.connect()
    body = CONTENT[: 2 * MIB]
    wire.request("PUT", "/any", f"Content-Length: {SIZE}" if framing == "length" else "Transfer-Encoding: chunked")
    wire.send(body if framing == "length" else chunked(body, 50000)[:-5])
    if how == "close":
        until(lambda: bool(uploads.sinks) and uploads.sinks[0].size > 0)
    getattr(wire, how)()
    until(lambda: bool(uploads.whole))
    assert uploads.whole == [False]
    access = running.access()
    assert access.status == 0
    assert access.bytes_in == uploads.sinks[0].size
    if how == "close":
        assert uploads.sinks[0].size == len(body)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_the_client_reads_the_answer_while_it_still_sends(running: Running, framing: str) -> None:
    wire = running.connect()
    if framing == "length":
        wire.request("PUT", "/full", body=CONTENT)
    else:
        wire.request("PUT", "/full", "Transfer-Encoding: chunked")
        wire.send(chunked(CONTENT, 60000))
    assert wire.response() == (507, b"full")


def test_an_answer_without_reading_is_read_by_a_client_that_sends_all_first(running: Running) -> None:
    wire = running.connect()
    wire.request("PUT", "/early", body=CONTENT * 3)
    status, fields = wire.head()
    assert (status, fields["connection"]) == (403, "close")
    assert wire.rest() == b"denied"


def test_an_unread_small_body_does_not_cost_the_connection(running: Running) -> None:
    wire = running.connect()
    for _ in range(3):
        wire.request("PUT", "/early", body=CONTENT[:200000])
        assert wire.response() == (403, b"denied")


def test_dropping_an_unread_body_has_a_bound(uploads: Uploads) -> None:
    with serving(uploads, limits=HttpLimits(linger_bytes=2 * MIB)) as running:
        wire = running.connect()
        wire.request("PUT", "/early", "Content-Length: 100000000000")
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                wire.send(CONTENT)


@pytest.mark.parametrize("bad", [b"zz\r\n", b"5\r\nabcdefgh\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n"])
def test_broken_chunks_end_the_upload(running: Running, uploads: Uploads, bad: bytes) -> None:
    wire = running.connect()
    wire.request("PATCH", "/any", "Transfer-Encoding: chunked")
    wire.send(chunked(CONTENT[:MIB], 50000)[:-5] + bad)
    assert wire.head()[0] == 400
    wire.rest()
    assert uploads.whole == [False]


def test_endless_chunk_extensions_and_trailers_end_the_upload(running: Running, uploads: Uploads) -> None:
    for tail in (b"5;" + b"x" * 900000, b"0\r\n" + b"a: b\r\n" * 90000):
        wire = running.connect()
        wire.request("PATCH", "/any", "Transfer-Encoding: chunked")
        wire.send(chunked(CONTENT[:MIB], 50000)[:-5])
        with contextlib.suppress(ConnectionError):  # refused while it is still sending
            wire.send(tail)
            assert wire.head()[0] == 400
    until(lambda: len(uploads.whole) == 2)
    assert uploads.whole == [False, False]


@pytest.mark.parametrize("handover", [True, False])
@pytest.mark.parametrize("framing", ["Content-Length: 5000000", "Transfer-Encoding: chunked"])
def test_a_sender_that_stops_is_cut_off(uploads: Uploads, handover: bool, framing: str) -> None:
    with serving(uploads, limits=HttpLimits(stall_seconds=0.3), handover=handover) as running:
        wire = running.connect()
        wire.request("PUT", "/any", framing)
        wire.send(b"5\r\nabcde\r\n")
        until(lambda: bool(uploads.whole))
        assert uploads.whole == [False]
        wire.rest()


@pytest.mark.parametrize("handover", [True, False])
@pytest.mark.parametrize("framing", ["Content-Length: 5000000", "Transfer-Encoding: chunked"])
def test_a_sender_that_drips_is_cut_off(uploads: Uploads, handover: bool, framing: str) -> None:
    """A byte now and then is no progress; whoever sends a little more is only slow."""
    limits = HttpLimits(stall_seconds=0.5, least_per_second=1000)
    with serving(uploads, limits=limits, handover=handover) as running:
        slow, dripping = running.connect(), running.connect()
        pause = threading.Event()
        for wire in (slow, dripping):
            wire.request("PUT", "/any", framing)
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                slow.send(b"c8\r\n" + b"x" * 200 + b"\r\n")
                dripping.send(b"1\r\nx\r\n")
                pause.wait(0.05)
        assert uploads.whole == [False]
        slow.send(b"c8\r\n" + b"x" * 200 + b"\r\n")
        dripping.rest()
        slow.close()
        until(lambda: len(uploads.whole) == 2)


def test_slow_senders_hold_no_thread(uploads: Uploads) -> None:
    with serving(uploads, threads=1) as running:
        slow = [running.connect() for _ in range(30)]
        for wire in slow:
            wire.request("PUT", "/any", f"Content-Length: {SIZE}")
            wire.send(CONTENT[:100])
        fast = running.connect()
        fast.request("PUT", "/any", body=CONTENT)
        assert fast.response() == (201, DIGEST)
        for wire in slow:
            wire.send(CONTENT[100:])
        assert [wire.response() for wire in slow] == [(201, DIGEST)] * 30


def test_tls_takes_the_plain_path(uploads: Uploads, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with serving(uploads, tls=tls) as running:
        wire = running.connect()
        wire.request("PUT", "/any", body=CONTENT)
        assert wire.response() == (201, DIGEST)
        wire.request("PATCH", "/any", "Transfer-Encoding: chunked")
        wire.send(chunked(CONTENT, 60000))
        assert wire.response() == (201, DIGEST)


def test_an_upgrade_is_ignored_also_with_a_body(running: Running) -> None:
    wire = running.connect()
    fields = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB")
    for _ in range(2):
        wire.request("PUT", "/any", *fields, body=CONTENT)
        assert wire.response() == (201, DIGEST)
    wire.request("PUT", "/any", *fields, "Transfer-Encoding: chunked")
    wire.send(chunked(CONTENT, 60000))
    assert wire.response() == (201, DIGEST)
    wire.request("PUT", "/any", *fields)
    assert wire.response()[0] == 201
