"""Bytes of a connection in, requests out: no transport, no event loop, no clock.

`RequestParser` stands on the parser in C of httptools, and adds what that leaves open: bounds on heads and on everything else a
client decides, one way only to say where a body ends (`framing`), targets that stay as they came, and upgrades that are declined.
Whatever comes in, and in whichever pieces, ends in events; what is no HTTP ends in a `Fault`, never in an exception.

Which events a client gets out of the parser does not hang on where the network cuts its bytes, with one exception: empty lines
before a request and blanks around a value count only if they arrive in a piece that shows nothing else.
"""

from __future__ import annotations

import enum
from typing import Final

import httptools
from msgspec import Struct

from moorage.server.http.framing import is_framed, is_host
from moorage.server.http.limits import HttpLimits

_LINE_BYTES = 32
"""What a head has beside its target and its fields, at most: so the bound on the fields is never above that on raw bytes."""


_READ_HERE = frozenset((b"host", b"user-agent", b"content-length", b"transfer-encoding", b"expect"))


class RequestHead(Struct, frozen=True, gc=False):
    """A request whose head is whole. Its body follows in further events, unless `length` is 0."""

    method: str
    version: str
    """``1.1`` or ``1.0``."""
    raw_path: bytes
    """As it came: begins with a slash, is ASCII and has no fragment."""
    query: bytes
    """As it came, without the question mark."""
    fields: list[tuple[bytes, bytes]]
    """Header fields in their order, names in lower case."""
    agent: bytes
    """User-Agent."""
    length: int | None
    """Of the body; None: it is chunked."""
    keep_alive: bool
    """Whether the client lets another request follow."""
    expects_continue: bool
    """Whether it waits for ``100 Continue`` before it sends the body."""
    asks_upgrade: bool
    """For another protocol; it is answered in HTTP/1.1 (RFC 9110, section 7.8)."""


class BodyEnd(enum.Enum):
    """The body is whole."""

    BODY_END = enum.auto()


BODY_END: Final = BodyEnd.BODY_END


class Fault(Struct, frozen=True, gc=False):
    """What came cannot be accepted. Nothing comes after it."""

    status: int
    """To answer with: 400, 414, 431 or 505."""
    in_body: bool
    """True if it broke the body of the last head that was shown, False if it stands where a head should."""
    agent: bytes
    """User-Agent of the request that it is part of, as far as that has come."""


Event = RequestHead | bytes | BodyEnd | Fault
"""Bytes are a piece of the body, never empty."""


class _Refused(Exception):
    """Raised in a callback to stop the parser in C, which swallows it; the status is kept here."""


