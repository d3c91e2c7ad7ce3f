"""What users, groups and roles may do: inline policies, attached ones, boundaries."""

from __future__ import annotations

from moorage.model.identity import Kind
from moorage.operations.identity import attachments, boundaries, inline_policies
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.iam import shown
from moorage.wire.aws.services.iam.context import IamContext

_ENTITIES: dict[str, tuple[Kind, ...]] = {
    "User": ("user",),
    "Group": ("group",),
    "Role": ("role",),
    "LocalManagedPolicy": (),
    "AWSManagedPolicy": (),
}


def register(service: Service, context: IamContext) -> None:
    """Add the operations to ``Service("iam")``."""
    for kind in ("user", "group", "role"):
        _inline(service, context, kind)
        _attached(service, context, kind)
    _boundary(service, context, "user")
    _boundary(service, context, "role")

    @service.operation("ListEntitiesForPolicy")
    async def list_entities_for_policy(call: Call) -> Output:
        after, count = context.page_asked(call)
        kinds = _ENTITIES.get(call.get("EntityFilter", ""), ("user", "group", "role"))
        page = await context.db.read(
            attachments.list_entities_for_policy,
            caller_of(call),
            call["PolicyArn"],
            kinds,
            call.get("PolicyUsageFilter"),
            call.get("PathPrefix") or "/",
            after,
            count,
        )
        answer = context.page_shown(call, page)
        for noun in ("Group", "User", "Role"):
            answer[f"Policy{noun}s"] = [
                {f"{noun}Name": found.name, f"{noun}Id": found.id} for found in page.items if found.kind == noun.lower()
            ]
        return answer


def _inline(service: Service, context: IamContext, kind: Kind) -> None:
    noun = kind.capitalize()

    @service.operation(f"Put{noun}Policy")
    async def put_policy(call: Call) -> Output:
        names = call[f"{noun}Name"], call["PolicyName"]
        await context.db.write(inline_policies.put_policy, caller_of(call), kind, *names, call["PolicyDocument"])
        return {}

    @service.operation(f"Get{noun}Policy")
    async def get_policy(call: Call) -> Output:
        names = call[f"{noun}Name"], call["PolicyName"]
        identity, document = await context.db.read(inline_policies.get_policy, caller_of(call), kind, *names)
        return {f"{noun}Name": identity.name, "PolicyName": names[1], "PolicyDocument": shown.encoded(document)}

    @service.operation(f"List{noun}Policies")
    async def list_policies(call: Call) -> Output:
        after, count = context.page_asked(call)
        page = await context.db.read(inline_policies.list_policies, caller_of(call), kind, call[f"{noun}Name"], after, count)
        return {"PolicyNames": page.items, **context.page_shown(call, page)}

    @service.operation(f"Delete{noun}Policy")
    async def delete_policy(call: Call) -> Output:
        await context.db.write(inline_policies.delete_policy, caller_of(call), kind, call[f"{noun}Name"], call["PolicyName"])
        return {}


def _attached(service: Service, context: IamContext, kind: Kind) -> None:
    noun = kind.capitalize()

    @service.operation(f"Attach{noun}Policy")
    async def attach_policy(call: Call) -> Output:
        await context.db.write(attachments.attach_policy, caller_of(call), kind, call[f"{noun}Name"], call["PolicyArn"])
        return {}

    @service.operation(f"Detach{noun}Policy")
    async def detach_policy(call: Call) -> Output:
        await context.db.write(attachments.detach_policy, caller_of(call), kind, call[f"{noun}Name"], call["PolicyArn"])
        return {}

    @service.operation(f"ListAttached{noun}Policies")
    async def list_attached_policies(call: Call) -> Output:
        after, count = context.page_asked(call)
        prefix = call.get("PathPrefix") or "/"
        page = await context.db.read(
            attachments.list_attached_policies, caller_of(call), kind, call[f"{noun}Name"], prefix, after, count
        )
        return {"AttachedPolicies": shown.attached(page.items), **context.page_shown(call, page)}


def _boundary(service: Service, context: IamContext, kind: Kind) -> None:
    noun = kind.capitalize()

    @service.operation(f"Put{noun}PermissionsBoundary")
    async def put_boundary(call: Call) -> Output:
        target = call[f"{noun}Name"], call["PermissionsBoundary"]
        await context.db.write(boundaries.put_permissions_boundary, caller_of(call), kind, *target)
        return {}

    @service.operation(f"Delete{noun}PermissionsBoundary")
    async def delete_boundary(call: Call) -> Output:
        await context.db.write(boundaries.delete_permissions_boundary, caller_of(call), kind, call[f"{noun}Name"])
        return {}
