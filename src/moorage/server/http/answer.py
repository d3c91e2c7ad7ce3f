"""One response in bytes: its head, and how its body is framed. Nothing here knows a connection.

What an application may say is checked here: a header field that would split the response, a length that the body does not have.
"""

from __future__ import annotations

import http
import re
from collections.abc import Iterable

_INVALID_NAME = re.compile(rb"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")
_INVALID_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_MOST_NAMES = 256
_known_names: dict[bytes, bytes] = {}


def _status_line(status: int) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


STATUS_LINE = {status: _status_line(status) for status in range(100, 600)}
"""The first line of a response, by its status."""


def own_fields(date: bytes, request_id: bytes) -> bytes:
    """What every response carries, rendered: its Date, and the request's id. No application sets them."""
    return b"date: %b\r\nx-request-id: %b\r\n" % (date, request_id)


class Answer:
    """A response that an application has started.

    Args:
        fields: header fields of the application; a name may come more than once.
        date: the time of the answer, not of the request: clients take the Date of a long upload's answer for the server's clock.
        keep_alive: whether the connection may go on as far as the server is concerned.
        to_head: whether it answers HEAD, so that no body leaves.
        to_1_0: whether it answers a client of HTTP/1.0, which knows no chunks.

    Raises RuntimeError for fields that no application may send.
    """

    __slots__ = ("_is_bare", "_left", "bytes_out", "head", "is_chunked", "keep_alive", "status", "until_close")

    def __init__(
        self,
        status: int,
        fields: Iterable[tuple[bytes, bytes]],
        *,
        date: bytes,
        request_id: bytes,
        keep_alive: bool,
        to_head: bool = False,
        to_1_0: bool = False,
    ) -> None:
        # One value in every fourth place, so that all can be looked at together.
        lines = [STATUS_LINE[status], b"date", b": ", date, b"\r\n"]
        length: bytes | None = None
        says_close = False
        for name, value in fields:
            lowered = _known_names.get(name) or _check_name(name)
            if lowered == b"content-length":
                length = value
            elif lowered == b"transfer-encoding":
                raise RuntimeError("the framing of the body is the server's business")
            elif lowered == b"connection" and b"close" in value.lower():
                says_close = True
            lines += (lowered, b": ", value, b"\r\n")
        if _INVALID_VALUE.search(b"".join(lines[3::4])):
            raise RuntimeError("a header field holds a control character")
        self.status = status
        self._is_bare = to_head
        self.is_chunked = self.until_close = False
        self._left = 0
        if length is not None:
            self._left = int(length)
        elif not to_head and status not in {204, 304}:
            self.until_close = to_1_0
            self.is_chunked = not to_1_0
            if self.is_chunked:
                lines.append(b"transfer-encoding: chunked\r\n")
        self.keep_alive = keep_alive and not says_close and not self.until_close
        """Whether the connection outlasts it; the head says so."""
        lines += (b"x-request-id: ", request_id, b"\r\n")
        if not self.keep_alive and not says_close:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        self.head = b"".join(lines)
        """Held back until the first bytes of the body leave, and empty from then on."""
        self.bytes_out = 0
        """Of the body, without its framing."""

    def is_of(self, size: int) -> bool:
        """Whether the head has promised a body of exactly that many bytes."""
        return not self.is_chunked and not self.until_close and self._left == size

    def framed(self, body: bytes, more_body: bool) -> bytes:
        """The bytes that stand for a piece of the body. Raises RuntimeError if it differs from the Content-Length."""
        if self._is_bare:
            self._left = 0
            return b""
        if self.is_chunked:
            self.bytes_out += len(body)
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk if more_body else chunk + b"0\r\n\r\n"
        if not self.until_close:
            left = self._left - len(body)
            if left < 0 or (left > 0 and not more_body and self.status != 304):
                raise RuntimeError(f"the body differs from its Content-Length by {left} bytes")
            self._left = left
        self.bytes_out += len(body)
        return body


def _check_name(name: bytes) -> bytes:
    """A header's name in lower case. Names come from this program, so there are few, and each is looked at once."""
    lowered = name.lower()
    if _INVALID_NAME.search(lowered):
        raise RuntimeError(f"invalid header field {name!r}")
    if len(_known_names) < _MOST_NAMES:
        _known_names[name] = lowered
    return lowered
