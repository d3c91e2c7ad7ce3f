"""Blobs: GET with ranges, HEAD, DELETE. Source: distribution-spec 1.1 end-2, end-10; RFC 9110 for ranges."""

from __future__ import annotations

import re

from moorage.model.digest import parse_digest
from moorage.model.errors import BlobNotFound, NotBuilt
from moorage.operations import layers
from moorage.transfer.send import ByteRange
from moorage.wire.http import Header, Response
from moorage.wire.oci.errors import JSON, OciError
from moorage.wire.oci.exchange import VERSION, Exchange
from moorage.wire.oci.manifests import matches_etag

_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")


def parse_range(header: str, size: int) -> ByteRange | None:
    """The single range that a header asks for; None to send everything (no range, several, or not well-formed).

    A range that no byte satisfies has start == stop.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start = max(0, size - int(suffix))
        return ByteRange(start, size)
    start = int(first)
    if last and int(last) < start:
        return None
    stop = min(size, int(last) + 1) if last else size
    return ByteRange(start, stop) if start < size else ByteRange(size, size)


async def get(exchange: Exchange) -> None:
    """GET: the content, or one range of it."""
    name, digest = exchange.name, parse_digest(exchange.route.reference)
    services = exchange.services
    blob = await services.db.lookup(layers.get_blob, exchange.caller, exchange.scope, name, digest)
    if services.quirks.serve_named_blobs_only and not await services.db.lookup(layers.is_named, exchange.scope, name, digest):
        raise BlobNotFound(exchange.scope.registry_id, name, digest)
    await send_blob(exchange, digest, blob)


async def send_blob(exchange: Exchange, digest: str, blob: layers.Blob) -> None:
    """Answer with a blob, as a whole or in the range that was asked for."""
    request, encoded = exchange.request, digest.encode()
    headers: list[Header] = [
        VERSION,
        (b"content-type", b"application/octet-stream"),
        (b"docker-content-digest", encoded),
        (b"etag", b'"%s"' % encoded),
        (b"accept-ranges", b"bytes"),
        (b"cache-control", b"private, max-age=31536000, immutable"),
    ]
    if matches_etag(request.headers.get(b"if-none-match"), encoded):
        await Response(304, b"", headers).send(exchange.send)
        return
    wanted = None
    if b"range" in request.headers and request.headers.get(b"if-range", b'"%s"' % encoded) == b'"%s"' % encoded:
        wanted = parse_range(request.header(b"range"), blob.size_bytes)
    if wanted is not None and wanted.start >= wanted.stop:
        error = OciError(416, "SIZE_INVALID", f"the range cannot be satisfied: the blob has {blob.size_bytes} bytes")
        headers = [VERSION, JSON, (b"content-range", b"bytes */%d" % blob.size_bytes)]
        await Response(416, error.body(), headers).send(exchange.send)
        return
    status = 200
    if wanted is None:
        wanted = ByteRange(0, blob.size_bytes)
    else:
        status = 206
        headers.append((b"content-range", b"bytes %d-%d/%d" % (wanted.start, wanted.stop - 1, blob.size_bytes)))
    await exchange.services.sender.send(request.scope, exchange.send, status, headers, blob, wanted)


async def head(exchange: Exchange) -> None:
    """HEAD: is it here, and how large? An answer that a push relies on is kept true for as long as a push may take."""
    name, digest = exchange.name, parse_digest(exchange.route.reference)
    services = exchange.services
    repository, size, renew = await services.db.lookup(layers.head_blob, exchange.caller, exchange.scope, name, digest)
    if renew:
        await services.db.write(layers.renew_blob, repository.id, digest)
    encoded = digest.encode()
    headers: list[Header] = [
        VERSION,
        (b"content-type", b"application/octet-stream"),
        (b"docker-content-digest", encoded),
        (b"etag", b'"%s"' % encoded),
        (b"accept-ranges", b"bytes"),
    ]
    await Response(200, b"", headers).send(exchange.send, head=True, length=size)


async def delete(exchange: Exchange) -> None:
    """DELETE: take the blob out of this repository, unless one of its manifests names it."""
    name, digest = exchange.name, parse_digest(exchange.route.reference)
    if exchange.services.quirks.keep_blobs:
        raise NotBuilt("The operation is unsupported.")
    await exchange.services.db.write(layers.delete_blob, exchange.caller, exchange.scope, name, digest)
    await Response(202, b"", [VERSION]).send(exchange.send)
