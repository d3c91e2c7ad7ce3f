"""What decides what a principal may do, read once for each epoch of its account.

Every change of identities raises the account's epoch in its own transaction, and every request reads the epoch, so a snapshot of
another epoch is never used: what was revoked is gone from the next request on, on every node.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from moorage.auth.compiled_policies import compiled, policy_set, resource_policies
from moorage.metadata.identity import identities, managed_policies
from moorage.metadata.identity import policies as identity_policies
from moorage.metadata.identity.records import AttachedPolicy, Identity
from moorage.metadata.registry import documents as registry_documents
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model.principal import Caller, Session
from moorage.model.scope import Scope
from moorage.policy.compile import EMPTY, CompiledPolicy, PolicySet, Source
from moorage.policy.document import Kind
from moorage.policy.evaluate import RegistryScope
from moorage.policy.managed import find_managed
from moorage.policy.principals import Principal

_REMEMBERED = 4096
REGISTRY_POLICY_SCOPE = "REGISTRY_POLICY_SCOPE"


AllowKey = tuple[str, str, int]
"""Action, resource, and the identity of the session."""
Allowed = tuple[object, object, object]
"""The very objects on which an Allow rests beside the snapshot: session, repository's policy, registry's policy."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A user, a role or an account's root as of one epoch. `identity` is None for a root, which no policy of its own limits."""

    epoch: int
    identity: Identity | None
    principal: Principal
    """Of a role's sessions what they have in common: see `principal_of`."""
    policies: PolicySet
    boundary: PolicySet | None
    tags: Mapping[str, str]
    allowed: dict[AllowKey, Allowed] = field(default_factory=dict)
    """Allows that will hold as long as this snapshot does: see `auth.authorize`."""


@dataclass(frozen=True, slots=True)
class RegistryPolicies:
    """A registry's own policy as of one epoch of its account."""

    epoch: int
    policies: PolicySet
    scope: RegistryScope


class Snapshots:
    """Snapshots by unique id, oldest first. Shared by threads: losing an entry to a race costs a look-up."""

    def __init__(self) -> None:
        self.principals: OrderedDict[str, Snapshot] = OrderedDict()
        self.registries: dict[Scope, RegistryPolicies] = {}
        self.sessions: dict[tuple[object, ...], tuple[int, PolicySet]] = {}


def snapshot_of(tx: ReadTransaction, account_id: str, principal_id: str, epoch: int) -> Snapshot | None:
    """The principal as of `epoch`, which was read in this transaction; None: it is gone."""
    kept = tx.memory.of(Snapshots).principals
    found = kept.get(principal_id)
    if found is not None and found.epoch == epoch:
        return found
    made = _read(tx, account_id, principal_id, epoch)
    # A writer may see an epoch that is never committed: what it has read is its own.
    if made is not None and not isinstance(tx, Transaction):
        kept[principal_id] = made
        if len(kept) > _REMEMBERED:
            kept.popitem(last=False)
    return made


def _read(tx: ReadTransaction, account_id: str, principal_id: str, epoch: int) -> Snapshot | None:
    if principal_id == account_id:
        return Snapshot(epoch, None, Principal.root(account_id), EMPTY, None, {})
    found = identity_policies.policies_of(tx, principal_id)
    if found is None or found.identity.account_id != account_id:
        return None
    identity = found.identity
    own = [compiled(each.document, Kind.IDENTITY, _inline_source(each.name, each.owner_id, identity)) for each in found.inline]
    own += [policy for each in found.attached if (policy := _attached(each, Kind.IDENTITY)) is not None]
    boundary = None
    if found.boundary is not None:
        limit = _attached(found.boundary, Kind.BOUNDARY)
        boundary = policy_set([limit]) if limit is not None else EMPTY
    principal = (
        Principal.session(identity.arn, identity.id, "") if identity.kind == "role" else Principal.user(identity.arn, identity.id)
    )
    return Snapshot(epoch, identity, principal, policy_set(own) if own else EMPTY, boundary, dict(found.tags))


