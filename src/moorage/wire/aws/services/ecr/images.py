"""Images: PutImage, BatchGetImage, BatchDeleteImage, ListImages, DescribeImages."""

from __future__ import annotations

from functools import partial
from typing import Any

from moorage.metadata.records import Image, Repository
from moorage.model import media_types
from moorage.model.errors import ImageExists, ImageNotFound, KeyUnusable, ParameterInvalid, TagInvalid
from moorage.model.scope import Scope
from moorage.operations.images import listing, pull, push, removal
from moorage.operations.images.listing import FIRST, ImageDetail, ImageFilter, ListPosition
from moorage.operations.wanted_images import NOT_FOUND, BatchFailure, WantedImage
from moorage.transfer import put_image as transfer
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import (
    EcrContext,
    name_of,
    page_size,
    position_of,
    pushed_by,
    refuse_paging_with,
    scope_of,
    seconds,
)

_LARGE_BYTES = 64 * 1024
_TAG_PATTERN = "must satisfy regular expression '[a-zA-Z0-9-_.]+'"


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""

    @service.operation("PutImage")
    async def put_image(call: Call) -> Output:
        scope, name, tag = scope_of(call), name_of(call), call.get("imageTag")
        data = call["imageManifest"].encode()
        declared, claimed = call.get("imageManifestMediaType"), call.get("imageDigest")
        read = partial(push.read_push, data, declared, claimed, by_shape=False)
        pushed = read() if len(data) <= _LARGE_BYTES else await context.pools.on_cpu(read)
        try:
            outcome = await pushed_by(
                context,
                call,
                lambda: transfer.put_image(
                    context.db,
                    context.keys,
                    context.pools,
                    caller_of(call),
                    scope,
                    name,
                    pushed,
                    call.get("imageDigest"),
                    [tag] if tag is not None else [],
                ),
            )
        except TagInvalid:
            raise ParameterInvalid("imageTag", _TAG_PATTERN) from None
        if not outcome.changed:
            raise ImageExists(scope.registry_id, name, outcome.digest, tag)
        return {
            "image": {
                "registryId": scope.registry_id,
                "repositoryName": name,
                "imageId": {"imageDigest": outcome.digest, "imageTag": tag},
                "imageManifest": call["imageManifest"],
                "imageManifestMediaType": outcome.manifest.media_type,
            }
        }

    @service.operation("BatchGetImage")
    async def batch_get_image(call: Call) -> Output:
        scope, name = scope_of(call), name_of(call)
        wanted = _wanted(call["imageIds"])
        few = context.db.lookup if len(wanted) <= 10 else context.db.read
        repository, found, failures = await few(pull.batch_get_image, caller_of(call), scope, name, wanted)
        shown = []
        for entry, image in found:
            manifest = await _opened(context, repository, image, entry)
            if isinstance(manifest, BatchFailure):
                failures.append(manifest)
                continue
            if call.event is not None:
                call.event.manifests.append(image.id)
            shown.append(
                {
                    "registryId": scope.registry_id,
                    "repositoryName": name,
                    "imageId": {"imageDigest": image.digest, "imageTag": entry.tag},
                    "imageManifest": manifest.decode(),
                    "imageManifestMediaType": image.media_type,
                }
            )
        return {"images": shown, "failures": [_failure(failure) for failure in failures]}

    @service.operation("BatchDeleteImage")
    async def batch_delete_image(call: Call) -> Output:
        gone, failures = await context.db.write(
            removal.batch_delete_image, caller_of(call), scope_of(call), name_of(call), _wanted(call["imageIds"])
        )
        return {
            "imageIds": [{"imageDigest": digest, "imageTag": tag} for digest, tag in gone],
            "failures": [_failure(failure) for failure in failures],
        }

    @service.operation("ListImages")
    async def list_images(call: Call) -> Output:
        scope, name, statuses = scope_of(call), name_of(call), _statuses(call)
        binding = f"ListImages|{scope}|{name}|{statuses}"
        given = position_of(context, call, binding)
        after = ListPosition(*given) if given else None
        entries, more = await context.db.read(
            listing.list_images_page, caller_of(call), scope, name, statuses, after, page_size(call)
        )
        following = None
        if more is not None:
            following = context.cursors.seal(binding, [more.pushed_at, more.digest, more.tagged_at, more.tag])
        return {
            "imageIds": [{"imageDigest": entry.digest, "imageTag": entry.tag} for entry in entries],
            "nextToken": following,
        }

    @service.operation("DescribeImages")
    async def describe_images(call: Call) -> Output:
        caller, scope, name = caller_of(call), scope_of(call), name_of(call)
        if call.get("imageIds") is not None:
            refuse_paging_with(call, "imageIds")
            wanted = _wanted(call["imageIds"])
            few = context.db.lookup if len(wanted) <= 10 else context.db.read
            found = await few(listing.describe_images, caller, scope, name, wanted)
            return {"imageDetails": [_detail(scope, name, detail) for detail in found]}
        statuses = _statuses(call)
        binding = f"DescribeImages|{scope}|{name}|{statuses}"
        given = position_of(context, call, binding)
        before: Any = tuple(given) if given else FIRST
        page, more = await context.db.read(listing.describe_images_page, caller, scope, name, statuses, before, page_size(call))
        return {
            "imageDetails": [_detail(scope, name, detail) for detail in page],
            "nextToken": context.cursors.seal(binding, list(more)) if more is not None else None,
        }


