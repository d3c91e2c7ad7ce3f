"""Repository creation templates."""

from __future__ import annotations

from typing import Any

from moorage.metadata.registry.records import StoredTemplate, Template
from moorage.operations.repository import creation_templates
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import (
    EcrContext,
    page_size,
    position_of,
    refuse_paging_with,
    scope_of,
    seconds,
    shown_filters,
)


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""

    @service.operation("CreateRepositoryCreationTemplate")
    async def create_repository_creation_template(call: Call) -> Output:
        scope, given = scope_of(call), _given(call)
        template = Template(call["prefix"], given.pop("applied_for"), **given)
        made = await context.db.write(creation_templates.create_repository_creation_template, caller_of(call), scope, template)
        return {"registryId": scope.registry_id, "repositoryCreationTemplate": _shown(made)}

    @service.operation("UpdateRepositoryCreationTemplate")
    async def update_repository_creation_template(call: Call) -> Output:
        scope = scope_of(call)
        changed = await context.db.write(
            creation_templates.update_repository_creation_template, caller_of(call), scope, call["prefix"], _given(call)
        )
        return {"registryId": scope.registry_id, "repositoryCreationTemplate": _shown(changed)}

    @service.operation("DeleteRepositoryCreationTemplate")
    async def delete_repository_creation_template(call: Call) -> Output:
        scope = scope_of(call)
        gone = await context.db.write(
            creation_templates.delete_repository_creation_template, caller_of(call), scope, call["prefix"]
        )
        return {"registryId": scope.registry_id, "repositoryCreationTemplate": _shown(gone)}

    @service.operation("DescribeRepositoryCreationTemplates")
    async def describe_repository_creation_templates(call: Call) -> Output:
        caller, scope, prefixes = caller_of(call), scope_of(call), call.get("prefixes")
        if prefixes is not None:
            refuse_paging_with(call, "prefixes")
            named = await context.db.read(creation_templates.describe_named_templates, caller, scope, prefixes)
            return {"registryId": scope.registry_id, "repositoryCreationTemplates": [_shown(each) for each in named]}
        binding = f"DescribeRepositoryCreationTemplates|{scope}"
        given = position_of(context, call, binding)
        after = str(given[0]) if given else ""
        page, last = await context.db.read(creation_templates.describe_templates_page, caller, scope, after, page_size(call))
        return {
            "registryId": scope.registry_id,
            "repositoryCreationTemplates": [_shown(each) for each in page],
            "nextToken": context.cursors.seal(binding, [last]) if last is not None else None,
        }


_TEXTS = {
    "description": "description",
    "imageTagMutability": "tag_mutability",
    "repositoryPolicy": "repository_policy",
    "lifecyclePolicy": "lifecycle_policy",
    "customRoleArn": "role_arn",
}


def _given(call: Call) -> dict[str, Any]:
    """What the call says about a template, by the names of `Template`; what it leaves out is left out."""
    given: dict[str, Any] = {field: call[member] for member, field in _TEXTS.items() if call.get(member) is not None}
    encryption = call.get("encryptionConfiguration")
    if encryption is not None:
        given |= {"encryption_type": encryption["encryptionType"], "kms_key": encryption.get("kmsKey")}
    if (tags := call.get("resourceTags")) is not None:
        given["tags"] = tuple((tag["Key"], tag["Value"]) for tag in tags)
    if (filters := call.get("imageTagMutabilityExclusionFilters")) is not None:
        given["mutability_filters"] = tuple(each["filter"] for each in filters)
    if (applied := call.get("appliedFor")) is not None:
        given["applied_for"] = tuple(applied)
    return given


def _shown(stored: StoredTemplate) -> dict[str, Any]:
    template = stored.template
    return {
        "prefix": template.prefix,
        "description": template.description,
        "encryptionConfiguration": {"encryptionType": template.encryption_type, "kmsKey": template.kms_key},
        "resourceTags": [{"Key": key, "Value": value} for key, value in template.tags] or None,
        "imageTagMutability": template.tag_mutability,
        "imageTagMutabilityExclusionFilters": shown_filters(template.mutability_filters) or None,
        "repositoryPolicy": template.repository_policy,
        "lifecyclePolicy": template.lifecycle_policy,
        "appliedFor": list(template.applied_for),
        "customRoleArn": template.role_arn,
        "createdAt": seconds(stored.created_at),
        "updatedAt": seconds(stored.updated_at),
    }
