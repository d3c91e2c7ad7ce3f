"""Users. Source: the operations of the same names of IAM."""

from __future__ import annotations

from moorage.metadata.identity import identities
from moorage.metadata.identity.records import Identity
from moorage.metadata.registry import registries
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import ids
from moorage.model.identity import arn_of
from moorage.model.principal import Caller
from moorage.operations.identity.authorized import Tags, facts_of, permit, user_or_self
from moorage.operations.identity.boundaries import require_boundary
from moorage.operations.identity.entities import PREFIXES, Described, add, described
from moorage.operations.identity.tag_rules import check_tags


def create_user(tx: Transaction, caller: Caller, name: str, path: str, boundary: str | None, tags: Tags) -> Described:
    """Add a user, who may do nothing yet.

    Raises:
        EntityExists, LimitExceeded, InputInvalid
        EntityNotFound, RequestInvalid, NotAttachable: of the boundary.
    """
    arn = arn_of(caller.account_id, "user", path, name)
    facts = facts_of(tags=tags, extra={"iam:permissionsboundary": boundary})
    permit(tx, caller, "CreateUser", arn, facts)
    if tags:
        permit(tx, caller, "TagUser", arn, facts)
    checked = check_tags(tags)
    identities.touch(tx, caller.account_id)
    require_boundary(tx, caller.account_id, boundary)
    user = Identity(ids.unique_id(PREFIXES["user"]), caller.account_id, "user", name, path, tx.now, boundary_arn=boundary)
    return add(tx, user, checked)


def get_user(tx: ReadTransaction, caller: Caller, name: str | None) -> Described | int:
    """A user, or the caller; when its account's root was created (microseconds), if that is who calls. Raises EntityNotFound."""
    found = user_or_self(tx, caller, "GetUser", name)
    if found is not None:
        return described(tx, found)
    created_at = registries.account_created_at(tx, caller.account_id)
    assert created_at is not None
    return created_at
