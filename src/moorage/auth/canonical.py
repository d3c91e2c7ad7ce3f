"""The canonical request of AWS Signature Version 4, made from the bytes that arrived, never from a decoded URL.

Source: AWS "Create a signed request", canonical request, for services other than S3 (the path is encoded twice).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote_to_bytes

Headers = Mapping[bytes, bytes]
"""Lower-case names to values, each value trimmed with inner runs of spaces as one, several values joined by a comma."""

_RUN_OF_SPACES = re.compile(rb" {2,}")
_CANONICAL_QUERY = re.compile(rb"(?:[A-Za-z0-9_.~&=-]|%[0-9A-F]{2})*")
_BLANKS = b" \t\r\n"


def canonical_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Fold ASGI's list of headers into `Headers`, values of one name in the order in which they came."""
    headers: dict[bytes, bytes] = {}
    for name, value in raw:
        trimmed = value.strip(_BLANKS)
        if b"  " in trimmed:
            trimmed = _RUN_OF_SPACES.sub(b" ", trimmed)
        headers[name] = trimmed if name not in headers else headers[name] + b"," + trimmed
    return headers


def canonical_path(raw_path: bytes) -> bytes:
    """Encode the path as sent once more, after dot segments and doubled slashes are resolved (``/a%2Fb`` gives ``/a%252Fb``)."""
    if raw_path in {b"/", b""}:
        return b"/"
    segments: list[bytes] = []
    for segment in raw_path.split(b"/"):
        if segment == b"..":
            if segments:
                segments.pop()
        elif segment not in {b"", b"."}:
            segments.append(segment)
    path = b"/" + b"/".join(segments)
    if segments and raw_path.endswith(b"/"):
        path += b"/"
    return quote(path, safe="/~").encode()


def canonical_queries(raw_query: bytes, without: bytes | None = None) -> tuple[bytes, ...]:
    """The canonical forms that a client may have meant by `raw_query`, leaving out the parameter named `without`.

    A query in canonical encoding has one. For any other, signers disagree: some sign the bytes they send, some decode and encode
    them first, where a plus is a space. Both forms tie the signature to these very bytes, so both are acceptable.
    """
    if not raw_query:
        return (b"",)
    pairs = []
    for part in raw_query.split(b"&"):
        name, _, value = part.partition(b"=")
        if part and name != without:
            pairs.append((name, value))
    as_sent = b"&".join(name + b"=" + value for name, value in sorted(pairs))
    if _CANONICAL_QUERY.fullmatch(as_sent):
        return (as_sent,)
    encoded = b"&".join(name + b"=" + value for name, value in sorted((_encode(name), _encode(value)) for name, value in pairs))
    return (as_sent, encoded)


def _encode(text: bytes) -> bytes:
    return quote(unquote_to_bytes(text.replace(b"+", b" ")), safe="-_.~").encode()
