"""The organization and its accounts. There are no units below the root, and no policies of the organization yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moorage.auth.cursors import Cursors
from moorage.metadata.database import Database
from moorage.metadata.identity.organization_records import AccountRequest, Member, Organization
from moorage.model.errors import TokenInvalid
from moorage.operations.accounts import organizations
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service

_PAGE = 20


@dataclass(frozen=True, slots=True)
class OrganizationsContext:
    """Made once by the composition root. `management_account` is the default account."""

    db: Database
    cursors: Cursors
    management_account: str


def register(service: Service, context: OrganizationsContext) -> None:
    """Add the operations to ``Service("organizations")``."""
    _register_organization(service, context)
    _register_accounts(service, context)
    _register_tags(service, context)


def _register_organization(service: Service, context: OrganizationsContext) -> None:
    @service.operation("CreateOrganization")
    async def create_organization(call: Call) -> Output:
        await context.db.write(organizations.create_organization, caller_of(call), context.management_account)
        return {"Organization": _organization(*await context.db.lookup(organizations.describe_organization, caller_of(call)))}

    @service.operation("DescribeOrganization")
    async def describe_organization(call: Call) -> Output:
        return {"Organization": _organization(*await context.db.lookup(organizations.describe_organization, caller_of(call)))}

    @service.operation("ListRoots")
    async def list_roots(call: Call) -> Output:
        found = await context.db.lookup(organizations.list_roots, caller_of(call))
        return {"Roots": [{"Id": found.root_id, "Arn": found.root_arn, "Name": "Root", "PolicyTypes": []}]}

    @service.operation("ListParents")
    async def list_parents(call: Call) -> Output:
        found = await context.db.lookup(organizations.list_parents, caller_of(call), call["ChildId"])
        return {"Parents": [{"Id": found.root_id, "Type": "ROOT"}]}


def _register_accounts(service: Service, context: OrganizationsContext) -> None:
    @service.operation("CreateAccount")
    async def create_account(call: Call) -> Output:
        made = await context.db.write(
            organizations.create_account,
            caller_of(call),
            call["AccountName"],
            call["Email"],
            call.get("RoleName"),
            [(tag["Key"], tag["Value"]) for tag in call.get("Tags") or ()],
        )
        return {"CreateAccountStatus": _status(made)}

    @service.operation("DescribeCreateAccountStatus")
    async def describe_create_account_status(call: Call) -> Output:
        found = await context.db.lookup(
            organizations.describe_create_account_status, caller_of(call), call["CreateAccountRequestId"]
        )
        return {"CreateAccountStatus": _status(found)}

    @service.operation("ListCreateAccountStatus")
    async def list_create_account_status(call: Call) -> Output:
        states = call.get("States") or []
        binding = f"organizations|requests|{','.join(states)}"
        match _after(context, call, binding):
            case []:
                after = (0, "")
            case [int(at), str(request_id)]:
                after = (at, request_id)
            case _:
                raise TokenInvalid("")
        found, is_more = await context.db.read(
            organizations.list_create_account_status, caller_of(call), states, after, call.get("MaxResults") or _PAGE
        )
        token = context.cursors.seal(binding, [found[-1].requested_at, found[-1].id]) if is_more else None
        return {"CreateAccountStatuses": [_status(each) for each in found], "NextToken": token}

    @service.operation("ListAccounts")
    async def list_accounts(call: Call) -> Output:
        binding = "organizations|accounts"
        after = str(next(iter(_after(context, call, binding)), ""))
        organization, found, is_more = await context.db.read(
            organizations.list_accounts, caller_of(call), after, call.get("MaxResults") or _PAGE
        )
        token = context.cursors.seal(binding, [found[-1].id]) if is_more else None
        return {"Accounts": [_account(organization, each) for each in found], "NextToken": token}

    @service.operation("DescribeAccount")
    async def describe_account(call: Call) -> Output:
        found = await context.db.lookup(organizations.describe_account, caller_of(call), call["AccountId"])
        return {"Account": _account(*found)}


def _register_tags(service: Service, context: OrganizationsContext) -> None:
    @service.operation("TagResource")
    async def tag_resource(call: Call) -> Output:
        tags = [(tag["Key"], tag["Value"]) for tag in call["Tags"]]
        await context.db.write(organizations.tag_resource, caller_of(call), call["ResourceId"], tags)
        return {}

    @service.operation("UntagResource")
    async def untag_resource(call: Call) -> Output:
        await context.db.write(organizations.untag_resource, caller_of(call), call["ResourceId"], call["TagKeys"])
        return {}

    @service.operation("ListTagsForResource")
    async def list_tags_for_resource(call: Call) -> Output:
        tags = await context.db.lookup(organizations.list_tags_for_resource, caller_of(call), call["ResourceId"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _after(context: OrganizationsContext, call: Call, binding: str) -> list[str | int]:
    token = call.get("NextToken")
    return context.cursors.open(binding, token) if token else []


def _organization(organization: Organization, management: Member) -> dict[str, Any]:
    return {
        "Id": organization.id,
        "Arn": organization.arn,
        "FeatureSet": "ALL",
        "MasterAccountArn": organization.account_arn(management.id),
        "MasterAccountId": management.id,
        "MasterAccountEmail": management.email,
        "AvailablePolicyTypes": [],
    }


def _account(organization: Organization, member: Member) -> dict[str, Any]:
    is_management = member.id == organization.management_account
    return {
        "Id": member.id,
        "Arn": organization.account_arn(member.id),
        "Email": member.email,
        "Name": member.name,
        "Status": "ACTIVE",
        "State": "ACTIVE",
        "Paths": [f"{organization.id}/{organization.root_id}/{member.id}/"],
        "JoinedMethod": "INVITED" if is_management else "CREATED",
        "JoinedTimestamp": max(member.created_at, organization.created_at) / 1_000_000,
    }


def _status(request: AccountRequest) -> dict[str, Any]:
    return {
        "Id": request.id,
        "AccountName": request.account_name,
        "State": request.state,
        "RequestedTimestamp": request.requested_at / 1_000_000,
        "CompletedTimestamp": None if request.completed_at is None else request.completed_at / 1_000_000,
        "AccountId": request.account_id,
        "FailureReason": request.failure,
    }
