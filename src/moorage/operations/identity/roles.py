"""Roles. Source: the operations of the same names of IAM."""

from __future__ import annotations

from dataclasses import dataclass, replace

from moorage.metadata.identity import identities
from moorage.metadata.identity.records import Identity
from moorage.metadata.transaction import Transaction
from moorage.model import identity_limits, ids
from moorage.model.identity import arn_of
from moorage.model.identity_errors import Unmodifiable
from moorage.model.principal import Caller
from moorage.operations.identity.authorized import Tags, changing, facts_of, permit
from moorage.operations.identity.boundaries import require_boundary
from moorage.operations.identity.documents import check_trust
from moorage.operations.identity.entities import PREFIXES, Described, add, described
from moorage.operations.identity.signin import change_signin_seconds
from moorage.operations.identity.tag_rules import check_tags


@dataclass(frozen=True, slots=True)
class RoleRequest:
    """What CreateRole can say; defaults are IAM's."""

    name: str
    trust_policy: str
    path: str = "/"
    description: str | None = None
    max_session_seconds: int = identity_limits.SESSION_SECONDS_DEFAULT
    signin_seconds: int | None = None
    boundary: str | None = None
    tags: Tags = ()


def create_role(tx: Transaction, caller: Caller, request: RoleRequest) -> Described:
    """Add a role, which may do nothing yet.

    Raises:
        EntityExists, LimitExceeded, InputInvalid
        MalformedPolicy: of the trust policy.
        EntityNotFound, RequestInvalid, NotAttachable: of the boundary.
    """
    arn = arn_of(caller.account_id, "role", request.path, request.name)
    facts = facts_of(tags=request.tags, extra={"iam:permissionsboundary": request.boundary})
    permit(tx, caller, "CreateRole", arn, facts)
    if request.tags:
        permit(tx, caller, "TagRole", arn, facts)
    checked = check_tags(request.tags)
    identities.touch(tx, caller.account_id)
    require_boundary(tx, caller.account_id, request.boundary)
    role = Identity(
        id=ids.unique_id(PREFIXES["role"]),
        account_id=caller.account_id,
        kind="role",
        name=request.name,
        path=request.path,
        created_at=tx.now,
        description=request.description,
        boundary_arn=request.boundary,
        trust_policy=request.trust_policy,
        trust_bindings=check_trust(tx, request.trust_policy),
        max_session_seconds=request.max_session_seconds,
    )
    created = add(tx, role, checked)
    change_signin_seconds(tx, "role", role, request.signin_seconds)
    return replace(created, signin_seconds=request.signin_seconds)


def update_assume_role_policy(tx: Transaction, caller: Caller, name: str, document: str) -> None:
    """Replace a role's trust policy; sessions that exist go on. Raises EntityNotFound, MalformedPolicy, Unmodifiable."""
    role = changing(tx, caller, "UpdateAssumeRolePolicy", "role", name)
    identities.set_trust(tx, role, document, check_trust(tx, document))


@dataclass(frozen=True, slots=True)
class RoleChange:
    """What UpdateRole can say; what is None stays."""

    description: str | None = None
    max_session_seconds: int | None = None
    signin_seconds: int | None = None
    resets_signin: bool = False


def update_role(tx: Transaction, caller: Caller, name: str, change: RoleChange, action: str) -> Described:
    """UpdateRole and UpdateRoleDescription (`action`).

    Raises:
        EntityNotFound, InputInvalid
        Unmodifiable: of a service's role only the description may change.
    """
    role = changing(tx, caller, action, "role", name, even_linked=True)
    is_longer = change.max_session_seconds not in {None, role.max_session_seconds}
    if role.linked_service is not None and (is_longer or change.signin_seconds is not None or change.resets_signin):
        raise Unmodifiable("role", role.name)
    seconds = change.max_session_seconds or role.max_session_seconds or identity_limits.SESSION_SECONDS_DEFAULT
    identities.set_role(tx, role, role.description if change.description is None else change.description, seconds)
    change_signin_seconds(tx, "role", role, change.signin_seconds, reset=change.resets_signin)
    changed = identities.find_by_id(tx, role.id)
    assert changed is not None
    return described(tx, changed)
