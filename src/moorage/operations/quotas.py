"""Quotas: the value in force for whoever obeys it, and for those who ask. Source: Service Quotas API reference."""

from __future__ import annotations

from msgspec import Struct

from moorage.auth.authorize import Question, authorize
from moorage.metadata.transaction import ReadTransaction
from moorage.model.principal import Caller
from moorage.model.quotas import QUOTAS, Quota, Quotas
from moorage.model.registry_errors import QuotaNotFound
from moorage.model.scope import Scope


class QuotaValue(Struct, frozen=True):
    """A service's quota and the value that was asked for: the one in force, or the default."""

    service: str
    quota: Quota
    value: int


def limit(tx: ReadTransaction, setting: str) -> int:
    """The value in force of a quota that can be changed."""
    return tx.memory.of(Quotas).of(setting)


def get_service_quota(tx: ReadTransaction, caller: Caller, scope: Scope, service: str, code: str, *, default: bool) -> QuotaValue:
    """One quota. Raises QuotaNotFound: no such service or code."""
    action = "GetAWSDefaultServiceQuota" if default else "GetServiceQuota"
    authorize(tx, caller, Question(f"servicequotas:{action}", scope, "*"))
    for quota in QUOTAS.get(service, ()):
        if quota.code == code:
            return _valued(tx, service, quota, default=default)
    raise QuotaNotFound(service, code)


def list_service_quotas(
    tx: ReadTransaction, caller: Caller, scope: Scope, service: str, after: str, count: int, *, default: bool
) -> tuple[list[QuotaValue], str | None]:
    """At most `count` quotas whose names come after `after`, and the last name if there are more. Raises QuotaNotFound."""
    action = "ListAWSDefaultServiceQuotas" if default else "ListServiceQuotas"
    authorize(tx, caller, Question(f"servicequotas:{action}", scope, "*"))
    if service not in QUOTAS:
        raise QuotaNotFound(service, "")
    found = sorted((quota for quota in QUOTAS[service] if quota.name > after), key=lambda quota: quota.name)
    page = [_valued(tx, service, quota, default=default) for quota in found[:count]]
    return page, page[-1].quota.name if len(found) > count else None


def _valued(tx: ReadTransaction, service: str, quota: Quota, *, default: bool) -> QuotaValue:
    return QuotaValue(service, quota, quota.default if default else tx.memory.of(Quotas).value_of(quota))
