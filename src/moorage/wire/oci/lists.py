"""Lists: tags, repositories, referrers. Source: distribution-spec 1.1 end-8a, end-8b, end-12a, end-12b; Docker's `_catalog`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from moorage.metadata.records import Image
from moorage.model import limits, media_types
from moorage.model.digest import parse_digest
from moorage.model.errors import ParameterInvalid
from moorage.operations.images import listing
from moorage.operations.registry import registries
from moorage.wire.http import Header, Response
from moorage.wire.oci.errors import JSON
from moorage.wire.oci.exchange import VERSION, Exchange

_LISTED_BYTES = 4 * 1024 * 1024
_LAST_MAX = 512


async def tags(exchange: Exchange) -> None:
    """GET tags/list: in byte order, at most `n` after `last`, with a Link if there are more."""
    name = exchange.name
    count, last = _page(exchange)
    found, more = await exchange.services.db.read(listing.list_tags, exchange.caller, exchange.scope, name, last, count)
    shown = exchange.prefix + name
    link = _link(f"/v2/{shown}/tags/list", count, found[-1]) if more else None
    await _json(exchange, {"name": shown, "tags": found}, link)


async def catalog(exchange: Exchange) -> None:
    """GET _catalog: names of repositories in byte order, for those who may describe all of them."""
    count, last = _page(exchange)
    found, more = await exchange.services.db.read(registries.catalog, exchange.caller, exchange.scope, last, count)
    link = _link("/v2/_catalog", count, found[-1]) if more else None
    await _json(exchange, {"repositories": found}, link)


async def referrers(exchange: Exchange) -> None:
    """GET referrers: an index of the manifests that name a digest as their subject, whether or not it exists."""
    name, subject = exchange.name, parse_digest(exchange.route.reference)
    query = dict(exchange.request.query())
    artifact_type = query.get("artifactType") or None
    count, _ = _page(exchange)
    after = query.get("last", "0")
    position = int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0
    types = [artifact_type] if artifact_type else []
    found, more = await exchange.services.db.read(
        listing.list_referrers, exchange.caller, exchange.scope, name, subject, types, "ACTIVE", position, max(1, count)
    )
    shown: list[dict[str, Any]] = []
    size = 0
    for image in found:
        descriptor = _descriptor(image)
        size += len(msgspec.json.encode(descriptor))
        if shown and size > _LISTED_BYTES:
            more = found[len(shown) - 1].id
            break
        shown.append(descriptor)
    link = None
    if more is not None:
        link = _link(f"/v2/{exchange.prefix}{name}/referrers/{subject}", count, str(more), artifact_type)
    extra: list[Header] = [(b"oci-filters-applied", b"artifactType")] if artifact_type else []
    body = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": shown}
    await _json(exchange, body, link, (b"content-type", media_types.OCI_INDEX.encode()), *extra)


def _descriptor(image: Image) -> dict[str, Any]:
    descriptor: dict[str, Any] = {"mediaType": image.media_type, "digest": image.digest, "size": image.size_bytes}
    if image.artifact_type:
        descriptor["artifactType"] = image.artifact_type
    annotations = msgspec.json.decode(image.annotations.encode())
    if annotations:
        descriptor["annotations"] = annotations
    return descriptor


def _page(exchange: Exchange) -> tuple[int, str]:
    """`n`, bounded, and `last`. Raises ParameterInvalid for an `n` that is no number."""
    query = dict(exchange.request.query())
    given = query.get("n")
    count = limits.PAGE_MAX
    if given is not None:
        if not (given.isascii() and given.isdigit()):
            raise ParameterInvalid("n", "must be a number of 0 or more")
        count = min(int(given[:10]), limits.PAGE_MAX + 1)
        if count > limits.PAGE_MAX:
            if exchange.services.quirks.refuse_large_pages:
                raise ParameterInvalid("maxResults", f"Member must have value less than or equal to {limits.PAGE_MAX}")
            count = limits.PAGE_MAX
    return count, query.get("last", "")[:_LAST_MAX]


def _link(path: str, count: int, last: str, artifact_type: str | None = None) -> Header:
    kind = f"&artifactType={quote(artifact_type, safe='')}" if artifact_type else ""
    return b"link", f'<{path}?n={count}&last={quote(last, safe="")}{kind}>; rel="next"'.encode()


async def _json(
    exchange: Exchange, body: dict[str, Any], link: Header | None, content_type: Header = JSON, *extra: Header
) -> None:
    headers = [VERSION, content_type, *extra]
    if link is not None:
        headers.append(link)
    await Response(200, msgspec.json.encode(body), headers).send(exchange.send, head=exchange.is_head)
