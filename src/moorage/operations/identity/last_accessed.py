"""When identities last used which service. Source: the operations ...ServiceLastAccessedDetails... of IAM.

A report is worked out when it is read, from what is known of everybody's activity; asking for one only gives it an id.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from moorage.metadata.identity import account_facts, identities, managed_policies, memberships
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity.records import AccessReport, Activity, Identity
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits
from moorage.model.identity import KINDS, Kind, parse_iam_arn
from moorage.model.identity_errors import EntityNotFound, InputInvalid
from moorage.model.principal import Caller
from moorage.operations.identity import aws_managed
from moorage.operations.identity.authorized import identity_for, permit
from moorage.operations.identity.managed_policies import policy_for
from moorage.operations.identity.paging import Key, Page, cut

Granularity = Literal["SERVICE_LEVEL", "ACTION_LEVEL"]

SERVICES = {
    "ecr": "Amazon Elastic Container Registry",
    "ecr-public": "Amazon Elastic Container Registry Public",
    "iam": "AWS Identity and Access Management",
    "sts": "AWS Security Token Service",
}
"""By namespace: what this server has."""
_EVERYBODY = 100_000


@dataclass(frozen=True, slots=True)
class Use:
    """The last use of a service or an action, by whom and where; `at` is None if there was none."""

    name: str
    at: int | None = None
    by: str | None = None
    region: str | None = None
    users: int = 0
    actions: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Granting:
    """A policy that grants access to a service: a managed one by its ARN, an inline one by whose it is."""

    name: str
    arn: str | None
    owner: Identity | None


def generate_service_last_accessed_details(tx: Transaction, caller: Caller, arn: str, granularity: Granularity) -> str:
    """Ask for a report about a user, group, role or policy; return its id. Raises EntityNotFound, InputInvalid."""
    _covered(tx, caller, "GenerateServiceLastAccessedDetails", arn)
    account_facts.purge_reports(tx, _oldest(tx))
    report = AccessReport(str(uuid.uuid4()), caller.account_id, arn, granularity, tx.now)
    account_facts.insert_report(tx, report)
    return report.id


def get_service_last_accessed_details(
    tx: ReadTransaction, caller: Caller, report_id: str, after: Key, count: int
) -> tuple[AccessReport, Page[Use]]:
    """The report: one entry for each service, by namespace. Raises EntityNotFound."""
    report = _report(tx, caller, "GetServiceLastAccessedDetails", report_id)
    people = {identity.id: identity for identity in _people(tx, caller.account_id, report.arn)}
    activity = account_facts.activity_of(tx, list(people))
    uses = [
        _use_of(service, [entry for entry in activity if entry.action.startswith(f"{service}:")], people, report.granularity)
        for service in SERVICES
    ]
    return report, cut(uses, after, count, lambda use: [use.name])


def get_service_last_accessed_details_with_entities(
    tx: ReadTransaction, caller: Caller, report_id: str, service: str, after: Key, count: int
) -> tuple[AccessReport, Page[tuple[Identity, int | None]]]:
    """Who could use a service, and when each did last. Raises EntityNotFound."""
    report = _report(tx, caller, "GetServiceLastAccessedDetailsWithEntities", report_id)
    people = {identity.id: identity for identity in _people(tx, caller.account_id, report.arn)}
    last: dict[str, int] = {}
    for entry in account_facts.activity_of(tx, list(people)):
        if entry.action.startswith(f"{service}:"):
            last[entry.principal_id] = max(entry.last_at, last.get(entry.principal_id, 0))
    found = [(identity, last.get(identity.id)) for identity in people.values()]
    return report, cut(found, after, count, lambda pair: [pair[0].id])


def list_policies_granting_service_access(
    tx: ReadTransaction, caller: Caller, arn: str, services: Sequence[str]
) -> dict[str, list[Granting]]:
    """By service: the policies by which a user, group or role may use it; a user's groups count. Raises EntityNotFound."""
    identity = _covered(tx, caller, "ListPoliciesGrantingServiceAccess", arn)
    if identity is None:
        raise InputInvalid(f"ARN {arn[:256]} is not valid.")
    owners = [identity, *memberships.groups_of(tx, identity)]
    texts: list[tuple[Granting, str]] = []
    for owner in owners:
        for name, document in identity_policies.inline_of(tx, owner).items():
            texts.append((Granting(name, None, owner), document))
        attached = identity_policies.attached_to(tx, owner)
        versions = managed_policies.default_versions(tx, attached)
        for policy_arn in attached:
            of_aws, parts = aws_managed.find(policy_arn), parse_iam_arn(policy_arn)
            version = of_aws.version if of_aws is not None else versions.get(policy_arn)
            if version is not None and parts is not None:
                texts.append((Granting(parts.name, policy_arn, None), version.document))
    return {service: [policy for policy, text in texts if _grants(text, service)] for service in services}


