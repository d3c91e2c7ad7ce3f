"""Bytes in, requests out: the same whatever the network does to the bytes, and never an exception."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moorage.server.http.limits import HttpLimits
from moorage.server.http.parser import BODY_END, BodyEnd, Event, Fault, RequestHead, RequestParser

LIMITS = HttpLimits()
TIGHT = HttpLimits(head_bytes=400, target_bytes=80, header_fields=8)
STATUSES = {400, 414, 431, 505}
TOKEN = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789!#$%&'*+-.^_`|~"
"""What names of header fields consist of (RFC 9110, 5.6.2)."""


@dataclass(frozen=True)
class Sent:
    """A request as a client writes it."""

    method: str
    path: str
    query: str
    version: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    chunks: tuple[int, ...] | None
    """Sizes of chunks; None: the body has a Content-Length, or none if it is empty."""
    extension: str
    trailers: str
    is_absolute: bool
    asks_upgrade: bool
    expects: bool

    def head(self) -> bytes:
        target = ("http://else.where:80" if self.is_absolute else "") + self.path + (f"?{self.query}" if self.query else "")
        lines = [f"{self.method} {target} HTTP/{self.version}", "Host: registry.example:5000"]
        lines += [f"{name}: {value}" for name, value in self.fields]
        if self.asks_upgrade:
            lines += ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"]
        if self.expects:
            lines.append("Expect: 100-continue")
        if self.chunks is not None:
            lines.append("Transfer-Encoding: chunked")
        elif self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def framed(self) -> bytes:
        if self.chunks is None:
            return self.body
        pieces, rest, sizes = [], self.body, list(self.chunks)
        while rest:
            size = min(len(rest), sizes.pop()) if sizes else len(rest)
            pieces.append(b"%x%b\r\n%b\r\n" % (size, self.extension.encode(), rest[:size]))
            rest = rest[size:]
        return b"".join(pieces) + b"0\r\n" + self.trailers.encode() + b"\r\n"

    def shown(self) -> list[Event]:
        """What a parser has to make of it."""
        head = RequestParser(LIMITS).feed(self.head())[0]
        assert isinstance(head, RequestHead)
        assert (head.method, head.version) == (self.method, self.version)
        assert (head.raw_path, head.query) == (self.path.encode(), self.query.encode())
        assert head.fields[1 : 1 + len(self.fields)] == [
            (name.lower().encode(), value.encode("latin-1")) for name, value in self.fields
        ]
        assert head.length == (None if self.chunks is not None else len(self.body))
        assert (head.asks_upgrade, head.expects_continue) == (self.asks_upgrade, self.expects)
        if head.length == 0:
            return [head]
        return [head, *([self.body] if self.body else []), BODY_END]


paths = st.text("abz019-._~%/+:@!$&'()*,;=", max_size=20).map(lambda text: "/" + text)
values = st.text('abc 019:;,="\t\xe9', max_size=20).map(str.strip).filter(bool)
names = st.text(TOKEN, min_size=1, max_size=12).map(lambda name: "X" + name)
requests = st.builds(
    Sent,
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    path=paths,
    query=st.text("abz019-._~%/+:@=&?", max_size=12),
    version=st.just("1.1"),
    fields=st.lists(st.tuples(names, values), max_size=4).map(tuple),
    body=st.binary(max_size=60),
    chunks=st.none() | st.lists(st.integers(1, 9), max_size=6).map(tuple),
    extension=st.sampled_from(["", ";a", ";a=b", ';a="b c"']),
    trailers=st.sampled_from(["", "A: b\r\n", "Host: other\r\nX: y\r\n"]),
    is_absolute=st.booleans(),
    asks_upgrade=st.booleans(),
    expects=st.booleans(),
)


def joined(events: Iterable[Event]) -> list[Event]:
    """Events with neighbouring pieces of a body put together."""
    told: list[Event] = []
    for event in events:
        if isinstance(event, bytes) and told and isinstance(told[-1], bytes):
            told[-1] += event
        else:
            told.append(event)
    return told


def parsed(pieces: Iterable[bytes], limits: HttpLimits = LIMITS) -> list[Event]:
    parser = RequestParser(limits)
    events = joined(event for piece in pieces for event in parser.feed(piece))
    check(events)
    if any(isinstance(event, Fault) for event in events):
        assert parser.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == []
    parser.close()
    assert parser.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == []
    return events


def check(events: Sequence[Event]) -> None:
    """What holds of all events of a connection, whatever was sent."""
    head: RequestHead | None = None  # whose body is being read
    came = 0
    for number, event in enumerate(events):
        if isinstance(event, Fault):
            assert number == len(events) - 1
            assert event.status in STATUSES
            assert event.in_body == (head is not None)
        elif isinstance(event, RequestHead):
            assert head is None
            assert event.raw_path.startswith(b"/")
            assert event.raw_path.isascii()
            assert b"#" not in event.raw_path + event.query
            assert event.version in {"1.0", "1.1"}
            assert all(name == name.lower() and b"\r" not in value and b"\n" not in value for name, value in event.fields)
            head, came = (event if event.length != 0 else None), 0
        elif isinstance(event, BodyEnd):
            assert head is not None
            assert head.length in {None, came}
            head = None
        else:
            assert head is not None
            assert event
            came += len(event)
            assert head.length is None or came <= head.length


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:stop] for start, stop in itertools.pairwise(edges)]


@given(st.lists(requests, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_what_was_sent_is_what_comes_out_wherever_it_is_cut(sent: list[Sent]) -> None:
    data = b"".join(each.head() + each.framed() for each in sent)
    wanted = [event for each in sent for event in each.shown()]
    assert parsed([data]) == wanted
    assert parsed(bytewise(data)) == wanted
    for place in range(1, len(data)):
        assert parsed([data[:place], data[place:]]) == wanted, place


MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["drop", "put", "swap"]), st.integers(0, 5000), st.sampled_from([*b"\0\r\n \t:;,/%0fFzZ-\x7f\x80\xff"])
    ),
    min_size=1,
    max_size=4,
)


def mutated(data: bytes, mutations: Sequence[tuple[str, int, int]]) -> bytes:
    changed = bytearray(data)
    for kind, at, byte in mutations:
        place = at % len(changed)
        if kind == "drop":
            del changed[place]
        elif kind == "put":
            changed.insert(place, byte)
        else:
            changed[place] = byte
    return bytes(changed)


@given(st.lists(requests, min_size=1, max_size=2), MUTATIONS, st.lists(st.integers(0, 5000), max_size=8))
@settings(max_examples=150, deadline=None)
def test_damage_is_judged_alike_wherever_it_is_cut(
    sent: list[Sent], mutations: list[tuple[str, int, int]], places: list[int]
) -> None:
    data = mutated(b"".join(each.head() + each.framed() for each in sent), mutations)
    whole = parsed([data])
    assert parsed(bytewise(data)) == whole
    assert parsed(cut(data, places)) == whole


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
@settings(max_examples=100, deadline=None)
def test_noise_is_refused_or_waited_for(data: bytes, places: list[int]) -> None:
    whole = parsed([data])
    assert parsed(cut(data, places)) == whole
    assert all(isinstance(event, Fault) for event in whole)


@given(
    st.lists(st.tuples(names, st.text("abc", min_size=1, max_size=60)), max_size=10),
    st.text("abc", max_size=120),
    st.lists(st.integers(0, 2000), max_size=6),
)
@settings(max_examples=100, deadline=None)
def test_a_bound_on_the_head_holds_to_the_byte_wherever_it_is_cut(
    fields: list[tuple[str, str]], path: str, places: list[int]
) -> None:
    lines = [f"GET /{path} HTTP/1.1", "Host: a", *(f"{name}: {value}" for name, value in fields)]
    data = "\r\n".join([*lines, "", ""]).encode()
    whole = parsed([data], TIGHT)
    assert len(whole) == 1
    if len(data) > TIGHT.head_bytes:
        assert isinstance(whole[0], Fault)
    assert parsed(bytewise(data), TIGHT) == whole
    assert parsed(cut(data, places), TIGHT) == whole


@pytest.mark.parametrize(
    ("endless", "begin", "status", "in_body"),
    [
        (b"\r\n", b"", 431, False),
        (b"a", b"GET /", 414, False),
        (b"X: a\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n", 431, False),
        (b"a", b"GET / HTTP/1.1\r\nHost: a\r\nX: ", 431, False),
        (b" ", b"GET / HTTP/1.1\r\nHost: a\r\nX:", 431, False),
        (b"a", b"GET / HTTP/1.1\r\nHost: a\r\nX", 431, False),
        (b"a", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", 400, True),
        (b"A: b\r\n", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", 400, True),
        (b"0", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400, True),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1, 1000, 100_000])
def test_what_never_ends_is_ended(endless: bytes, begin: bytes, status: int, in_body: bool, piece_bytes: int) -> None:
    parser = RequestParser(LIMITS)
    events = parser.feed(begin)
    piece = (endless * (piece_bytes // len(endless) + 1))[: max(piece_bytes // len(endless), 1) * len(endless)]
    taken = 0
    while not any(isinstance(event, Fault) for event in events):
        events += parser.feed(piece)
        taken += len(piece)
        assert taken <= LIMITS.head_bytes + len(piece)
    assert isinstance(events[-1], Fault)
    assert (events[-1].status, events[-1].in_body) == (status, in_body)


def test_a_body_that_somebody_else_has_read_is_behind_us() -> None:
    parser = RequestParser(LIMITS)
    head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
    assert [type(event) for event in parser.feed(head + b"ab")] == [RequestHead, bytes]
    parser.body_was_taken()
    assert [type(event) for event in parser.feed(head + b"abcde")] == [RequestHead, bytes, BodyEnd]


def test_what_stands_behind_the_last_request_is_swallowed() -> None:
    data = b"GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n\0"
    for pieces in ([data], bytewise(data)):
        (head,) = parsed(pieces)
        assert isinstance(head, RequestHead)
        assert not head.keep_alive


def test_who_is_refused_is_known() -> None:
    data = b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: crane/1\r\nContent-Length: x\r\n\r\n"
    assert parsed([data]) == [Fault(400, False, b"crane/1")]


def test_many_upgrades_in_one_piece_are_declined_one_by_one() -> None:
    one = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert len(parsed([one * 5000])) == 5000