def _inline_source(name: str, owner_id: str, identity: Identity) -> Source:
    return Source(name, type=identity.kind if owner_id == identity.id else "group")


def _attached(policy: AttachedPolicy, kind: Kind) -> CompiledPolicy | None:
    document = policy.document
    if document is not None:
        return compiled(document, kind, Source(policy.arn, is_managed=True, type="user-managed"))
    of_aws = find_managed(policy.arn)
    return None if of_aws is None else compiled(of_aws.document, kind, Source(policy.arn, is_managed=True, type="aws-managed"))


def principal_of(snapshot: Snapshot, caller: Caller) -> Principal:
    """The caller as policies name it: its present ARN, also if it was renamed since its credentials were made."""
    session = caller.session
    if session is None or session.kind == "SessionToken":
        return snapshot.principal
    if session.kind == "FederatedUser":
        return Principal.federated_user(caller.account_id, session.name)
    assert snapshot.identity is not None, "a root has no sessions of this kind"
    return Principal.session(snapshot.identity.arn, snapshot.identity.id, session.name)


def session_policies(tx: ReadTransaction, session: Session | None, account_id: str, epoch: int) -> PolicySet | None:
    """What limits a session; None: nothing does. A federated user whose session brought no policy may do nothing."""
    if session is None:
        return None
    if not session.policies and not session.policy_arns:
        return EMPTY if session.kind == "FederatedUser" else None
    inline = [compiled(text, Kind.SESSION, Source("session policy")) for text in session.policies]
    if not session.policy_arns:
        return policy_set(inline)
    kept = tx.memory.of(Snapshots).sessions
    key = (account_id, session.policies, session.policy_arns)
    found = kept.get(key)
    if found is not None and found[0] == epoch:
        return found[1]
    stored = managed_policies.default_versions(tx, list(session.policy_arns))
    attached = [AttachedPolicy("", arn, stored[arn].document if arn in stored else None) for arn in session.policy_arns]
    policies = [policy for each in attached if (policy := _attached(each, Kind.SESSION)) is not None]
    # A limit that was deleted since may have held a Deny: without it nothing is certain, so nothing is allowed.
    made = policy_set([*inline, *policies]) if len(policies) == len(attached) else EMPTY
    if not isinstance(tx, Transaction):
        if len(kept) >= _REMEMBERED:
            kept.clear()
        kept[key] = (epoch, made)
    return made


def scope_policies(session: Session | None) -> tuple[PolicySet, ...]:
    """The scope-down policies of a session, one set each: none of them widens another."""
    if session is None or not session.scope_policies:
        return ()
    return tuple(policy_set([compiled(text, Kind.SESSION, Source("session policy"))]) for text in session.scope_policies)


def registry_policies(tx: ReadTransaction, scope: Scope, caller: Caller, epoch: int) -> RegistryPolicies:
    """The policy of the registry that is asked. `epoch` is that of the caller's account, which mostly owns the registry."""
    if scope.registry_id != caller.account_id:
        epoch = identities.credential_status(tx, scope.registry_id, "")[0]
    kept = tx.memory.of(Snapshots).registries
    found = kept.get(scope)
    if found is not None and found.epoch == epoch:
        return found
    stored = registry_documents.find(tx, scope, registry_documents.POLICY)
    policies = EMPTY if stored is None else resource_policies(*stored, Kind.REGISTRY, f"registry policy of {scope.registry_id}")
    reach = registry_documents.setting(tx, scope, REGISTRY_POLICY_SCOPE) if stored is not None else None
    made = RegistryPolicies(epoch, policies, RegistryScope.V1 if reach == "V1" else RegistryScope.V2)
    if not isinstance(tx, Transaction):
        if len(kept) >= _REMEMBERED:
            kept.clear()
        kept[scope] = made
    return made
