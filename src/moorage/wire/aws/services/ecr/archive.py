"""What belongs together and where it is kept: ListImageReferrers, UpdateImageStorageClass."""

from __future__ import annotations

from typing import Any

import msgspec

from moorage.metadata.records import Image
from moorage.model.errors import DigestInvalid, ParameterInvalid
from moorage.operations.images import listing, storage_class
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import (
    EcrContext,
    image_of,
    name_of,
    page_size,
    position_of,
    scope_of,
    shown_image,
)

_REFERRERS_PER_PAGE = 20


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""

    @service.operation("UpdateImageStorageClass")
    async def update_image_storage_class(call: Call) -> Output:
        scope, name, wanted = scope_of(call), name_of(call), image_of(call)
        image, status = await context.db.write(
            storage_class.update_image_storage_class,
            caller_of(call),
            scope,
            name,
            wanted,
            call["targetStorageClass"],
            context.activation_seconds,
        )
        return {
            "registryId": scope.registry_id,
            "repositoryName": name,
            "imageId": shown_image(image, wanted),
            "imageStatus": status,
        }

    @service.operation("ListImageReferrers")
    async def list_image_referrers(call: Call) -> Output:
        scope, name, subject = scope_of(call), name_of(call), call["subjectId"]["imageDigest"]
        given = call.get("filter") or {}
        types = sorted(set(given.get("artifactTypes") or ()))
        status = given.get("artifactStatus") or "ACTIVE"
        binding = f"ListImageReferrers|{scope}|{name}|{subject}|{status}|{types}"
        position = position_of(context, call, binding)
        try:
            found, more = await context.db.read(
                listing.list_referrers,
                caller_of(call),
                scope,
                name,
                subject,
                types,
                status,
                int(position[0]) if position else 0,
                page_size(call, _REFERRERS_PER_PAGE),
            )
        except DigestInvalid:
            raise ParameterInvalid(
                "subjectId.imageDigest", "must satisfy regular expression '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
            ) from None
        now = int(context.clock() * 1_000_000)
        return {
            "referrers": [_descriptor(image, now) for image in found],
            "nextToken": context.cursors.seal(binding, [more]) if more is not None else None,
        }


def _descriptor(image: Image, now: int) -> dict[str, Any]:
    return {
        "digest": image.digest,
        "mediaType": image.media_type,
        "artifactType": image.artifact_type or None,
        "size": image.size_bytes,
        "annotations": msgspec.json.decode(image.annotations.encode()) or None,
        "artifactStatus": image.status_at(now),
    }
