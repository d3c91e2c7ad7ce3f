"""Public repositories: CreateRepository with catalog data, the catalog data itself, DescribeImageTags."""

from __future__ import annotations

import hashlib
from typing import Any

from moorage.operations.public import repositories
from moorage.operations.public.repositories import Catalog, CatalogData
from moorage.operations.repository.repositories import RepositoryRequest
from moorage.transfer.creating import with_seal_key
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import EcrContext, described, name_of, page_size, position_of, scope_of, seconds
from moorage.wire.aws.services.ecr.images import artifact_media_type
from moorage.wire.aws.services.ecr.repositories import pairs

_FIRST = (2**63 - 1, "")
"""Before the tag that was set last."""


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr-public")``."""

    @service.operation("CreateRepository")
    async def create_repository(call: Call) -> Output:
        given = call.get("catalogData")
        catalog = _catalog(given) if given is not None else None
        request = RepositoryRequest(name=name_of(call), tags=pairs(call.get("tags")))
        created = await with_seal_key(
            context.keys,
            lambda seal_key: context.db.write(
                repositories.create_repository, caller_of(call), scope_of(call), request, catalog, seal_key
            ),
        )
        return {
            "repository": (await described(context, call, created))[0],
            "catalogData": _shown(call, catalog) if catalog is not None else {},
        }

    @service.operation("GetRepositoryCatalogData")
    async def get_repository_catalog_data(call: Call) -> Output:
        catalog = await context.db.read(repositories.get_repository_catalog_data, caller_of(call), scope_of(call), name_of(call))
        return {"catalogData": _shown(call, catalog)}

    @service.operation("PutRepositoryCatalogData")
    async def put_repository_catalog_data(call: Call) -> Output:
        catalog = _catalog(call["catalogData"])
        await context.db.write(repositories.put_repository_catalog_data, caller_of(call), scope_of(call), name_of(call), catalog)
        return {"catalogData": _shown(call, catalog)}

    @service.operation("DescribeImageTags")
    async def describe_image_tags(call: Call) -> Output:
        scope, name = scope_of(call), name_of(call)
        binding = f"DescribeImageTags|{scope}|{name}"
        position = position_of(context, call, binding)
        after = _FIRST if position is None else (int(position[0]), str(position[1]))
        found, more = await context.db.read(
            repositories.describe_image_tags_page, caller_of(call), scope, name, after, page_size(call)
        )
        details = [
            {
                "imageTag": tag,
                "createdAt": seconds(tagged_at),
                "imageDetail": {
                    "imageDigest": image.digest,
                    "imageSizeInBytes": image.image_size_bytes,
                    "imagePushedAt": seconds(image.pushed_at),
                    "imageManifestMediaType": image.media_type,
                    "artifactMediaType": artifact_media_type(image),
                },
            }
            for tag, tagged_at, image in found
        ]
        return {
            "imageTagDetails": details,
            "nextToken": context.cursors.seal(binding, list(more)) if more is not None else None,
        }


def _catalog(given: dict[str, Any]) -> Catalog:
    """RepositoryCatalogDataInput. An empty logo is none."""
    data = CatalogData(
        description=given.get("description"),
        architectures=_names(given.get("architectures")),
        operating_systems=_names(given.get("operatingSystems")),
        about_text=given.get("aboutText"),
        usage_text=given.get("usageText"),
    )
    return Catalog(data, bytes(given.get("logoImageBlob") or b"") or None)


def _names(given: list[str] | None) -> tuple[str, ...] | None:
    return None if given is None else tuple(given)


def _shown(call: Call, catalog: Catalog) -> dict[str, Any]:
    """RepositoryCatalogData. No repository here is sold by a marketplace, so none is certified by one."""
    data = catalog.data
    return {
        "description": data.description,
        "architectures": None if data.architectures is None else list(data.architectures),
        "operatingSystems": None if data.operating_systems is None else list(data.operating_systems),
        "logoUrl": _logo_url(call, catalog.logo) if catalog.logo is not None else None,
        "aboutText": data.about_text,
        "usageText": data.usage_text,
        "marketplaceCertified": False,
    }


def _logo_url(call: Call, logo: bytes) -> str:
    """Where the logo is served; another logo has another URL."""
    version = hashlib.sha256(logo).hexdigest()[:16]
    return f"{call.scheme}://{call.host}/logos/{scope_of(call).registry_id}/{name_of(call)}?v={version}"
