"""Managed policies and their versions."""

from __future__ import annotations

from moorage.operations.identity import managed_policies, policy_versions
from moorage.operations.identity.managed_policies import PolicyFilter
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.iam import shown
from moorage.wire.aws.services.iam.context import IamContext, pairs


def register(service: Service, context: IamContext) -> None:
    """Add the operations to ``Service("iam")``."""

    @service.operation("CreatePolicy")
    async def create_policy(call: Call) -> Output:
        created = await context.db.write(
            managed_policies.create_policy,
            caller_of(call),
            call["PolicyName"],
            call.get("Path") or "/",
            call["PolicyDocument"],
            call.get("Description"),
            pairs(call.get("Tags")),
        )
        return {"Policy": shown.policy(created)}

    @service.operation("GetPolicy")
    async def get_policy(call: Call) -> Output:
        return {"Policy": shown.policy(await context.db.read(managed_policies.get_policy, caller_of(call), call["PolicyArn"]))}

    @service.operation("ListPolicies")
    async def list_policies(call: Call) -> Output:
        after, count = context.page_asked(call)
        usage = call.get("PolicyUsageFilter")
        chosen = PolicyFilter(
            origin=call.get("Scope") or "All",
            prefix=call.get("PathPrefix") or "/",
            attached=bool(call.get("OnlyAttached")) or usage == "PermissionsPolicy",
            bounding=usage == "PermissionsBoundary",
        )
        page = await context.db.read(managed_policies.list_policies, caller_of(call), chosen, after, count)
        return {"Policies": [shown.policy(view, in_list=True) for view in page.items], **context.page_shown(call, page)}

    @service.operation("DeletePolicy")
    async def delete_policy(call: Call) -> Output:
        await context.db.write(managed_policies.delete_policy, caller_of(call), call["PolicyArn"])
        return {}

    @service.operation("CreatePolicyVersion")
    async def create_policy_version(call: Call) -> Output:
        version, is_default = await context.db.write(
            policy_versions.create_policy_version,
            caller_of(call),
            call["PolicyArn"],
            call["PolicyDocument"],
            set_as_default=bool(call.get("SetAsDefault")),
        )
        return {"PolicyVersion": shown.version(version, is_default, with_document=False)}

    @service.operation("GetPolicyVersion")
    async def get_policy_version(call: Call) -> Output:
        version, is_default = await context.db.read(
            policy_versions.get_policy_version, caller_of(call), call["PolicyArn"], call["VersionId"]
        )
        return {"PolicyVersion": shown.version(version, is_default)}

    @service.operation("ListPolicyVersions")
    async def list_policy_versions(call: Call) -> Output:
        after, count = context.page_asked(call)
        default, page = await context.db.read(
            policy_versions.list_policy_versions, caller_of(call), call["PolicyArn"], after, count
        )
        versions = [shown.version(found, found.version == default, with_document=False) for found in page.items]
        return {"Versions": versions, **context.page_shown(call, page)}

    @service.operation("SetDefaultPolicyVersion")
    async def set_default_policy_version(call: Call) -> Output:
        await context.db.write(policy_versions.set_default_policy_version, caller_of(call), call["PolicyArn"], call["VersionId"])
        return {}

    @service.operation("DeletePolicyVersion")
    async def delete_policy_version(call: Call) -> Output:
        await context.db.write(policy_versions.delete_policy_version, caller_of(call), call["PolicyArn"], call["VersionId"])
        return {}
