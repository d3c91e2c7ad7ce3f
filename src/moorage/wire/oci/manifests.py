"""Manifests: GET, HEAD, PUT, DELETE. Source: distribution-spec 1.1 end-2, end-3, end-7, end-9."""

from __future__ import annotations

from functools import lru_cache

from moorage.metadata.records import Image
from moorage.model import limits, media_types
from moorage.model.errors import DigestInvalid, ImageNotFound, TagImmutable, TagInvalid
from moorage.model.names import ImageId, RepositoryName, parse_reference, parse_repository_name, parse_tag
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.images import pull, push, removal
from moorage.operations.images.tag_mutability import is_mutable
from moorage.operations.wanted_images import WantedImage
from moorage.transfer.put_image import put_image
from moorage.wire.blob_response import matches_etag
from moorage.wire.http import NOSNIFF, AtOnce, Header, Request, Response, read_body
from moorage.wire.oci.errors import JSON, OciError
from moorage.wire.oci.exchange import FOUND, VERSION, Exchange, Found, Services
from moorage.wire.oci.remembered_pulls import RememberedPull
from moorage.wire.oci.router import Route

_PARSE_ON_LOOP_BYTES = 64 * 1024
_TAGS_PER_PUSH = 20
_TOO_LARGE = OciError(
    413,
    "MANIFEST_INVALID",
    "Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Member must have length less than or equal to "
    f"{limits.MANIFEST_BYTES}'",
)


async def get(exchange: Exchange) -> None:
    """GET and HEAD: the stored bytes under their own media type, whatever Accept says."""
    name = exchange.name
    wanted = _wanted(exchange, name)
    services = exchange.services
    if exchange.found is not None:
        pulled = exchange.found.pulled
    else:
        pulled = await services.db.lookup(pull.get_image, exchange.caller, exchange.scope, name, wanted.digest, wanted.tag)
    repository, image = pulled.repository, pulled.image
    headers = _headers(image, by_tag=wanted.tag is not None)
    if matches_etag(exchange.request.headers.get(b"if-none-match"), image.digest.encode()):
        await Response(304, b"", headers).send(exchange.send)
        return
    request = exchange.request
    data = b""
    if not exchange.is_head:
        data = await services.payloads.open(repository, image)
        if request.event is not None:
            request.event.manifests.append(image.id)
    _remember(services, request, exchange.scope, pulled, data, by_tag=wanted.tag is not None)
    await Response(200, data, headers).send(exchange.send, head=exchange.is_head, length=image.size_bytes)


def get_at_once(services: Services, request: Request, route: Route, scope: Scope, caller: Caller) -> AtOnce | None:
    """`get` for an opened manifest that is asked for without a condition; None for any other. Raises what `get` raises."""
    if b"if-none-match" in request.headers:
        return None
    name, wanted = parse_repository_name(route.name), parse_reference(route.reference)
    is_counted = request.method == "GET"
    is_open = services.payloads.has if is_counted else _need_no_bytes
    place = scope, name, wanted.digest, wanted.tag
    pulled, payload = services.db.lookup_at_once(pull.get_sealed_image, caller, *place, is_open)
    image = pulled.image
    data = services.payloads.open_at_once(pulled.repository, image, payload) if is_counted else b""
    if data is None:
        request.scope[FOUND] = Found(route, caller, pulled)
        return None
    if is_counted and request.event is not None:
        request.event.manifests.append(image.id)
    _remember(services, request, scope, pulled, data, by_tag=wanted.tag is not None)
    return AtOnce(200, _rendered_head(image, wanted.tag is not None), data)


def _need_no_bytes(_image: Image) -> bool:
    """For HEAD."""
    return True


def _remember(
    services: Services,
    request: Request,
    scope: Scope,
    pulled: pull.Pulled,
    data: bytes,
    *,
    by_tag: bool,
) -> None:
    """Keep an answer, if it holds for its caller until something changes."""
    event, image = request.event, pulled.image
    if not pulled.is_lasting or event is None:
        return
    expires_at = services.access.expiry(request)
    if expires_at is None or b"if-none-match" in request.headers:
        return
    answer = AtOnce(200, _rendered_head(image, by_tag), data)
    services.remembered.keep(request, scope, RememberedPull(answer, pulled.version, expires_at, event))


