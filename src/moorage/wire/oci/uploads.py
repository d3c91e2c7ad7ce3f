"""Uploads: POST, PATCH, PUT, GET, DELETE. Source: distribution-spec 1.1 end-4a, end-4b, end-5, end-6, end-11, end-13."""

from __future__ import annotations

import re

from moorage.model.digest import ALGORITHMS, Digest, parse_digest
from moorage.model.errors import DigestInvalid, LengthMismatch, NameInvalid, RangeMismatch, UploadBusy
from moorage.model.names import RepositoryName, parse_repository_name
from moorage.operations.images import uploads
from moorage.transfer.receive import Body
from moorage.wire.http import Header, Response
from moorage.wire.oci.errors import describe
from moorage.wire.oci.exchange import VERSION, Exchange

_CONTENT_RANGE = re.compile(r"(?:bytes )?([0-9]{1,18})-([0-9]{1,18})(?:/(?:\*|[0-9]{1,18}))?")


async def start(exchange: Exchange) -> None:
    """POST: mount a blob, take one whole, or start an upload."""
    name = exchange.name
    query = dict(exchange.request.query())
    body = _body(exchange)
    if "mount" in query:
        if await _mount(exchange, name, query["mount"], query.get("from")):
            return
    elif "digest" in query:
        digest = parse_digest(query["digest"])
        # Asked before a byte of the body is read: it can be read only once.
        await exchange.pushed(lambda: exchange.services.db.lookup(uploads.may_put_blob, exchange.caller, exchange.scope, name))
        stored = await exchange.services.receiver.put_blob(exchange.caller, exchange.scope, name, digest, body)
        await _created(exchange, stored.digest)
        return
    algorithm = query.get("digest-algorithm", "sha256")
    if algorithm not in ALGORITHMS:
        raise DigestInvalid(algorithm[:40])
    unstarted = exchange.services.receiver.unstarted
    upload_id = await exchange.pushed(lambda: unstarted.begin(exchange.caller, exchange.scope, name, algorithm))
    await Response(202, b"", _headers(exchange, upload_id, 0)).send(exchange.send)


async def _mount(exchange: Exchange, name: RepositoryName, mount: str, source: str | None) -> bool:
    """Try to mount; whatever stands against it, the client is given an upload instead and learns nothing."""
    digest = parse_digest(mount)
    try:
        source_name = parse_repository_name(exchange.local(source)) if source else None
    except NameInvalid:
        return False
    mounted = await exchange.pushed(
        lambda: exchange.services.db.write(uploads.mount_blob, exchange.caller, exchange.scope, name, digest, source_name)
    )
    if mounted:
        await _created(exchange, digest)
    return mounted


async def append(exchange: Exchange) -> None:
    """PATCH: a chunk at a stated place, or a stream to the end."""
    name, upload_id = exchange.name, exchange.route.reference
    body = _body(exchange)
    begin = await _begin_of(exchange, name, upload_id, body)
    size = await exchange.services.receiver.append(exchange.caller, exchange.scope, name, upload_id, begin, body)
    await Response(exchange.services.quirks.chunk_status, b"", _headers(exchange, upload_id, size)).send(exchange.send)


async def finish(exchange: Exchange) -> None:
    """PUT: the last bytes, if any, and the digest of the whole."""
    name, upload_id = exchange.name, exchange.route.reference
    digest = parse_digest(dict(exchange.request.query()).get("digest", ""))
    body = _body(exchange)
    begin = await _begin_of(exchange, name, upload_id, body) if not body.is_empty else None
    stored = await exchange.services.receiver.complete(exchange.caller, exchange.scope, name, upload_id, digest, body, begin)
    await _created(exchange, stored.digest)


async def status(exchange: Exchange) -> None:
    """GET: how much is there."""
    await exchange.services.receiver.unstarted.write_down(exchange.route.reference)
    _, upload = await exchange.services.db.lookup(
        uploads.find_upload, exchange.caller, exchange.scope, exchange.name, exchange.route.reference
    )
    await Response(204, b"", _headers(exchange, upload.id, upload.size_received)).send(exchange.send)


async def cancel(exchange: Exchange) -> None:
    """DELETE: end the upload."""
    await exchange.services.receiver.unstarted.write_down(exchange.route.reference)
    await exchange.services.db.write(
        uploads.cancel_upload, exchange.caller, exchange.scope, exchange.name, exchange.route.reference
    )
    await Response(204, b"", [VERSION]).send(exchange.send)


async def refuse_position(exchange: Exchange, error: RangeMismatch | UploadBusy) -> None:
    """416 with what the client needs to go on: where the upload stands."""
    described = describe(error)
    headers = _headers(exchange, error.upload_id or exchange.route.reference, error.received)
    await Response(described.status, described.body(), [*headers, (b"content-type", b"application/json; charset=utf-8")]).send(
        exchange.send
    )


def _body(exchange: Exchange) -> Body:
    request = exchange.request
    return Body(request.scope, request.receive, request.content_length)


async def _begin_of(exchange: Exchange, name: RepositoryName, upload_id: str, body: Body) -> int | None:
    """Where the client says its bytes begin; None if it does not say.

    Raises:
        RangeMismatch: no range has this form.
        LengthMismatch: the range is not as long as the body.
    """
    header = exchange.request.header(b"content-range")
    if not header:
        return None
    match = _CONTENT_RANGE.fullmatch(header.strip())
    first, last = (int(match[1]), int(match[2])) if match else (1, 0)
    is_wrong_length = body.length is not None and last - first + 1 != body.length
    if last < first or is_wrong_length:
        await exchange.services.receiver.unstarted.write_down(upload_id)
        _, upload = await exchange.services.db.lookup(uploads.find_upload, exchange.caller, exchange.scope, name, upload_id)
        wrong = RangeMismatch if last < first else LengthMismatch
        raise wrong(exchange.scope.registry_id, name, upload_id, upload.size_received)
    return first


def _headers(exchange: Exchange, upload_id: str, size: int) -> list[Header]:
    return [
        VERSION,
        exchange.location(f"blobs/uploads/{upload_id}"),
        (b"docker-upload-uuid", upload_id.encode()),
        (b"range", b"0-%d" % max(0, size - 1)),
    ]


async def _created(exchange: Exchange, digest: Digest) -> None:
    headers = [VERSION, exchange.location(f"blobs/{digest}"), (b"docker-content-digest", digest.encode())]
    await Response(201, b"", headers).send(exchange.send)
