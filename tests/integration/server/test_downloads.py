"""Bodies of responses: by a thread on the descriptor, and by the plain path."""

from __future__ import annotations

import os
import random
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.server.http.limits import HttpLimits
from moorage.transfer.handover import Receive, Scope, Send, send_source

from .serving import FRAME_BYTES, MIB, FileSource, Running, SealedSource, reply, seal, serving, until

SIZE = 6 * MIB + 12345
CONTENT = random.Random(1).randbytes(SIZE)


class Downloads:
    """GET /sealed, /file, /short (promises more than there is), /mismatch, /corrupt, /small; ?start-stop picks a range."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "file").write_bytes(CONTENT)
        seal(CONTENT, folder / "sealed")
        self.sources: list[SealedSource | FileSource] = []
        self.returned: list[int] = []
        self.errors: list[BaseException] = []

    def corrupt(self, frame: int) -> None:
        with (self.folder / "sealed").open("r+b") as file:
            file.seek(frame * (FRAME_BYTES + 16) + 100)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        kind = scope["path"][1:]
        if kind == "small":
            await reply(send, 200, b"small")
            return
        source: SealedSource | FileSource
        if kind == "short":
            source = FileSource(self.folder / "file", SIZE + 1)
        else:
            source = (SealedSource if kind == "sealed" else FileSource)(self.folder / ("sealed" if kind == "sealed" else "file"))
        self.sources.append(source)
        start, stop = (int(text) for text in (scope["query_string"].decode() or f"0-{source.size}").split("-"))
        length = stop - start + (kind == "mismatch")
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", str(length).encode())]})
        try:
            self.returned.append(await send_source(scope, send, source, start, stop))
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            source.close()


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    return Downloads(tmp_path)


@pytest.fixture(params=["handover", "plain"])
def running(request: pytest.FixtureRequest, downloads: Downloads) -> Iterator[Running]:
    with serving(downloads, handover=request.param == "handover") as server:
        yield server


KINDS = pytest.mark.parametrize("kind", ["sealed", "file"])


@KINDS
@pytest.mark.parametrize("span", [(0, SIZE), (0, 1), (SIZE - 1, SIZE), (MIB - 1, MIB + 1), (5, 4 * MIB), (77, 77)])
def test_a_range_is_exact_and_the_connection_goes_on(running: Running, kind: str, span: tuple[int, int]) -> None:
    wire = running.connect()
    for _ in range(2):
        wire.request("GET", f"/{kind}?{span[0]}-{span[1]}")
        status, body = wire.response()
        assert status == 200
        assert body == CONTENT[span[0] : span[1]]
    running.access(1)
    assert [access.bytes_out for access in running.accesses] == [span[1] - span[0]] * 2


@KINDS
def test_head_sends_the_length_and_no_byte(running: Running, downloads: Downloads, kind: str) -> None:
    wire = running.connect()
    wire.request("HEAD", f"/{kind}")
    assert wire.head()[1]["content-length"] == str(SIZE)
    wire.request("GET", "/small")
    assert wire.response() == (200, b"small")
    assert downloads.returned == [0]


@KINDS
def test_requests_pipelined_behind_a_download_are_answered_in_order(running: Running, kind: str) -> None:
    wire = running.connect()
    for target in (f"/{kind}", "/small", f"/{kind}?3-9", "/small"):
        wire.request("GET", target)
    assert [wire.response()[1] for _ in range(4)] == [CONTENT, b"small", CONTENT[3:9], b"small"]


@KINDS
def test_twenty_requests_that_come_during_a_download_wait_for_its_end(running: Running, kind: str) -> None:
    wire = running.connect(receive_buffer=65536)
    wire.request("GET", f"/{kind}")
    wire.head()
    wire.body(MIB)
    for _ in range(20):
        wire.request("GET", "/small")
    assert wire.body(SIZE - MIB) == CONTENT[MIB:]
    assert [wire.response()[1] for _ in range(20)] == [b"small"] * 20


@KINDS
def test_garbage_during_a_download_is_answered_behind_it(running: Running, kind: str) -> None:
    wire = running.connect(receive_buffer=65536)
    wire.request("GET", f"/{kind}")
    wire.head()
    wire.body(MIB)
    wire.send(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
    assert wire.body(SIZE - MIB) == CONTENT[MIB:]
    assert wire.head()[0] == 400
    wire.rest()


@KINDS
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_is_reported(running: Running, downloads: Downloads, kind: str, how: str) -> None:
    wire = running.connect(receive_buffer=4096)
    wire.request("GET", f"/{kind}")
    wire.head()
    getattr(wire, how)()
    access = running.access()
    assert access.status == 200
    assert not access.whole
    assert access.bytes_out < SIZE
    until(lambda: downloads.sources[0].closed)
    assert not downloads.sources[0].used_after_close
    assert downloads.errors == []
    assert downloads.returned[0] < SIZE


def test_corruption_in_the_middle_breaks_the_connection(running: Running, downloads: Downloads) -> None:
    downloads.corrupt(4)
    wire = running.connect()
    wire.request("GET", "/sealed")
    assert wire.head()[0] == 200
    received = wire.rest()
    assert received == CONTENT[: len(received)]
    assert len(received) <= 4 * FRAME_BYTES
    assert not running.access().whole
    assert type(downloads.errors[0]).__name__ == "StorageCorrupt"


def test_corruption_at_the_start_is_an_error_with_a_status(running: Running, downloads: Downloads) -> None:
    downloads.corrupt(0)
    wire = running.connect()
    wire.request("GET", "/sealed")
    assert wire.response()[0] == 500
    assert running.access().status == 500


def test_a_file_that_is_shorter_than_promised_breaks_the_connection(running: Running) -> None:
    wire = running.connect()
    wire.request("GET", "/short")
    assert wire.head()[0] == 200
    assert len(wire.rest()) <= SIZE


def test_a_length_that_differs_from_the_announced_one_is_refused(running: Running) -> None:
    wire = running.connect()
    wire.request("GET", "/mismatch")
    status, _ = wire.head()
    body = wire.rest() if status == 200 else b""
    assert status == 500 or len(body) < SIZE + 1


@KINDS
def test_every_write_blocks(downloads: Downloads, kind: str) -> None:
    with serving(downloads, send_buffer=2048) as running:
        wire = running.connect(receive_buffer=2048)
        wire.request("GET", f"/{kind}?0-{2 * MIB}")
        assert wire.response() == (200, CONTENT[: 2 * MIB])


@KINDS
def test_slow_readers_hold_no_thread(downloads: Downloads, kind: str) -> None:
    with serving(downloads, threads=1, send_buffer=4096) as running:
        slow = [running.connect(receive_buffer=4096) for _ in range(30)]
        for wire in slow:
            wire.request("GET", f"/{kind}")
            wire.head()
        fast = running.connect()
        fast.request("GET", f"/{kind}?0-{MIB}")
        assert fast.response() == (200, CONTENT[:MIB])
        assert running.pool.running <= 1


@KINDS
def test_a_reader_that_stops_is_cut_off(downloads: Downloads, kind: str) -> None:
    with serving(downloads, limits=HttpLimits(stall_seconds=0.3), send_buffer=4096) as running:
        wire = running.connect(receive_buffer=4096)
        wire.request("GET", f"/{kind}")
        assert not running.access().whole
        wire.rest()


@KINDS
def test_a_reader_that_makes_progress_may_take_its_time(downloads: Downloads, kind: str) -> None:
    with serving(downloads, limits=HttpLimits(stall_seconds=0.4), send_buffer=4096) as running:
        wire = running.connect(receive_buffer=4096)
        wire.request("GET", f"/{kind}?0-40000")
        wire.head()
        pause = threading.Event()
        body = b""
        while len(body) < 40000:
            body += wire.body(min(2500, 40000 - len(body)))
            pause.wait(0.08)  # the client's own speed: four times the limit in total
        assert body == CONTENT[:40000]


def test_plain_responses_to_a_reader_that_stops_are_cut_off(downloads: Downloads) -> None:
    with serving(downloads, limits=HttpLimits(stall_seconds=0.3), handover=False, send_buffer=4096) as running:
        wire = running.connect(receive_buffer=4096)
        wire.request("GET", "/sealed")
        assert not running.access().whole


def test_a_thousand_idle_connections_do_not_disturb(downloads: Downloads) -> None:
    with serving(downloads) as running:
        for _ in range(1000):
            running.connect()
        until(lambda: running.server.open_connections == 1000)
        wires = [running.connect() for _ in range(8)]
        for wire in wires:
            wire.request("GET", "/sealed")
        for wire in wires:
            assert wire.response() == (200, CONTENT)


def test_tls_takes_the_plain_path(downloads: Downloads, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with serving(downloads, tls=tls) as running:
        wire = running.connect()
        for _ in range(2):
            wire.request("GET", "/sealed")
            assert wire.response() == (200, CONTENT)
