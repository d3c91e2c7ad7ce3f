"""Authorise, then find: the first lines of every use case about an identity, in the order that discloses nothing.

Whether something exists shows neither in a refusal nor in its text: the ARN that a refusal names is made of the name that the
caller gave, never of a path that only the database knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from moorage.auth.authorize import Question, authorize
from moorage.metadata.identity import identities
from moorage.metadata.identity import tags as identity_tags
from moorage.metadata.identity.records import Identity
from moorage.metadata.transaction import Overtaken, ReadTransaction, Transaction
from moorage.model.errors import AccessDenied
from moorage.model.identity import Kind, arn_of, home
from moorage.model.identity_errors import EntityNotFound, RequestInvalid, Unmodifiable
from moorage.model.principal import NO_FACTS, Caller, RequestFacts, root_arn

Tags = Sequence[tuple[str, str]]
"""Tags as a request brings them: not yet checked."""

_KNOWS_BOUNDARY = frozenset(
    action.format(kind)
    for kind in ("User", "Role")
    for action in ("Attach{}Policy", "Detach{}Policy", "Put{}Policy", "Delete{}Policy", "Delete{}PermissionsBoundary")
)
"""Actions on an identity whose conditions may ask for its boundary. Source: service authorization reference of IAM."""


def facts_of(
    *,
    resource_tags: Mapping[str, str] | None = None,
    tags: Tags = (),
    tag_keys: Sequence[str] = (),
    extra: Mapping[str, str | None] | None = None,
) -> RequestFacts:
    """What policy conditions may ask about a request; `extra` without the keys that have no value."""
    keys = [key for key, _ in tags] or list(tag_keys)
    return RequestFacts(
        resource_tags=resource_tags,
        request_tags=dict(tags) if tags else None,
        tag_keys=keys or None,
        extra={key: value for key, value in (extra or {}).items() if value is not None},
    )


def permit(
    tx: ReadTransaction, caller: Caller, action: str, resource: str, facts: RequestFacts = NO_FACTS, *, shown: str | None = None
) -> None:
    """`authorize` an action of IAM (``CreateUser``) in the caller's account.

    Args:
        shown: the ARN that a refusal names, where `resource` says more than the caller does.
    """
    try:
        authorize(tx, caller, Question(f"iam:{action}", home(caller.account_id), resource, facts))
    except AccessDenied as denied:
        if shown is None:
            raise
        raise AccessDenied(denied.principal_arn, denied.action, shown, denied.reason) from None


def identity_for(
    tx: ReadTransaction,
    caller: Caller,
    action: str,
    kind: Kind,
    name: str,
    *,
    tags: Tags = (),
    tag_keys: Sequence[str] = (),
    extra: Mapping[str, str | None] | None = None,
) -> Identity:
    """The identity, if the caller may do `action` on it. Raises AccessDenied, NotAuthenticated, EntityNotFound."""
    found = identities.find(tx, caller.account_id, kind, name)
    named = arn_of(caller.account_id, kind, "/", name)
    known: dict[str, str | None] = dict(extra or {})
    own_tags: dict[str, str] = {}
    if found is not None:
        own_tags = identity_tags.tags_of(tx, found.id) if kind != "group" else {}
        if action in _KNOWS_BOUNDARY:
            known.setdefault("iam:permissionsboundary", found.boundary_arn)
    facts = facts_of(resource_tags=own_tags, tags=tags, tag_keys=tag_keys, extra=known)
    is_self = found is not None and found.id == caller.principal_id
    permit(tx, caller, action, found.arn if found else named, facts, shown=None if is_self else named)
    if found is None:
        raise EntityNotFound(kind, name)
    return found


def changing(
    tx: Transaction,
    caller: Caller,
    action: str,
    kind: Kind,
    name: str,
    *,
    tags: Tags = (),
    tag_keys: Sequence[str] = (),
    extra: Mapping[str, str | None] | None = None,
    even_linked: bool = False,
) -> Identity:
    """`identity_for`, as it is now that no other change of the account runs; the epoch is raised.

    Args:
        even_linked: also roles that belong to a service.

    Raises:
        Unmodifiable: the role belongs to a service.
    """
    found = identity_for(tx, caller, action, kind, name, tags=tags, tag_keys=tag_keys, extra=extra)
    return renewed(tx, found, even_linked=even_linked)


def renewed(tx: Transaction, identity: Identity, *, even_linked: bool = False) -> Identity:
    """The second half of `changing`, for those who have more to authorise in between."""
    identities.touch(tx, identity.account_id)
    now = identities.find_by_id(tx, identity.id)
    if now is None:
        raise EntityNotFound(identity.kind, identity.name)
    if now.arn != identity.arn:
        # Renamed or moved meanwhile: what was asked for and allowed is another thing, or none.
        raise Overtaken
    if now.linked_service is not None and not even_linked:
        raise Unmodifiable(now.kind, now.name)
    return now


def own_name(tx: ReadTransaction, caller: Caller) -> str | None:
    """The name of the user who calls; None for a root. Raises RequestInvalid for a role's session."""
    if caller.is_root:
        return None
    identity = identities.find_by_id(tx, caller.principal_id)
    if identity is None or identity.kind != "user":
        raise RequestInvalid("Must specify userName when calling with non-User credentials")
    return identity.name


def user_or_self(tx: ReadTransaction, caller: Caller, action: str, name: str | None) -> Identity | None:
    """The user named, or the caller itself where none is; None: the caller, which is its account's root."""
    chosen = name if name is not None else own_name(tx, caller)
    if chosen is None:
        permit(tx, caller, action, root_arn(caller.account_id))
        return None
    return identity_for(tx, caller, action, "user", chosen)


def changing_user_or_self(tx: Transaction, caller: Caller, action: str, name: str | None) -> Identity | None:
    """`user_or_self`, with the epoch raised."""
    found = user_or_self(tx, caller, action, name)
    if found is None:
        identities.touch(tx, caller.account_id)
        return None
    return renewed(tx, found)
