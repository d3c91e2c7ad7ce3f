"""When as many connections are open as may be, those that wait for their client make room, whatever they wait for."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest

from moorage.server.http.limits import HttpLimits
from moorage.transfer.handover import Receive, Scope, Send

from .serving import Running, reply, serving, until

MOST = 32
HEAD = b"Host: a\r\n"


async def reading(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body, and answers; /hold never does."""
    if scope["type"] != "http":
        return
    while (message := await receive()).get("more_body", False):
        pass
    if scope["path"] == "/hold":
        while (await receive())["type"] != "http.disconnect":
            pass
    elif message["type"] == "http.request":
        await reply(send, 200, b"x")


@contextlib.contextmanager
def many(running: Running, sent: bytes, count: int = 4 * MOST) -> Iterator[None]:
    with contextlib.ExitStack() as left:
        for _ in range(count):
            each = socket.create_connection(("127.0.0.1", running.port), 20, ("127.0.0.9", 0))
            left.callback(each.close)
            with contextlib.suppress(ConnectionError):
                each.sendall(sent)
        yield


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"PUT / HTTP/1.1\r\n" + HEAD + b"Content-Length: 100\r\n\r\nx",
        b"PUT / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\n\r\n\x00GET",
        b"broken\r\n\r\n",
    ],
)
def test_others_get_in(sent: bytes) -> None:
    with serving(reading, limits=HttpLimits(connections=MOST)) as running, many(running, sent):
        for _ in range(20):
            wire = running.connect()
            wire.request("GET", "/")
            assert wire.response() == (200, b"x")
            wire.close()
        assert running.server.open_connections <= MOST


def test_handshakes_that_do_not_end_make_room(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    with serving(reading, limits=HttpLimits(connections=MOST), tls=tls) as running:
        for sent in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"):
            with many(running, sent):
                for _ in range(5):
                    wire = running.connect()
                    wire.request("GET", "/")
                    assert wire.response() == (200, b"x")
                    wire.close()
        until(lambda: running.server.open_connections == 0)


def test_requests_that_are_worked_on_stay_and_others_wait_for_them() -> None:
    with serving(reading, limits=HttpLimits(connections=4)) as running:
        holding = [running.connect() for _ in range(4)]
        for wire in holding:
            wire.request("GET", "/hold")
        until(lambda: running.server.open_connections == 4)
        late = running.connect()
        late.request("GET", "/")
        late.socket.settimeout(0.3)
        with pytest.raises(TimeoutError):
            late.socket.recv(1)
        late.socket.settimeout(20)
        holding[0].close()
        assert late.response() == (200, b"x")