class RequestParser:
    """The requests of one connection. Feed it in one thread at a time.

    Args:
        limits: of these the bounds on sizes; time is the business of whoever feeds.
    """

    __slots__ = (
        "_codings", "_events", "_expects_continue", "_fields", "_head_bytes", "_hosts", "_is_broken", "_is_primed", "_length",
        "_lengths", "_limits", "_parser", "_status", "_target", "_upgrading", "agent", "in_head", "quiet_bytes",
    )  # fmt: skip

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self.in_head = True
        """Whether the next byte is one of a head, or of what may stand before it."""
        self.quiet_bytes = 0
        """How many have come since there was something to show for them; in the head: whether it has begun."""
        self._events: list[Event] = []
        self._is_broken = False
        self._is_primed = False
        self._status = 0
        self._upgrading = False
        self._length: int | None = 0
        self.on_message_begin()
        self._parser: httptools.HttpRequestParser | None = self._fresh()

    def feed(self, data: bytes | memoryview) -> list[Event]:
        """Take what the client sent, and tell what it amounts to. After a `Fault` nothing amounts to anything."""
        events: list[Event] = []
        parser = self._parser
        if self._is_broken or parser is None:
            return events
        self._events = events
        rest = data
        try:
            while rest:
                try:
                    parser.feed_data(rest)
                except httptools.HttpParserUpgrade as upgrade:
                    rest = memoryview(rest)[upgrade.args[0] :]
                    parser = self._decline_upgrade()
                else:
                    break
        except httptools.HttpParserError:
            self._break(self._status or 400)
        else:
            if events:
                self.quiet_bytes = 0
            else:
                self._count_quiet(len(data))
        return events

    def body_was_taken(self) -> None:
        """Somebody else has read the rest of the body from the connection: what comes next is a head."""
        self._parser = self._fresh()
        self.in_head = True
        self.quiet_bytes = 0

    def close(self) -> None:
        """Let go of the parser in C, which holds callbacks of this object."""
        self._is_broken = True
        self._parser = None

    # Callbacks of the parser in C

    def on_message_begin(self) -> None:
        if self._is_primed:
            return
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._head_bytes = _LINE_BYTES
        self.agent = b""
        """User-Agent of the head that is being read, as far as it has come."""
        self._hosts: tuple[bytes, ...] = ()
        self._codings: tuple[bytes, ...] = ()
        self._lengths: tuple[bytes, ...] = ()
        self._length = 0
        self._expects_continue = False

    def on_url(self, piece: bytes) -> None:
        if self._is_primed:
            return
        self._target += piece
        self._head_bytes += len(piece)
        if len(self._target) > self._limits.target_bytes:
            self._refuse(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_primed or not self.in_head:
            return  # trailers are not header fields (RFC 9110, 6.5)
        self._head_bytes += len(name) + len(value) + 4
        limits = self._limits
        if self._head_bytes > limits.head_bytes or len(self._fields) >= limits.header_fields:
            self._refuse(431)
        name = name.lower()
        self._fields.append((name, value))
        if name in _READ_HERE:
            self._read(name, value)

    def on_headers_complete(self) -> None:
        if self._is_primed:
            self._is_primed = False
            self.in_head = False
            return
        parser = self._parser
        assert parser is not None, "closed meanwhile"
        version = parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            self._refuse(505)
        hosts = self._hosts
        if len(hosts) != 1 if version == "1.1" else len(hosts) > 1:
            self._refuse(400)  # RFC 9112, 3.2
        if hosts and not is_host(hosts[0]):
            self._refuse(400)
        if self._codings or self._lengths:
            if not is_framed(version, self._codings, self._lengths):
                self._refuse(400)
            self._length = None if self._codings else int(self._lengths[0])
        self._upgrading = parser.should_upgrade()
        target = self._target
        if not target.startswith(b"/"):
            target = self._origin_form(target)
        if b"#" in target:
            self._refuse(400)
        raw_path, _, query = target.partition(b"?")
        self.in_head = False
        self._events.append(
            RequestHead(
                parser.get_method().decode("ascii"),
                version,
                raw_path,
                query,
                self._fields,
                self.agent,
                self._length,
                version == "1.1" and parser.should_keep_alive(),
                self._expects_continue,
                self._upgrading,
            )
        )

    def on_body(self, piece: bytes) -> None:
        self._events.append(piece)

    def on_message_complete(self) -> None:
        if self._upgrading:
            return  # it is complete for a parser that believes in the upgrade
        self.in_head = True
        if self._length != 0:
            self._events.append(BODY_END)

    # Inside

    def _read(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self._hosts += (value,)
        elif name == b"user-agent":
            self.agent = value
        elif name == b"content-length":
            self._lengths += (value,)
        elif name == b"transfer-encoding":
            self._codings += (value,)
        elif value.lower() == b"100-continue":
            self._expects_continue = True

    def _fresh(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # What stands behind a request that says `Connection: close` is swallowed: no fault of that one.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _origin_form(self, target: bytes) -> bytes:
        # RFC 9112, 3.2.2: absolute-form must be accepted. Authority-form and asterisk-form have no use here.
        parsed = httptools.parse_url(target)
        if not parsed.schema:
            self._refuse(400)
        return (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")

    def _refuse(self, status: int) -> None:
        self._status = status
        raise _Refused

    def _break(self, status: int) -> None:
        self._is_broken = True
        self._events.append(Fault(status, not self.in_head, self.agent))

    def _decline_upgrade(self) -> httptools.HttpRequestParser:
        """Go on in HTTP/1.1. The parser in C has given up; a new one is told where in the request it stands."""
        self._upgrading = False
        length = self._length
        self._parser = parser = self._fresh()
        self.in_head = True
        if length != 0:
            self._is_primed = True
            framing = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
            parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        return parser

    def _count_quiet(self, count: int) -> None:
        """Bound what is swallowed without anything to show for it: endless heads, trailers, chunk extensions."""
        self.quiet_bytes += count
        if self.quiet_bytes > self._limits.head_bytes:
            self._break(431 if self.in_head else 400)
