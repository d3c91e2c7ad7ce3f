"""Permissions boundaries: a managed policy beyond which a user or a role may do nothing."""

from __future__ import annotations

from moorage.metadata.identity import identities, managed_policies
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.identity import Kind, parse_iam_arn
from moorage.model.identity_errors import EntityNotFound, NotAttachable, RequestInvalid
from moorage.model.principal import Caller
from moorage.operations.identity import aws_managed
from moorage.operations.identity.authorized import changing


def require_boundary(tx: ReadTransaction, account_id: str, policy_arn: str | None) -> None:
    """Make sure that an ARN names a policy that can be a boundary in the account.

    Raises:
        RequestInvalid: it is not the ARN of a policy.
        EntityNotFound, NotAttachable
    """
    if policy_arn is None:
        return
    parts = parse_iam_arn(policy_arn)
    if parts is None or parts.kind != "policy":
        raise RequestInvalid(f"Value ({policy_arn[:256]}) for parameter PermissionsBoundary is invalid.")
    require_attachable(tx, account_id, policy_arn)


def require_attachable(tx: ReadTransaction, account_id: str, policy_arn: str) -> None:
    """Make sure that a policy is there and may be attached by users. Raises EntityNotFound, NotAttachable."""
    of_aws = aws_managed.find(policy_arn)
    if of_aws is not None and not of_aws.is_attachable:
        raise NotAttachable(policy_arn)
    if of_aws is None and managed_policies.find(tx, account_id, policy_arn) is None:
        raise EntityNotFound("attachable policy", policy_arn)


def put_permissions_boundary(tx: Transaction, caller: Caller, kind: Kind, name: str, policy_arn: str) -> None:
    """PutUserPermissionsBoundary, PutRolePermissionsBoundary.

    Raises:
        EntityNotFound, RequestInvalid, NotAttachable, Unmodifiable
    """
    action = f"Put{kind.capitalize()}PermissionsBoundary"
    identity = changing(tx, caller, action, kind, name, extra={"iam:permissionsboundary": policy_arn})
    require_boundary(tx, caller.account_id, policy_arn)
    identities.set_boundary(tx, identity, policy_arn)


def delete_permissions_boundary(tx: Transaction, caller: Caller, kind: Kind, name: str) -> None:
    """DeleteUserPermissionsBoundary, DeleteRolePermissionsBoundary.

    Raises:
        EntityNotFound: also if there is no boundary.
        Unmodifiable
    """
    identity = changing(tx, caller, f"Delete{kind.capitalize()}PermissionsBoundary", kind, name)
    if identity.boundary_arn is None:
        raise EntityNotFound(f"{kind} boundary", identity.name)
    identities.set_boundary(tx, identity, None)
