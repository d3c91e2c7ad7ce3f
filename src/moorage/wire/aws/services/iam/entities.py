"""Users, groups and roles."""

from __future__ import annotations

from moorage.model import identity_limits
from moorage.model.identity import Kind
from moorage.operations.identity import entities, groups, roles, users
from moorage.operations.identity.entities import Described
from moorage.operations.identity.roles import RoleChange, RoleRequest
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.iam import shown
from moorage.wire.aws.services.iam.context import IamContext, pairs


def register(service: Service, context: IamContext) -> None:
    """Add the operations to ``Service("iam")``."""
    _users(service, context)
    _groups(service, context)
    _roles(service, context)
    for kind in ("user", "group", "role"):
        _common(service, context, kind)


def _common(service: Service, context: IamContext, kind: Kind) -> None:
    noun = kind.capitalize()

    @service.operation(f"List{noun}s")
    async def list_entities(call: Call) -> Output:
        after, count = context.page_asked(call)
        prefix = call.get("PathPrefix") or "/"
        page = await context.db.read(entities.list_identities, caller_of(call), kind, prefix, after, count)
        return {f"{noun}s": [shown.identity(found) for found in page.items], **context.page_shown(call, page)}

    @service.operation(f"Delete{noun}")
    async def delete_entity(call: Call) -> Output:
        await context.db.write(entities.delete_identity, caller_of(call), kind, call[f"{noun}Name"])
        return {}

    if kind == "role":
        return

    @service.operation(f"Update{noun}")
    async def update_entity(call: Call) -> Output:
        names = call[f"{noun}Name"], call.get(f"New{noun}Name"), call.get("NewPath")
        await context.db.write(entities.update_identity, caller_of(call), kind, *names)
        return {}


def _users(service: Service, context: IamContext) -> None:
    @service.operation("CreateUser")
    async def create_user(call: Call) -> Output:
        created = await context.db.write(
            users.create_user,
            caller_of(call),
            call["UserName"],
            call.get("Path") or "/",
            call.get("PermissionsBoundary"),
            pairs(call.get("Tags")),
        )
        return {"User": shown.in_full(created)}

    @service.operation("GetUser")
    async def get_user(call: Call) -> Output:
        caller = caller_of(call)
        found = await context.db.read(users.get_user, caller, call.get("UserName"))
        if isinstance(found, Described):
            return {"User": shown.in_full(found)}
        return {"User": {"UserId": caller.account_id, "Arn": caller.arn, "CreateDate": shown.seconds(found)}}


def _groups(service: Service, context: IamContext) -> None:
    @service.operation("CreateGroup")
    async def create_group(call: Call) -> Output:
        created = await context.db.write(groups.create_group, caller_of(call), call["GroupName"], call.get("Path") or "/")
        return {"Group": shown.in_full(created)}

    @service.operation("GetGroup")
    async def get_group(call: Call) -> Output:
        after, count = context.page_asked(call)
        group, page = await context.db.read(groups.get_group, caller_of(call), call["GroupName"], after, count)
        members = [shown.identity(user) for user in page.items]
        return {"Group": shown.identity(group), "Users": members, **context.page_shown(call, page)}

    @service.operation("AddUserToGroup")
    async def add_user_to_group(call: Call) -> Output:
        await context.db.write(groups.add_user_to_group, caller_of(call), call["GroupName"], call["UserName"])
        return {}

    @service.operation("RemoveUserFromGroup")
    async def remove_user_from_group(call: Call) -> Output:
        await context.db.write(groups.remove_user_from_group, caller_of(call), call["GroupName"], call["UserName"])
        return {}

    @service.operation("ListGroupsForUser")
    async def list_groups_for_user(call: Call) -> Output:
        after, count = context.page_asked(call)
        page = await context.db.read(groups.list_groups_for_user, caller_of(call), call["UserName"], after, count)
        return {"Groups": [shown.identity(group) for group in page.items], **context.page_shown(call, page)}


def _roles(service: Service, context: IamContext) -> None:
    @service.operation("CreateRole")
    async def create_role(call: Call) -> Output:
        request = RoleRequest(
            name=call["RoleName"],
            trust_policy=call["AssumeRolePolicyDocument"],
            path=call.get("Path") or "/",
            description=call.get("Description"),
            max_session_seconds=call.get("MaxSessionDuration") or identity_limits.SESSION_SECONDS_DEFAULT,
            signin_seconds=call.get("MaxSigninSessionDuration"),
            boundary=call.get("PermissionsBoundary"),
            tags=pairs(call.get("Tags")),
        )
        return {"Role": shown.in_full(await context.db.write(roles.create_role, caller_of(call), request))}

    @service.operation("GetRole")
    async def get_role(call: Call) -> Output:
        found = await context.db.read(entities.get_identity, caller_of(call), "role", call["RoleName"])
        return {"Role": {**shown.in_full(found), "RoleLastUsed": shown.role_last_used(found.identity)}}

    @service.operation("UpdateAssumeRolePolicy")
    async def update_assume_role_policy(call: Call) -> Output:
        await context.db.write(roles.update_assume_role_policy, caller_of(call), call["RoleName"], call["PolicyDocument"])
        return {}

    @service.operation("UpdateRole")
    async def update_role(call: Call) -> Output:
        change = RoleChange(
            description=call.get("Description"),
            max_session_seconds=call.get("MaxSessionDuration"),
            signin_seconds=call.get("MaxSigninSessionDuration"),
            resets_signin=bool(call.get("ResetMaxSigninSessionDuration")),
        )
        await context.db.write(roles.update_role, caller_of(call), call["RoleName"], change, "UpdateRole")
        return {}

    @service.operation("UpdateRoleDescription")
    async def update_role_description(call: Call) -> Output:
        changed = await context.db.write(
            roles.update_role, caller_of(call), call["RoleName"], RoleChange(call["Description"]), "UpdateRoleDescription"
        )
        return {"Role": shown.in_full(changed)}
