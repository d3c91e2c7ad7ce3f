"""Blobs: GET with ranges, HEAD, DELETE. Source: distribution-spec 1.1 end-2, end-10; RFC 9110 for ranges."""

from __future__ import annotations

from moorage.model.digest import parse_digest
from moorage.model.errors import BlobNotFound, NotBuilt
from moorage.model.names import parse_repository_name
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.images import layers
from moorage.wire.blob_response import content_headers, send_blob
from moorage.wire.http import AtOnce, Request, Response
from moorage.wire.oci.exchange import VERSION, Exchange, Services
from moorage.wire.oci.router import Route


async def get(exchange: Exchange) -> None:
    """GET: the content, or one range of it."""
    name, digest = exchange.name, parse_digest(exchange.route.reference)
    services = exchange.services
    blob = await services.db.lookup(layers.get_blob, exchange.caller, exchange.scope, name, digest)
    if services.quirks.serve_named_blobs_only and not await services.db.lookup(layers.is_named, exchange.scope, name, digest):
        raise BlobNotFound(exchange.scope.registry_id, name, digest)
    await send_blob(services.sender, exchange.request, exchange.send, blob, VERSION)


def head_at_once(services: Services, request: Request, route: Route, scope: Scope, caller: Caller) -> AtOnce | None:
    """`head` where the answer needs no write: of every push of a new layer this is the first question."""
    name, digest = parse_repository_name(route.name), parse_digest(route.reference)
    _, size, renew = services.db.lookup_at_once(layers.head_blob, caller, scope, name, digest)
    return None if renew else AtOnce.of(200, [VERSION, *content_headers(digest.encode())], b"", size)


async def head(exchange: Exchange) -> None:
    """HEAD: is it here, and how large? An answer that a push relies on is kept true for as long as a push may take."""
    name, digest = exchange.name, parse_digest(exchange.route.reference)
    services = exchange.services
    repository, size, renew = await services.db.lookup(layers.head_blob, exchange.caller, exchange.scope, name, digest)
    if renew:
        await services.db.write(layers.renew_blob, repository.id, digest)
    headers = [VERSION, *content_headers(digest.encode())]
    await Response(200, b"", headers).send(exchange.send, head=True, length=size)


async def delete(exchange: Exchange) -> None:
    """DELETE: take the blob out of this repository, unless one of its manifests names it."""
    name, digest = exchange.name, parse_digest(exchange.route.reference)
    if exchange.services.quirks.keep_blobs:
        raise NotBuilt("The operation is unsupported.")
    await exchange.services.db.write(layers.delete_blob, exchange.caller, exchange.scope, name, digest)
    await Response(202, b"", [VERSION]).send(exchange.send)
