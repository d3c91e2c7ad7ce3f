"""Reports: credentials, authorization details, last accesses."""

from __future__ import annotations

from typing import Any

from moorage.metadata.identity.records import AccessReport
from moorage.operations.identity import authorization_details, credential_report, last_accessed
from moorage.operations.identity.authorization_details import SECTIONS, IdentityDetail, PolicyDetail
from moorage.operations.identity.last_accessed import SERVICES, Granting, Granularity, Use
from moorage.operations.identity.paging import Page
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.iam import shown
from moorage.wire.aws.services.iam.context import IamContext
from moorage.wire.aws.services.iam.shown import seconds

_LISTS = {"user": "UserDetailList", "group": "GroupDetailList", "role": "RoleDetailList"}


def register(service: Service, context: IamContext) -> None:
    """Add the operations to ``Service("iam")``."""
    _credentials(service, context)
    _last_accessed(service, context)

    @service.operation("GetAccountAuthorizationDetails")
    async def get_account_authorization_details(call: Call) -> Output:
        after, count = context.page_asked(call)
        sections = [SECTIONS[name] for name in call.get("Filter") or SECTIONS]
        found = await context.db.read(
            authorization_details.get_account_authorization_details, caller_of(call), sections, after, count
        )
        answer: dict[str, Any] = {member: [] for member in _LISTS.values()}
        for detail in found.identities:
            answer[_LISTS[detail.identity.kind]].append(_identity(detail))
        answer["Policies"] = [_policy(detail) for detail in found.policies]
        return {**answer, **context.page_shown(call, Page([], found.last))}

    @service.operation("ListPoliciesGrantingServiceAccess")
    async def list_policies_granting_service_access(call: Call) -> Output:
        found = await context.db.read(
            last_accessed.list_policies_granting_service_access, caller_of(call), call["Arn"], call["ServiceNamespaces"]
        )
        entries = [
            {"ServiceNamespace": name, "Policies": [_granting(policy) for policy in policies]} for name, policies in found.items()
        ]
        return {"PoliciesGrantingServiceAccess": entries, "IsTruncated": False}


def _credentials(service: Service, context: IamContext) -> None:
    @service.operation("GenerateCredentialReport")
    async def generate_credential_report(call: Call) -> Output:
        if await context.db.write(credential_report.generate_credential_report, caller_of(call)):
            return {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}
        return {"State": "COMPLETE"}

    @service.operation("GetCredentialReport")
    async def get_credential_report(call: Call) -> Output:
        report = await context.db.read(credential_report.get_credential_report, caller_of(call))
        generated = seconds(report.updated_at)
        return {"Content": report.text.encode(), "ReportFormat": "text/csv", "GeneratedTime": generated}


def _last_accessed(service: Service, context: IamContext) -> None:
    @service.operation("GenerateServiceLastAccessedDetails")
    async def generate(call: Call) -> Output:
        granularity: Granularity = call.get("Granularity", "SERVICE_LEVEL")
        job = await context.db.write(
            last_accessed.generate_service_last_accessed_details, caller_of(call), call["Arn"], granularity
        )
        return {"JobId": job}

    @service.operation("GetServiceLastAccessedDetails")
    async def get_details(call: Call) -> Output:
        after, count = context.page_asked(call)
        report, page = await context.db.read(
            last_accessed.get_service_last_accessed_details, caller_of(call), call["JobId"], after, count
        )
        return {
            **_job(report),
            "JobType": report.granularity,
            "ServicesLastAccessed": [_service(use) for use in page.items],
            **context.page_shown(call, page),
        }

    @service.operation("GetServiceLastAccessedDetailsWithEntities")
    async def get_details_with_entities(call: Call) -> Output:
        after, count = context.page_asked(call)
        job, namespace = call["JobId"], call["ServiceNamespace"]
        report, page = await context.db.read(
            last_accessed.get_service_last_accessed_details_with_entities, caller_of(call), job, namespace, after, count
        )
        entities = [
            {
                "EntityInfo": {
                    "Arn": found.arn,
                    "Name": found.name,
                    "Type": found.kind.upper(),
                    "Id": found.id,
                    "Path": found.path,
                },
                "LastAuthenticated": seconds(at),
            }
            for found, at in page.items
        ]
        return {**_job(report), "EntityDetailsList": entities, **context.page_shown(call, page)}


def _job(report: AccessReport) -> dict[str, Any]:
    at = seconds(report.created_at)
    return {"JobStatus": "COMPLETED", "JobCreationDate": at, "JobCompletionDate": at}


def _service(use: Use) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "ServiceName": SERVICES[use.name],
        "ServiceNamespace": use.name,
        "LastAuthenticated": seconds(use.at),
        "LastAuthenticatedEntity": use.by,
        "LastAuthenticatedRegion": use.region,
        "TotalAuthenticatedEntities": use.users,
    }
    if use.actions:
        entry["TrackedActionsLastAccessed"] = [
            {
                "ActionName": action.name,
                "LastAccessedEntity": action.by,
                "LastAccessedTime": seconds(action.at),
                "LastAccessedRegion": action.region,
            }
            for action in use.actions
        ]
    return entry


def _granting(policy: Granting) -> dict[str, Any]:
    if policy.owner is None:
        return {"PolicyName": policy.name, "PolicyType": "MANAGED", "PolicyArn": policy.arn}
    return {
        "PolicyName": policy.name,
        "PolicyType": "INLINE",
        "EntityType": policy.owner.kind.upper(),
        "EntityName": policy.owner.name,
    }


def _identity(detail: IdentityDetail) -> dict[str, Any]:
    found = detail.identity
    noun = found.kind.capitalize()
    entry = shown.identity(found)
    for member in ("PasswordLastUsed", "Description", "MaxSessionDuration"):
        entry.pop(member, None)
    entry[f"{noun}PolicyList"] = [
        {"PolicyName": name, "PolicyDocument": shown.encoded(document)} for name, document in detail.inline
    ]
    entry["AttachedManagedPolicies"] = shown.attached(detail.attached)
    if found.kind == "group":
        return entry
    entry["Tags"] = shown.tag_list(detail.tags)
    if found.boundary_arn is not None:
        entry["PermissionsBoundary"] = shown.boundary(found.boundary_arn)
    if found.kind == "user":
        entry["GroupList"] = detail.groups
    else:
        entry["InstanceProfileList"] = [shown.instance_profile(view) for view in detail.profiles]
        entry["RoleLastUsed"] = shown.role_last_used(found)
    return entry


def _policy(detail: PolicyDetail) -> dict[str, Any]:
    entry = shown.policy(detail.view, in_list=True)
    default = detail.view.policy.default_version
    entry["PolicyVersionList"] = [shown.version(version, version.version == default) for version in detail.versions]
    return entry