def _headers(image: Image, *, by_tag: bool) -> list[Header]:
    digest = image.digest.encode()
    return [
        VERSION,
        (b"content-type", image.media_type.encode()),
        NOSNIFF,
        (b"docker-content-digest", digest),
        (b"etag", b'"%s"' % digest),
        (b"cache-control", b"no-store" if by_tag else b"private, max-age=31536000, immutable"),
    ]


@lru_cache(16_384)
def _rendered_head(image: Image, by_tag: bool) -> bytes:
    """The header fields of the whole manifest as they leave: a row never changes."""
    return AtOnce.of(200, _headers(image, by_tag=by_tag), b"", image.size_bytes).head


def _wanted(exchange: Exchange, name: RepositoryName) -> ImageId:
    """The reference; text that no tag can have names nothing rather than being wrong."""
    try:
        return parse_reference(exchange.route.reference)
    except TagInvalid:
        raise ImageNotFound(exchange.scope.registry_id, name, None, exchange.route.reference[: limits.TAGS_PER_IMAGE]) from None


async def put(exchange: Exchange) -> None:
    """PUT by tag, or by digest with any number of ``?tag=``."""
    name = exchange.name
    reference = parse_reference(exchange.route.reference)
    tags = [reference.tag] if reference.tag is not None else _tags_of_query(exchange)
    data = await read_body(exchange.request, limits.MANIFEST_BYTES)
    if data is None:
        await Response(_TOO_LARGE.status, _TOO_LARGE.body(), [VERSION, JSON]).send(exchange.send)
        return
    declared = exchange.request.header(b"content-type").partition(";")[0].strip().lower() or None
    if declared in {media_types.OCTET_STREAM, "application/json"}:
        declared = None  # what generic HTTP clients say by default: it declares nothing
    services = exchange.services
    if len(data) > _PARSE_ON_LOOP_BYTES:
        pushed = await services.pools.on_cpu(push.read_push, data, declared, reference.digest)
    else:
        pushed = push.read_push(data, declared, reference.digest)
    outcome = await exchange.pushed(
        lambda: put_image(
            services.db,
            services.keys,
            services.pools,
            exchange.caller,
            exchange.scope,
            name,
            pushed,
            reference.digest,
            tags,
        )
    )
    repository = outcome.repository
    is_repeated = not outcome.changed and reference.tag is not None
    if services.quirks.refuse_identical_push and is_repeated:
        tag = reference.tag or ""
        if not is_mutable(repository.tag_mutability, repository.mutability_filters, tag):
            raise TagImmutable(exchange.scope.registry_id, name, tag)
    headers = [
        VERSION,
        exchange.location(f"manifests/{outcome.digest}"),
        (b"docker-content-digest", outcome.digest.encode()),
        (b"etag", b'"%s"' % outcome.digest.encode()),
    ]
    if outcome.manifest.subject is not None:
        headers.append((b"oci-subject", outcome.manifest.subject.encode()))
    if reference.tag is None:
        headers.extend((b"oci-tag", tag.encode()) for tag in tags)
    await Response(201, b"", headers).send(exchange.send)


def _tags_of_query(exchange: Exchange) -> list[str]:
    tags = [parse_tag(value) for key, value in exchange.request.query() if key == "tag"]
    if len(tags) > _TAGS_PER_PUSH:
        raise TagInvalid(tags[0], f"at most {_TAGS_PER_PUSH} tags can be set at once")
    return [str(tag) for tag in tags]


async def delete(exchange: Exchange) -> None:
    """DELETE: by digest the image with its tags, by tag the tag alone."""
    name = exchange.name
    try:
        reference = parse_reference(exchange.route.reference)
    except (TagInvalid, DigestInvalid):
        raise ImageNotFound(exchange.scope.registry_id, name, None, None) from None
    services = exchange.services
    if reference.tag is not None and services.quirks.last_tag_takes_image:
        gone, _ = await services.db.write(
            removal.batch_delete_image, exchange.caller, exchange.scope, name, [WantedImage(None, reference.tag)]
        )
        if not gone:
            raise ImageNotFound(exchange.scope.registry_id, name, None, reference.tag)
    else:
        await services.db.write(removal.delete_manifest, exchange.caller, exchange.scope, name, reference.digest, reference.tag)
    await Response(202, b"", [VERSION]).send(exchange.send)
