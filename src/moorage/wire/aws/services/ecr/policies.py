"""Policies of repositories and of the registry."""

from __future__ import annotations

from moorage.operations.registry import policy as registry_policy
from moorage.operations.repository import policy as repository_policy
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.context import EcrContext, name_of, scope_of


def register(service: Service, context: EcrContext) -> None:
    """Add the operations to ``Service("ecr")``."""

    @service.operation("SetRepositoryPolicy")
    async def set_repository_policy(call: Call) -> Output:
        text = call["policyText"]
        await context.db.write(
            repository_policy.set_repository_policy,
            caller_of(call),
            scope_of(call),
            name_of(call),
            text,
            force=bool(call.get("force")),
        )
        return _of_repository(call, text)

    @service.operation("GetRepositoryPolicy")
    async def get_repository_policy(call: Call) -> Output:
        text = await context.db.read(repository_policy.get_repository_policy, caller_of(call), scope_of(call), name_of(call))
        return _of_repository(call, text)

    @service.operation("DeleteRepositoryPolicy")
    async def delete_repository_policy(call: Call) -> Output:
        text = await context.db.write(repository_policy.delete_repository_policy, caller_of(call), scope_of(call), name_of(call))
        return _of_repository(call, text)

    @service.operation("PutRegistryPolicy")
    async def put_registry_policy(call: Call) -> Output:
        text = call["policyText"]
        await context.db.write(registry_policy.put_registry_policy, caller_of(call), scope_of(call), text)
        return _of_registry(call, text)

    @service.operation("GetRegistryPolicy")
    async def get_registry_policy(call: Call) -> Output:
        text = await context.db.read(registry_policy.get_registry_policy, caller_of(call), scope_of(call))
        return _of_registry(call, text)

    @service.operation("DeleteRegistryPolicy")
    async def delete_registry_policy(call: Call) -> Output:
        text = await context.db.write(registry_policy.delete_registry_policy, caller_of(call), scope_of(call))
        return _of_registry(call, text)


def _of_repository(call: Call, text: str) -> Output:
    return {"registryId": scope_of(call).registry_id, "repositoryName": name_of(call), "policyText": text}


def _of_registry(call: Call, text: str) -> Output:
    return {"registryId": scope_of(call).registry_id, "policyText": text}
