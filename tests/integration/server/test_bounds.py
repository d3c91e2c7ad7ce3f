"""What a client may send, and how long it may take."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from moorage.server.http.limits import HttpLimits
from moorage.transfer.handover import Receive, Scope, Send

from .serving import Running, reply, serving, until


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what the scope says of the target and of one header field; /hold waits until the client leaves."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/hold":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    if scope["path"] == "/break":
        raise LookupError("on purpose")
    fields = dict(scope["headers"])
    await reply(send, 200, b"|".join((scope["raw_path"], scope["query_string"], scope["path"].encode(), fields.get(b"x", b""))))


@pytest.fixture
def running() -> Iterator[Running]:
    with serving(echo) as server:
        yield server


def test_path_and_query_stay_as_they_came(running: Running) -> None:
    wire = running.connect()
    wire.request("GET", "/a%2Fb//c+d/%7e?x=%2F+&&y=%41?z")
    assert wire.response()[1] == b"/a%2Fb//c+d/%7e|x=%2F+&&y=%41?z|/a/b//c+d/~|"
    wire.request("GET", "http://elsewhere:5000/v2/?n=1")
    assert wire.response()[1] == b"/v2/|n=1|/v2/|"


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: .a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a..b:80\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: ..\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 700000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 300 + b"\r\n", 431),
    ],
)
def test_what_is_not_acceptable_is_refused_without_a_traceback(
    running: Running, caplog: pytest.LogCaptureFixture, request_text: bytes, status: int
) -> None:
    wire = running.connect()
    wire.send(request_text)
    assert wire.head()[0] == status
    wire.rest()
    assert running.access().status == status
    assert caplog.records == []


def test_a_head_of_almost_the_limit_is_accepted(running: Running) -> None:
    wire = running.connect()
    wire.request("GET", "/" + "p" * 16000, "X: " + "a" * 40000)
    assert wire.response()[1].endswith(b"a" * 40000)


def test_an_error_in_the_application_is_a_500_and_one_log_record(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    wire = running.connect()
    wire.request("GET", "/break")
    assert wire.response()[0] == 500
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    wire.request("GET", "/next")
    assert wire.response()[0] == 200


def test_http_1_0_gets_an_answer_and_the_end_of_the_connection(running: Running) -> None:
    wire = running.connect()
    wire.send(b"GET /x HTTP/1.0\r\n\r\n")
    assert wire.head()[1]["connection"] == "close"
    assert wire.rest() == b"/x||/x|"


def test_a_head_that_comes_too_slowly_is_refused() -> None:
    with serving(echo, limits=HttpLimits(head_seconds=0.4)) as running:
        wire = running.connect()
        wire.send(b"GET / HTTP/1.1\r\n")
        wire.send(b"Host: a\r\n")
        assert wire.head()[0] == 408
        silent = running.connect()
        assert silent.rest() == b""


def test_a_dripping_head_gains_no_time() -> None:
    with serving(echo, limits=HttpLimits(head_seconds=0.4)) as running:
        wire = running.connect()
        pause = threading.Event()
        wire.send(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):  # the client's own drip
            for _ in range(200):
                wire.send(b"X: y\r\n")
                pause.wait(0.02)


def test_an_idle_connection_is_closed() -> None:
    with serving(echo, limits=HttpLimits(keep_alive_seconds=0.3)) as running:
        wire = running.connect()
        wire.request("GET", "/")
        wire.response()
        assert wire.rest() == b""
        until(lambda: running.server.open_connections == 0)


def test_a_running_request_has_no_time_limit() -> None:
    with serving(echo, limits=HttpLimits(keep_alive_seconds=0.1, head_seconds=0.1, stall_seconds=0.1)) as running:
        wire = running.connect()
        wire.request("GET", "/hold")
        wire.socket.settimeout(0.6)
        with pytest.raises(TimeoutError):
            wire.socket.recv(1)


def test_too_many_pipelined_requests_end_the_connection() -> None:
    with serving(echo, limits=HttpLimits(pipelined_requests=10)) as running:
        wire = running.connect()
        wire.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
        answers = wire.rest()
        assert 10 <= answers.count(b"200 OK") <= 12
        assert answers.count(b"HTTP/1.1 503") == 1


def test_trailers_do_not_become_header_fields(running: Running) -> None:
    wire = running.connect()
    wire.request("POST", "/", "Transfer-Encoding: chunked", "X: header")
    wire.send(b"0\r\nX: trailer\r\n\r\n")
    assert wire.response()[1].endswith(b"|header")


def test_idle_connections_cost_little(running: Running) -> None:
    connections = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(2000)]
    try:
        until(lambda: running.server.open_connections == 2000)
        wire = running.connect()
        wire.request("GET", "/x")
        assert wire.response()[0] == 200
    finally:
        for connection in connections:
            connection.close()
    wire.close()
    until(lambda: running.server.open_connections == 0)
