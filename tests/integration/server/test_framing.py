"""Where a body ends is said in one way or the request is refused, whatever else its head asks for."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator

import pytest

from moorage.server.http.limits import HttpLimits
from moorage.transfer.handover import Receive, Scope, Send

from .serving import Running, reply, serving

Tls = tuple[ssl.SSLContext, ssl.SSLContext]

# What the head says of the body, each of which is refused.
FAULTY = {
    "another coding": "Transfer-Encoding: gzip",
    "chunked after another coding": "Transfer-Encoding: gzip, chunked",
    "another coding in a field before": "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
    "chunked before another coding": "Transfer-Encoding: chunked, gzip",
    "chunked twice": "Transfer-Encoding: chunked, chunked",
    "chunked in two fields": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "nearly chunked": "Transfer-Encoding: xchunked",
    "identity": "Transfer-Encoding: identity",
    "an empty coding": "Transfer-Encoding:",
    "a folded coding": "Transfer-Encoding:\r\n chunked",
    "a control character": "Transfer-Encoding: \x0bchunked",
    "a coding and a length": "Transfer-Encoding: chunked\r\nContent-Length: 3",
    "a length and a coding": "Content-Length: 3\r\nTransfer-Encoding: chunked",
    "a length twice": "Content-Length: 3\r\nContent-Length: 3",
    "two lengths": "Content-Length: 3\r\nContent-Length: 4",
    "a list of lengths": "Content-Length: 3, 3",
    "a signed length": "Content-Length: +3",
    "an empty length": "Content-Length:",
    "a length that is none": "Content-Length: 1_0",
    "an endless length": "Content-Length: 99999999999999999999999",
    "a folded field": "X: a\r\n b\r\nContent-Length: 3",
    "a space before the colon": "Content-Length : 3",
}
# What else the head asks for.
BESIDE = {
    "nothing": "",
    "an upgrade": "Connection: Upgrade\r\nUpgrade: h2c\r\n",
    "an upgrade of a socket": "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
    "the word to go on": "Expect: 100-continue\r\n",
    "both": "Expect: 100-continue\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n",
}
GOOD = "GET /before HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADED = "POST /before HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi"
BEHIND = "3\r\nabc\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
DATE = re.compile(rb"\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n")


async def told(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the path and the body that the application was given."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await reply(send, 200, scope["raw_path"] + b" " + body)


@pytest.fixture(params=["plain", "tls"])
def running(request: pytest.FixtureRequest, tls: Tls) -> Iterator[Running]:
    limits = HttpLimits(linger_seconds=0.05, stall_seconds=0.4)  # a client of TLS waits for the server to let go of it
    with serving(told, tls=tls if request.param == "tls" else None, limits=limits) as server:
        yield server


@pytest.mark.parametrize("before", ["", GOOD, UPGRADED], ids=["first", "second", "behind an upgrade"])
@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
def test_a_faulty_framing_is_refused_and_ends_the_connection(running: Running, beside: str, before: str) -> None:
    wires = {fault: running.connect() for fault in FAULTY.values()}
    for fault, wire in wires.items():
        wire.send((before + f"POST /x HTTP/1.1\r\nHost: a\r\n{beside}{fault}\r\n\r\n" + BEHIND).encode("latin-1"))
    for fault, wire in wires.items():
        answers = wire.rest()
        assert [answer[:3] for answer in answers.split(b"HTTP/1.1 ")[1:]] == [b"200"] * bool(before) + [b"400"], (fault, answers)
        assert b"smuggled" not in answers, fault
        assert len(DATE.findall(answers)) == answers.count(b"HTTP/1.1 "), fault


@pytest.mark.parametrize(
    "request_text",
    [
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + BEHIND,
        "POST / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n" + BEHIND,
        "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + BEHIND,
        "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n" + BEHIND,
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "PRI * HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_no_body_of_ours_goes_with_is_refused(running: Running, request_text: str) -> None:
    wire = running.connect()
    wire.send(request_text)
    answers = wire.rest()
    assert answers.startswith((b"HTTP/1.1 400", b"HTTP/1.1 505"))
    assert answers.count(b"HTTP/1.1 ") == 1
    assert len(DATE.findall(answers)) == 1


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
def test_a_good_framing_is_read_alike_whatever_stands_beside_it(running: Running, beside: str) -> None:
    """Bodies and the requests behind them arrive whole, also pipelined behind an upgrade that is not taken."""
    wire = running.connect()
    head = f"HTTP/1.1\r\nHost: a\r\n{beside}"
    wire.send(
        f"POST /1 {head}Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        f"POST /2 {head}Content-Length: 2\r\n\r\nhi"
        f"GET /3 {head}\r\n"
        "GET /4 HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    seen: list[bytes] = []
    while len(seen) < 4:
        status, fields = wire.head()
        if status == 200:
            seen.append(wire.body(int(fields["content-length"])))
    assert seen == [b"/1 abc", b"/2 hi", b"/3 ", b"/4 "]


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("", True),
        ("localhost:5050", True),
        ("[::1]:5050", True),
        ("[2001:db8::1]", True),
        ("a_b.example", True),
        ("a" * 255, True),
        ("a" * 256, False),
        ("a" * 60_000, False),
        ("a b", False),
        ("a/b", False),
        ("a:b", False),
        ("a:123456", False),
        ("a:1:2", False),
        ("user@a", False),
        ('a"b', False),
        ("a,b", False),
        ("[::1", False),
        ("::1", False),
        ("a%00b", False),
        ("é.example", False),
    ],
)
def test_a_host_that_is_none_is_refused(running: Running, host: str, is_one: bool) -> None:
    wire = running.connect()
    wire.send(f"GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert wire.head()[0] == (200 if is_one else 400)
