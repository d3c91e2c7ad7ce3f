"""HTTP as the wires see it: a thin view of an ASGI request and a response to send. Nothing is parsed that nobody asks for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes

from moorage.events.event import EVENT, Event
from moorage.model.rates import Ticket
from moorage.transfer.handover import EXTENSION, ClientLeft

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

NOSNIFF: Header = (b"x-content-type-options", b"nosniff")
"""Goes with all bytes of users: no browser takes them for a page or a script of ours."""
_DRAIN_BYTES = 8 * 1024 * 1024


def _never() -> bool:
    """For servers whose responses leave as they begin."""
    return False


REQUEST_ID = "moorage.request_id"
"""Key of the ASGI scope; the server sets it, in ASCII bytes."""


class BadRequest(Exception):
    """A request that is malformed below the level of any API."""


class Request:
    """An ASGI request. Header names are lower-case bytes."""

    __slots__ = ("_headers", "is_answered", "receive", "scope", "ticket")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.receive = receive
        self._headers: dict[bytes, bytes] | None = None
        self.is_answered = False
        """True once a response has begun."""
        self.ticket: Ticket | None = None
        """Its claim to be within its rate; None: it has none, or nobody knows yet whose it is."""

    @property
    def event(self) -> Event | None:
        """What the request does, as far as that is known."""
        found: Event | None = self.scope.get(EVENT)
        return found

    @event.setter
    def event(self, event: Event) -> None:
        self.scope[EVENT] = event

    @property
    def may_be_answered(self) -> bool:
        """Whether what fails now can still be told: no answer has begun, or none of its bytes has left."""
        if not self.is_answered:
            return True
        offer = (self.scope.get("extensions") or {}).get(EXTENSION, {})
        return bool(offer.get("may_begin_anew", _never)())

    @property
    def id(self) -> str:
        """The id that the answer carries; empty where the server gives none."""
        given: bytes = self.scope.get(REQUEST_ID, b"")
        return given.decode("ascii")

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return str(self.scope["method"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Headers by name; of a repeated one the last."""
        if self._headers is None:
            self._headers = dict(self.scope["headers"])
        return self._headers

    def header(self, name: bytes) -> str:
        """A header's value, empty if it is absent."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def path(self) -> str:
        """The path, percent-decoded once. Raises BadRequest for bytes that are not UTF-8 or hold a NUL."""
        raw: bytes = self.scope["raw_path"]
        if b"%" not in raw and raw.isascii():
            return raw.decode("ascii")
        try:
            text = unquote_to_bytes(raw).decode("utf-8")
        except UnicodeDecodeError:
            raise BadRequest("the path is not UTF-8") from None
        if "\0" in text:
            raise BadRequest("the path holds a NUL")
        return text

    def query(self) -> list[tuple[str, str]]:
        """The query's pairs in order. Raises BadRequest for more than a sane number, and for a NUL."""
        raw: bytes = self.scope["query_string"]
        if not raw:
            return []
        try:
            pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=200)
        except ValueError:
            raise BadRequest("the query has too many fields") from None
        if any("\x00" in value for _, value in pairs):
            raise BadRequest("the query holds a NUL")
        return pairs

    @property
    def content_length(self) -> int | None:
        """The announced length of the body; None for a chunked one; 0 where neither is announced."""
        given = self.headers.get(b"content-length")
        if given is not None:
            return int(given)
        return None if b"transfer-encoding" in self.headers else 0

    @property
    def client_address(self) -> str:
        """The peer's address, empty where there is none."""
        client = self.scope.get("client")
        return client[0] if client else ""


class AtOnce(NamedTuple):
    """An answer that needed no waiting: `head` is its header fields as they leave (``name: value\\r\\n``), length included."""

    status: int
    head: bytes
    body: bytes

    @staticmethod
    def of(status: int, headers: Iterable[Header], body: bytes, length: int | None = None) -> AtOnce:
        """Header fields rendered; `length` where it is not that of the body (HEAD)."""
        size = len(body) if length is None else length
        fields = [*headers, (b"content-length", b"%d" % size)]
        return AtOnce(status, b"".join([b"%b: %b\r\n" % field for field in fields]), body)


class AnswerSoon:
    """An answer that waits for one short question, which is under way. `then` is called on the event loop, with the answer; with
    None if it takes more than that: the application has to be asked. Whoever is given this sets it before it returns to the loop.
    """

    __slots__ = ("then",)

    def __init__(self) -> None:
        self.then: Callable[[AtOnce | None], None] = _nobody


def _nobody(answer: AtOnce | None) -> None:
    """For an answer that nobody waits for."""


class Response:
    """A response whose body is in memory."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes = b"", headers: Iterable[Header] = ()) -> None:
        self.status = status
        self.body = body
        self.headers = list(headers)

    async def send(self, send: Send, *, head: bool = False, length: int | None = None) -> None:
        """Send it; with `head` without the body but with its length, which may also be given."""
        size = len(self.body) if length is None else length
        if self.status not in {204, 304}:
            self.headers.append((b"content-length", b"%d" % size))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


async def read_body(request: Request, limit: int) -> bytes | None:
    """The body, or None if it has more than `limit` bytes: these are then read and dropped, up to a bound, so that the client
    sees the answer instead of a broken connection. Raises ClientLeft if the client leaves."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part = message.get("body", b"")
        size += len(part)
        if size <= limit:
            parts.append(part)
        elif size > limit + _DRAIN_BYTES:
            return None
        if not message.get("more_body", False):
            return None if size > limit else b"".join(parts)
