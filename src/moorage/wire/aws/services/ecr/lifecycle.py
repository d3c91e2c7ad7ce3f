"""Lifecycle policies and their previews."""

from __future__ import annotations

from typing import Any

from moorage.metadata.registry.records import LifecyclePolicy, PreviewResult
from moorage.operations.repository import lifecycle, lifecycle_preview
from moorage.operations.wanted_images import WantedImage
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import (
    EcrContext,
    name_of,
    page_size,
    position_of,
    refuse_paging_with,
    scope_of,
    seconds,
)


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""
    _register_policies(service, context)
    _register_previews(service, context)


def _register_policies(service: Service, context: EcrContext) -> None:
    @service.operation("PutLifecyclePolicy")
    async def put_lifecycle_policy(call: Call) -> Output:
        text = call["lifecyclePolicyText"]
        await context.db.write(lifecycle.put_lifecycle_policy, caller_of(call), scope_of(call), name_of(call), text)
        return {**_where(call), "lifecyclePolicyText": text}

    @service.operation("GetLifecyclePolicy")
    async def get_lifecycle_policy(call: Call) -> Output:
        found = await context.db.read(lifecycle.get_lifecycle_policy, caller_of(call), scope_of(call), name_of(call))
        return {**_where(call), "lifecyclePolicyText": found.document, "lastEvaluatedAt": _evaluated(found)}

    @service.operation("DeleteLifecyclePolicy")
    async def delete_lifecycle_policy(call: Call) -> Output:
        gone = await context.db.write(lifecycle.delete_lifecycle_policy, caller_of(call), scope_of(call), name_of(call))
        return {**_where(call), "lifecyclePolicyText": gone.document, "lastEvaluatedAt": _evaluated(gone)}


def _register_previews(service: Service, context: EcrContext) -> None:
    @service.operation("StartLifecyclePolicyPreview")
    async def start_lifecycle_policy_preview(call: Call) -> Output:
        caller, scope, name = caller_of(call), scope_of(call), name_of(call)
        taken = await context.db.read(lifecycle_preview.snapshot, caller, scope, name, call.get("lifecyclePolicyText"))
        preview, results = await context.pools.on_cpu(lifecycle_preview.evaluated, taken)
        await context.db.write(lifecycle_preview.keep, caller, scope, name, preview, results)
        return {**_where(call), "lifecyclePolicyText": preview.document, "status": "COMPLETE"}

    @service.operation("GetLifecyclePolicyPreview")
    async def get_lifecycle_policy_preview(call: Call) -> Output:
        caller, scope, name = caller_of(call), scope_of(call), name_of(call)
        image_ids = call.get("imageIds")
        token = None
        if image_ids is not None:
            refuse_paging_with(call, "imageIds")
            wanted = [WantedImage(each.get("imageDigest"), each.get("imageTag")) for each in image_ids]
            page = await context.db.read(lifecycle_preview.get_preview_of, caller, scope, name, wanted)
        else:
            status = (call.get("filter") or {}).get("tagStatus") or "ANY"
            binding = f"GetLifecyclePolicyPreview|{scope}|{name}|{status}"
            given = position_of(context, call, binding)
            after: Any = tuple(given) if given else None
            page = await context.db.read(lifecycle_preview.get_preview_page, caller, scope, name, status, after, page_size(call))
            if page.last is not None:
                token = context.cursors.seal(binding, [page.preview.id, page.last])
        return {
            **_where(call),
            "lifecyclePolicyText": page.preview.document,
            "status": page.status,
            "nextToken": token,
            "previewResults": [_shown(result) for result in page.results],
            "summary": _summary(page.preview.expiring, page.preview.transitioning),
        }


def _evaluated(policy: LifecyclePolicy) -> float | None:
    """When the policy was run last; not there where it never was, instead of a day in 1970."""
    return seconds(policy.last_evaluated_at) if policy.last_evaluated_at else None


def _where(call: Call) -> dict[str, Any]:
    return {"registryId": scope_of(call).registry_id, "repositoryName": name_of(call)}


def _shown(result: PreviewResult) -> dict[str, Any]:
    is_transition = result.action == "TRANSITION"
    return {
        "imageTags": list(result.tags),
        "imageDigest": result.digest,
        "imagePushedAt": seconds(result.pushed_at),
        "action": {"type": result.action, "targetStorageClass": "ARCHIVE" if is_transition else None},
        "appliedRulePriority": result.priority,
        "storageClass": result.storage_class,
    }


def _summary(expiring: int, transitioning: int) -> dict[str, Any]:
    counts = [{"targetStorageClass": "ARCHIVE", "imageTotalCount": transitioning}] if transitioning else None
    return {"expiringImageTotalCount": expiring, "transitioningImageTotalCounts": counts}
