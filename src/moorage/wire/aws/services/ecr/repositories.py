"""Repositories: CreateRepository, DescribeRepositories, DeleteRepository, PutImageTagMutability, and resource tags."""

from __future__ import annotations

from moorage.model.arn import parse_repository_arn
from moorage.model.errors import ArnInvalid, ParameterInvalid
from moorage.model.names import RepositoryName
from moorage.model.scope import Scope
from moorage.operations.repository import repositories, resource_tags
from moorage.operations.repository.repositories import RepositoryRequest
from moorage.transfer.creating import with_seal_key
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import (
    EcrContext,
    described,
    name_of,
    names_of,
    page_size,
    refuse_paging_with,
    scope_of,
    shown_filters,
)


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""

    @service.operation("CreateRepository")
    async def create_repository(call: Call) -> Output:
        encryption = call.get("encryptionConfiguration") or {}
        request = RepositoryRequest(
            name=name_of(call),
            tags=pairs(call.get("tags")),
            tag_mutability=call.get("imageTagMutability") or "MUTABLE",
            mutability_filters=_filters(call),
            scan_on_push=bool((call.get("imageScanningConfiguration") or {}).get("scanOnPush", False)),
            encryption_type=encryption.get("encryptionType", "AES256"),
            kms_key=encryption.get("kmsKey"),
        )
        created = await with_seal_key(
            context.keys,
            lambda seal_key: context.db.write(repositories.create_repository, caller_of(call), scope_of(call), request, seal_key),
        )
        return {"repository": (await described(context, call, created))[0]}

    @service.operation("DescribeRepositories")
    async def describe_repositories(call: Call) -> Output:
        caller, scope = caller_of(call), scope_of(call)
        if call.get("repositoryNames") is not None:
            refuse_paging_with(call, "repositoryNames")
            found = await context.db.read(repositories.describe_named, caller, scope, names_of(call))
            return {"repositories": await described(context, call, *found)}
        binding = f"DescribeRepositories|{scope}"
        token = call.get("nextToken")
        after = str(context.cursors.open(binding, token)[0]) if token else ""
        page, last = await context.db.read(repositories.describe_page, caller, scope, after, page_size(call))
        return {
            "repositories": await described(context, call, *page),
            "nextToken": context.cursors.seal(binding, [last]) if last is not None else None,
        }

    @service.operation("DeleteRepository")
    async def delete_repository(call: Call) -> Output:
        deleted = await context.db.write(
            repositories.delete_repository, caller_of(call), scope_of(call), name_of(call), force=bool(call.get("force"))
        )
        return {"repository": (await described(context, call, deleted))[0]}

    @service.operation("PutImageTagMutability")
    async def put_image_tag_mutability(call: Call) -> Output:
        scope, name, mode = scope_of(call), name_of(call), call["imageTagMutability"]
        filters = await context.db.write(
            repositories.put_image_tag_mutability, caller_of(call), scope, name, mode, _filters(call)
        )
        return {
            "registryId": scope.registry_id,
            "repositoryName": name,
            "imageTagMutability": mode,
            "imageTagMutabilityExclusionFilters": shown_filters(filters) if filters else None,
        }

    @service.operation("TagResource")
    async def tag_resource(call: Call) -> Output:
        scope, name = _resource(call)
        await context.db.write(resource_tags.tag_resource, caller_of(call), scope, name, pairs(call["tags"]))
        return {}

    @service.operation("UntagResource")
    async def untag_resource(call: Call) -> Output:
        scope, name = _resource(call)
        await context.db.write(resource_tags.untag_resource, caller_of(call), scope, name, call["tagKeys"])
        return {}

    @service.operation("ListTagsForResource")
    async def list_tags_for_resource(call: Call) -> Output:
        scope, name = _resource(call)
        tags = await context.db.read(resource_tags.list_tags_for_resource, caller_of(call), scope, name)
        return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def pairs(tags: list[dict[str, str]] | None) -> list[tuple[str, str]]:
    """Resource tags, as the API writes them, as pairs. In the model of ECR Public neither member has to be given."""
    return [(tag.get("Key") or "", tag.get("Value") or "") for tag in tags or ()]


def _filters(call: Call) -> list[str] | None:
    given = call.get("imageTagMutabilityExclusionFilters")
    return None if given is None else [entry["filter"] for entry in given]


def _resource(call: Call) -> tuple[Scope, RepositoryName]:
    """The repository of an ARN of this service, in the region that was signed for."""
    try:
        scope, name = parse_repository_arn(call["resourceArn"])
    except ArnInvalid:
        raise ParameterInvalid("resourceArn", "Invalid ARN") from None
    if scope.service != call.service or (scope.region and scope.region != call.region):
        raise ParameterInvalid("resourceArn", "Invalid ARN")
    return scope, name
