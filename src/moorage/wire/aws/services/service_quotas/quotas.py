"""Quotas, with the values in force and by default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moorage.auth.cursors import Cursors
from moorage.metadata.database import Database
from moorage.model.scope import Scope
from moorage.operations import quotas
from moorage.operations.quotas import QuotaValue
from moorage.wire.aws.callers import caller_of, registry_of
from moorage.wire.aws.service import Call, Output, Service

_NAMES = {
    "ecr": "Amazon Elastic Container Registry (Amazon ECR)",
    "ecr-public": "Amazon Elastic Container Registry Public (Amazon ECR Public)",
}
_PAGE = 100


@dataclass(frozen=True, slots=True)
class QuotasContext:
    """Made once by the composition root."""

    db: Database
    cursors: Cursors


def register(service: Service, context: QuotasContext) -> None:
    """Add the operations to ``Service("service-quotas")``."""

    @service.operation("GetServiceQuota")
    async def get_service_quota(call: Call) -> Output:
        return {"Quota": await _one(context, call, default=False)}

    @service.operation("GetAWSDefaultServiceQuota")
    async def get_aws_default_service_quota(call: Call) -> Output:
        return {"Quota": await _one(context, call, default=True)}

    @service.operation("ListServiceQuotas")
    async def list_service_quotas(call: Call) -> Output:
        return await _page(context, call, default=False)

    @service.operation("ListAWSDefaultServiceQuotas")
    async def list_aws_default_service_quotas(call: Call) -> Output:
        return await _page(context, call, default=True)


async def _one(context: QuotasContext, call: Call, *, default: bool) -> dict[str, Any]:
    scope = registry_of(call)
    found = await context.db.lookup(
        quotas.get_service_quota, caller_of(call), scope, call["ServiceCode"], call["QuotaCode"], default=default
    )
    return _shown(found, scope, default=default)


async def _page(context: QuotasContext, call: Call, *, default: bool) -> Output:
    scope, code, level = registry_of(call), call.get("QuotaCode"), call.get("QuotaAppliedAtLevel") or "ACCOUNT"
    binding = f"{call.operation}|{scope}|{call['ServiceCode']}|{code}|{level}"
    # The model of this service has the other alphabet of base 64.
    token = (call.get("NextToken") or "").translate(str.maketrans("+/", "-_"))
    after = str(context.cursors.open(binding, token)[0]) if token else ""
    found, last = await context.db.lookup(
        quotas.list_service_quotas,
        caller_of(call),
        scope,
        call["ServiceCode"],
        after,
        call.get("MaxResults") or _PAGE,
        default=default,
    )
    if level == "RESOURCE":
        found, last = [], None  # quotas are those of an account, every one of them
    shown = [_shown(each, scope, default=default) for each in found if code in {None, each.quota.code}]
    following = context.cursors.seal(binding, [last]).translate(str.maketrans("-_", "+/")) if last is not None else None
    return {"Quotas": shown, "NextToken": following}


def _shown(found: QuotaValue, scope: Scope, *, default: bool) -> dict[str, Any]:
    quota, owner = found.quota, "" if default else scope.registry_id
    return {
        "ServiceCode": found.service,
        "ServiceName": _NAMES[found.service],
        "QuotaArn": f"arn:{scope.partition}:servicequotas:{scope.region}:{owner}:{found.service}/{quota.code}",
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": float(found.value),
        "Unit": "None",
        "Adjustable": quota.is_adjustable,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
        "Description": f"The maximum number of {quota.description}.",
    }
