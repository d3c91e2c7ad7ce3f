"""May somebody have a role? Its trust policy is asked, and for those who have policies of their own these as well."""

from __future__ import annotations

from moorage.auth.trust import authorize_trust
from moorage.metadata.identity import identities
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.identity.records import Identity
from moorage.metadata.transaction import ReadTransaction
from moorage.model.identity import parse_iam_arn
from moorage.model.principal import Caller, RequestFacts
from moorage.model.sts_errors import RoleArnInvalid

ASSUME, ASSUME_BY_WEB_IDENTITY = "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"
TAG, SET_SOURCE_IDENTITY = "sts:TagSession", "sts:SetSourceIdentity"


def account_of_role(arn: str) -> str:
    """The account that a role's ARN names. Raises RoleArnInvalid."""
    parts = parse_iam_arn(arn)
    if parts is None or parts.kind != "role":
        raise RoleArnInvalid(arn)
    return parts.account


def find_role(tx: ReadTransaction, arn: str) -> Identity | None:
    """The role with that very ARN, path and case included. Raises RoleArnInvalid."""
    parts = parse_iam_arn(arn)
    if parts is None or parts.kind != "role":
        raise RoleArnInvalid(arn)
    role = identities.find(tx, parts.account, "role", parts.name)
    return role if role is not None and role.arn == arn else None


def may_assume(
    tx: ReadTransaction,
    caller: Caller | None,
    role: Identity,
    action: str,
    facts: RequestFacts,
    *,
    federated: str | None = None,
) -> bool:
    """Whether `caller`, or without one whoever the provider with the ARN `federated` vouches for, may do `action` to a role.

    `facts` are what the request says: the role's own tags are added here.
    """
    known = RequestFacts(
        resource_tags=identity_tags.tags_of(tx, role.id),
        request_tags=facts.request_tags,
        tag_keys=facts.tag_keys,
        extra=facts.extra,
    )
    return authorize_trust(tx, caller, action, role, known, federated=federated)
