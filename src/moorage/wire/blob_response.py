"""A blob as an HTTP response: conditional requests and single ranges. Source: RFC 9110; distribution-spec 1.1 end-2."""

from __future__ import annotations

import re

import msgspec

from moorage.metadata.records import Blob
from moorage.transfer.send import ByteRange, Sender
from moorage.wire.http import NOSNIFF, Header, Request, Response, Send

_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")
_JSON = (b"content-type", b"application/json; charset=utf-8")

SANDBOX: Header = (b"content-security-policy", b"default-src 'none'; sandbox")
"""Beside `NOSNIFF`, for bytes of users at an address that a browser opens without a login."""


def parse_range(header: str, size: int) -> ByteRange | None:
    """The single range that a header asks for; None to send everything (no range, several, or not well-formed).

    A range that no byte satisfies is empty.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return ByteRange(max(0, size - int(suffix)), size) if int(suffix) else ByteRange(size, size)
    start = int(first)
    if last and int(last) < start:
        return ByteRange(size, size)  # RFC 9110 would let it be ignored; the conformance suite asks for a refusal
    stop = min(size, int(last) + 1) if last else size
    return ByteRange(start, stop) if start < size else ByteRange(size, size)


def matches_etag(given: bytes | None, digest: bytes) -> bool:
    """Tell whether an If-None-Match names this content (weak comparison)."""
    if given is None:
        return False
    return any(entry.strip().removeprefix(b"W/").strip(b'"') in (digest, b"*") for entry in given.split(b","))


def content_headers(digest: bytes) -> list[Header]:
    """What every answer about a blob carries."""
    return [
        (b"content-type", b"application/octet-stream"),
        (b"docker-content-digest", digest),
        (b"etag", b'"%s"' % digest),
        (b"accept-ranges", b"bytes"),
        (b"cache-control", b"private, max-age=31536000, immutable"),
        NOSNIFF,
    ]


async def send_blob(sender: Sender, request: Request, send: Send, blob: Blob, *extra: Header) -> None:
    """Answer GET or HEAD with a blob, as a whole or in the range that was asked for."""
    digest, size = blob.digest.encode(), blob.size_bytes
    headers = [*extra, *content_headers(digest)]
    if matches_etag(request.headers.get(b"if-none-match"), digest):
        await Response(304, b"", headers).send(send)
        return
    if request.method == "HEAD":
        await Response(200, b"", headers).send(send, head=True, length=size)
        return
    wanted, status = None, 200
    if b"range" in request.headers and request.headers.get(b"if-range", b'"%s"' % digest) == b'"%s"' % digest:
        wanted = parse_range(request.header(b"range"), size)
    if wanted is not None and wanted.start >= wanted.stop:
        message = f"the range cannot be satisfied: the blob has {size} bytes"
        body = msgspec.json.encode({"errors": [{"code": "SIZE_INVALID", "message": message}]})
        await Response(416, body, [*extra, _JSON, (b"content-range", b"bytes */%d" % size)]).send(send)
        return
    if wanted is None:
        wanted = ByteRange(0, size)
    else:
        status = 206
        headers.append((b"content-range", b"bytes %d-%d/%d" % (wanted.start, wanted.stop - 1, size)))
    small = await sender.small(blob)
    if small is not None:
        await Response(status, small[wanted.start : wanted.stop], headers).send(send)
        return
    opened = await sender.open(blob, wanted)
    request.is_answered = True
    await sender.send(request.scope, send, status, headers, opened)
