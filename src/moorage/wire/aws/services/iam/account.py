"""The account as a whole: alias, figures, service-linked roles."""

from __future__ import annotations

from moorage.operations.identity import account, service_linked_roles
from moorage.operations.identity.paging import cut
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.iam import shown
from moorage.wire.aws.services.iam.context import IamContext


def register(service: Service, context: IamContext) -> None:
    """Add the operations to ``Service("iam")``."""
    _alias(service, context)
    _linked_roles(service, context)

    @service.operation("GetAccountSummary")
    async def get_account_summary(call: Call) -> Output:
        return {"SummaryMap": await context.db.read(account.get_account_summary, caller_of(call))}


def _alias(service: Service, context: IamContext) -> None:
    @service.operation("CreateAccountAlias")
    async def create_alias(call: Call) -> Output:
        await context.db.write(account.create_account_alias, caller_of(call), call["AccountAlias"])
        return {}

    @service.operation("ListAccountAliases")
    async def list_aliases(call: Call) -> Output:
        after, count = context.page_asked(call)
        aliases = await context.db.read(account.list_account_aliases, caller_of(call))
        page = cut(aliases, after, count, lambda alias: [alias])
        return {"AccountAliases": page.items, **context.page_shown(call, page)}

    @service.operation("DeleteAccountAlias")
    async def delete_alias(call: Call) -> Output:
        await context.db.write(account.delete_account_alias, caller_of(call), call["AccountAlias"])
        return {}


def _linked_roles(service: Service, context: IamContext) -> None:
    @service.operation("CreateServiceLinkedRole")
    async def create_role(call: Call) -> Output:
        created = await context.db.write(
            service_linked_roles.create_service_linked_role,
            caller_of(call),
            call["AWSServiceName"],
            call.get("Description"),
            call.get("CustomSuffix"),
        )
        return {"Role": shown.in_full(created)}

    @service.operation("DeleteServiceLinkedRole")
    async def delete_role(call: Call) -> Output:
        task = await context.db.write(service_linked_roles.delete_service_linked_role, caller_of(call), call["RoleName"])
        return {"DeletionTaskId": task}

    @service.operation("GetServiceLinkedRoleDeletionStatus")
    async def get_deletion_status(call: Call) -> Output:
        task = call["DeletionTaskId"]
        await context.db.read(service_linked_roles.get_service_linked_role_deletion_status, caller_of(call), task)
        return {"Status": "SUCCEEDED"}