def _wanted(image_ids: list[dict[str, str]]) -> list[WantedImage]:
    return [WantedImage(entry.get("imageDigest"), entry.get("imageTag")) for entry in image_ids]


def _statuses(call: Call) -> ImageFilter:
    """What `filter` asks for: images with and without tags, and only active ones, if it says nothing."""
    given = call.get("filter") or {}
    return given.get("tagStatus") or "ANY", given.get("imageStatus") or "ACTIVE"


async def _opened(context: EcrContext, repository: Repository, image: Image, wanted: WantedImage) -> bytes | BatchFailure:
    """The manifest of an image that was found, or why there is none."""
    try:
        return await context.payloads.open(repository, image)
    except ImageNotFound:  # it has been deleted since it was found
        return BatchFailure(wanted, *NOT_FOUND)
    except KeyUnusable as error:
        return BatchFailure(wanted, "KmsError", str(error))


def _failure(failure: BatchFailure) -> dict[str, Any]:
    return {
        "imageId": {"imageDigest": failure.wanted.digest, "imageTag": failure.wanted.tag},
        "failureCode": failure.code,
        "failureReason": failure.reason,
    }


def _detail(scope: Scope, name: str, detail: ImageDetail) -> dict[str, Any]:
    image = detail.image
    shown = {
        "registryId": scope.registry_id,
        "repositoryName": name,
        "imageDigest": image.digest,
        "imageTags": list(detail.tags) or None,
        "imageSizeInBytes": image.image_size_bytes,
        "imagePushedAt": seconds(image.pushed_at),
        "imageManifestMediaType": image.media_type,
        "artifactMediaType": artifact_media_type(image),
    }
    if scope.is_public:
        return shown
    return shown | {
        "lastRecordedPullTime": None if detail.last_pulled_at is None else seconds(detail.last_pulled_at),
        "subjectManifestDigest": image.subject_digest,
        "imageStatus": detail.status,
        "lastArchivedAt": None if image.last_archived_at is None else seconds(image.last_archived_at),
        "lastActivatedAt": _activated_at(detail),
    }


def _activated_at(detail: ImageDetail) -> float | None:
    activated = detail.image.last_activated_at
    return None if activated is None or detail.status == "ACTIVATING" else seconds(activated)


def artifact_media_type(image: Image) -> str | None:
    """What DescribeImages calls the artifact: its `artifactType`, else the config's media type; an index without one has none."""
    return image.artifact_type or (image.config_media_type if image.media_type in media_types.IMAGES else None)
