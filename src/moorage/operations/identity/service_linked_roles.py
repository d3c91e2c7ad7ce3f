"""Roles that belong to a service: users may make and delete them, never change them.

Source: ECR user guide, "Using service-linked roles for Amazon ECR".
"""

from __future__ import annotations

import json
import uuid

from msgspec import Struct

from moorage.metadata.identity import account_facts, identities
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity.records import Identity
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits, ids
from moorage.model.identity import arn_of
from moorage.model.identity_errors import EntityNotFound, InputInvalid
from moorage.model.principal import Caller
from moorage.operations.identity import aws_managed
from moorage.operations.identity.authorized import facts_of, identity_for, permit, renewed
from moorage.operations.identity.entities import PREFIXES, Described, add, end

_DELETIONS = "role-deletions"
_REMEMBERED = 50


class LinkedRole(Struct, frozen=True):
    """What a service's role is called, what it may do and what for."""

    service: str
    name: str
    policy: str
    description: str

    @property
    def path(self) -> str:
        """The path of the role."""
        return f"/aws-service-role/{self.service}/"


LINKED_ROLES = {
    role.service: role
    for role in (
        LinkedRole(
            "replication.ecr.amazonaws.com",
            "AWSServiceRoleForECRReplication",
            "ECRReplicationServiceRolePolicy",
            "Lets the registry replicate images to other regions and accounts.",
        ),
        LinkedRole(
            "pullthroughcache.ecr.amazonaws.com",
            "AWSServiceRoleForECRPullThroughCache",
            "AWSECRPullThroughCache_ServiceRolePolicy",
            "Lets the registry keep images of upstream registries.",
        ),
        LinkedRole(
            "ecr.amazonaws.com",
            "AWSServiceRoleForECRTemplate",
            "ECRTemplateServiceRolePolicy",
            "Lets the registry create repositories by templates.",
        ),
    )
}
"""By the service that has it."""


def create_service_linked_role(
    tx: Transaction, caller: Caller, service: str, description: str | None, suffix: str | None
) -> Described:
    """Make the role of one of the registry's services. Raises InputInvalid: no such service, a suffix, or the role exists."""
    linked = LINKED_ROLES.get(service)
    path, name = (linked.path, linked.name) if linked is not None else (f"/aws-service-role/{service}/", "*")
    arn = arn_of(caller.account_id, "role", path, name)
    permit(tx, caller, "CreateServiceLinkedRole", arn, facts_of(extra={"iam:awsservicename": service}))
    if linked is None:
        raise InputInvalid(f"{service} has no service-linked role here")
    if suffix is not None:
        raise InputInvalid(f"Custom suffix is not allowed for {service}")
    identities.touch(tx, caller.account_id)
    if identities.find(tx, caller.account_id, "role", linked.name) is not None:
        raise InputInvalid(f"Service role name {linked.name} has been taken in this account, please try a different suffix.")
    return make(tx, caller.account_id, linked, description)


def make(tx: Transaction, account_id: str, linked: LinkedRole, description: str | None = None) -> Described:
    """Make a service's role in an account that does not have it. The epoch has been raised. For services that need theirs."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": linked.service}, "Action": "sts:AssumeRole"}],
    }
    role = Identity(
        id=ids.unique_id(PREFIXES["role"]),
        account_id=account_id,
        kind="role",
        name=linked.name,
        path=linked.path,
        created_at=tx.now,
        description=description or linked.description,
        trust_policy=json.dumps(trust),
        trust_bindings="{}",
        max_session_seconds=identity_limits.SESSION_SECONDS_DEFAULT,
        linked_service=linked.service,
    )
    added = add(tx, role, {})
    identity_policies.attach(tx, role, arn_of(aws_managed.AWS, "policy", "/aws-service-role/", linked.policy))
    return added


def ensure_linked_role(tx: Transaction, caller: Caller, service: str) -> None:
    """Make the role of a service that is about to be used, unless the caller's account has it.

    Raises:
        AccessDenied: it has not, and the caller may not make it.
    """
    linked = LINKED_ROLES[service]
    if identities.find(tx, caller.account_id, "role", linked.name) is not None:
        return
    arn = arn_of(caller.account_id, "role", linked.path, linked.name)
    permit(tx, caller, "CreateServiceLinkedRole", arn, facts_of(extra={"iam:awsservicename": service}))
    identities.touch(tx, caller.account_id)
    if identities.find(tx, caller.account_id, "role", linked.name) is None:
        make(tx, caller.account_id, linked)


def delete_service_linked_role(tx: Transaction, caller: Caller, name: str) -> str:
    """Delete a service's role, which is done at once; return the id of the deletion. Raises EntityNotFound."""
    known = identities.find(tx, caller.account_id, "role", name)
    service = known.linked_service if known is not None else None
    found = identity_for(tx, caller, "DeleteServiceLinkedRole", "role", name, extra={"iam:awsservicename": service})
    role = renewed(tx, found, even_linked=True)
    if role.linked_service is None:
        raise EntityNotFound("role", name)
    for arn in identity_policies.attached_to(tx, role):
        identity_policies.detach(tx, role, arn)
    end(tx, role)
    task = f"task{role.path}{role.name}/{uuid.uuid4()}"
    deletions = [*_deletions(tx, caller.account_id), task][-_REMEMBERED:]
    account_facts.put_document(tx, caller.account_id, _DELETIONS, json.dumps(deletions))
    return task


def get_service_linked_role_deletion_status(tx: ReadTransaction, caller: Caller, task: str) -> None:
    """Make sure that a deletion was asked for; then it has succeeded. Raises EntityNotFound."""
    permit(tx, caller, "GetServiceLinkedRoleDeletionStatus", arn_of(caller.account_id, "role", "/", "*"))
    if task not in _deletions(tx, caller.account_id):
        raise EntityNotFound("deletion", task)


def _deletions(tx: ReadTransaction, account_id: str) -> list[str]:
    found = account_facts.find_document(tx, account_id, _DELETIONS)
    return list(json.loads(found.text)) if found is not None else []