def _report(tx: ReadTransaction, caller: Caller, action: str, report_id: str) -> AccessReport:
    permit(tx, caller, action, "*")
    report = account_facts.find_report(tx, report_id)
    if report is None or report.account_id != caller.account_id or report.created_at < _oldest(tx):
        raise EntityNotFound("report", report_id)
    return report


def _oldest(tx: ReadTransaction) -> int:
    return tx.now - identity_limits.REPORT_LIFE_SECONDS * 1_000_000


def _covered(tx: ReadTransaction, caller: Caller, action: str, arn: str) -> Identity | None:
    """The identity that an ARN names, if the caller may do `action` on it; None: it names a policy."""
    parts = parse_iam_arn(arn)
    kind: Kind | None = next((each for each in KINDS if parts is not None and parts.kind == each), None)
    if parts is not None and kind is not None and parts.account == caller.account_id:
        identity = identity_for(tx, caller, action, kind, parts.name)
        if identity.arn != arn:
            raise EntityNotFound(kind, parts.name)
        return identity
    policy_for(tx, caller, action, arn)
    return None


def _people(tx: ReadTransaction, account_id: str, arn: str) -> list[Identity]:
    """The users and roles that a report is about: itself, a group's members, whoever a policy is attached to."""
    parts = parse_iam_arn(arn)
    if parts is None:
        return []
    found: list[Identity] = []
    if parts.kind == "policy":
        for kind in KINDS:
            found += identities.list_holders(
                tx, account_id, kind, arn, attached=True, bounded=False, prefix="/", after="", count=_EVERYBODY
            )
    else:
        kind = next(each for each in KINDS if each == parts.kind)
        identity = identities.find(tx, account_id, kind, parts.name)
        found = [identity] if identity is not None else []
    people = {identity.id: identity for identity in found if identity.kind != "group"}
    for group in found:
        if group.kind == "group":
            people |= {user.id: user for user in memberships.members_of(tx, group, "", _EVERYBODY)}
    return list(people.values())


def _use_of(name: str, entries: Sequence[Activity], people: dict[str, Identity], granularity: str) -> Use:
    if not entries:
        return Use(name)
    newest = max(entries, key=lambda entry: entry.last_at)
    actions: list[Use] = []
    if granularity == "ACTION_LEVEL":
        for action in sorted({entry.action for entry in entries}):
            of_action = [entry for entry in entries if entry.action == action]
            actions.append(_use_of(action.partition(":")[2], of_action, people, ""))
    return Use(
        name,
        newest.last_at,
        people[newest.principal_id].arn,
        newest.region,
        len({entry.principal_id for entry in entries}),
        tuple(actions),
    )


def _grants(text: str, service: str) -> bool:
    """Tell whether a document has a statement that allows an action of a service, whatever its conditions."""
    statements = json.loads(text).get("Statement", [])
    return any(_allows(statement, service) for statement in _list(statements) if isinstance(statement, dict))


def _allows(statement: dict[str, Any], service: str) -> bool:
    if statement.get("Effect") != "Allow":
        return False
    if "NotAction" in statement:
        return not any(action in {"*", f"{service}:*"} for action in map(str.lower, _texts(statement["NotAction"])))
    return any(action == "*" or action.startswith(f"{service}:") for action in map(str.lower, _texts(statement.get("Action"))))


def _texts(value: Any) -> Iterable[str]:
    return (text for text in _list(value) if isinstance(text, str))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
