"""Instance profiles."""

from __future__ import annotations

from moorage.operations.identity import instance_profiles
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.iam import shown
from moorage.wire.aws.services.iam.context import IamContext, pairs


def register(service: Service, context: IamContext) -> None:
    """Add the operations to ``Service("iam")``."""

    @service.operation("CreateInstanceProfile")
    async def create_instance_profile(call: Call) -> Output:
        created = await context.db.write(
            instance_profiles.create_instance_profile,
            caller_of(call),
            call["InstanceProfileName"],
            call.get("Path") or "/",
            pairs(call.get("Tags")),
        )
        return {"InstanceProfile": shown.instance_profile(created)}

    @service.operation("GetInstanceProfile")
    async def get_instance_profile(call: Call) -> Output:
        found = await context.db.read(instance_profiles.get_instance_profile, caller_of(call), call["InstanceProfileName"])
        return {"InstanceProfile": shown.instance_profile(found)}

    @service.operation("ListInstanceProfiles")
    async def list_instance_profiles(call: Call) -> Output:
        after, count = context.page_asked(call)
        page = await context.db.read(
            instance_profiles.list_instance_profiles, caller_of(call), call.get("PathPrefix") or "/", after, count
        )
        return {"InstanceProfiles": [shown.instance_profile(view) for view in page.items], **context.page_shown(call, page)}

    @service.operation("ListInstanceProfilesForRole")
    async def list_instance_profiles_for_role(call: Call) -> Output:
        after, count = context.page_asked(call)
        page = await context.db.read(
            instance_profiles.list_instance_profiles_for_role, caller_of(call), call["RoleName"], after, count
        )
        return {"InstanceProfiles": [shown.instance_profile(view) for view in page.items], **context.page_shown(call, page)}

    @service.operation("DeleteInstanceProfile")
    async def delete_instance_profile(call: Call) -> Output:
        await context.db.write(instance_profiles.delete_instance_profile, caller_of(call), call["InstanceProfileName"])
        return {}

    @service.operation("AddRoleToInstanceProfile")
    async def add_role(call: Call) -> Output:
        names = call["InstanceProfileName"], call["RoleName"]
        await context.db.write(instance_profiles.add_role_to_instance_profile, caller_of(call), *names)
        return {}

    @service.operation("RemoveRoleFromInstanceProfile")
    async def remove_role(call: Call) -> Output:
        names = call["InstanceProfileName"], call["RoleName"]
        await context.db.write(instance_profiles.remove_role_from_instance_profile, caller_of(call), *names)
        return {}
