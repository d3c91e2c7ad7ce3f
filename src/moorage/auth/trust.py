"""Does a role's trust policy, together with the caller's own policies, let somebody have the role?

The trust policy is the role's resource-based policy, and the decision is that of every other request (`policy.evaluate`): in the
role's own account a trust policy that names the caller itself is enough, across accounts both sides have to allow, and a Deny
anywhere decides. A web identity has no policies of its own. Source: IAM User Guide, "Policy evaluation logic"; STS AssumeRole.
"""

from __future__ import annotations

from moorage.auth.authorize import admit, check_status
from moorage.auth.compiled_policies import resource_policies
from moorage.auth.request_context import CallContext
from moorage.auth.snapshots import Snapshot, principal_of, scope_policies, session_policies
from moorage.metadata.identity.records import Identity
from moorage.metadata.transaction import ReadTransaction
from moorage.model.principal import Caller, RequestFacts
from moorage.policy.document import Kind
from moorage.policy.evaluate import Decision, Policies, Request, decide
from moorage.policy.principals import Principal

_REGION = "us-east-1"


def authorize_trust(
    tx: ReadTransaction,
    caller: Caller | None,
    action: str,
    role: Identity,
    facts: RequestFacts,
    *,
    federated: str | None = None,
) -> bool:
    """Whether `action` (``sts:AssumeRole``, ``sts:TagSession`` ...) on a role is allowed.

    Args:
        caller: who asks; None: the subject of an identity provider's token.
        role: its trust policy with the unique ids that its principals had when it was set, its account and its ARN.
        facts: the role's tags, tags that the session is to have, and as `extra` the keys of STS and of the identity provider in
            lower case. ``aws:multifactorauthpresent`` and ``-age`` among them stand for a code that came with this request.
        federated: the ARN of the identity provider, where there is no caller.

    Raises:
        NotAuthenticated: the caller's key or principal was disabled or deleted.
        RateExceeded, TokensNeeded: as `authorize.admit`.
    """
    snapshot = None if caller is None else check_status(tx, caller)
    decision = trust_decision(tx, caller, snapshot, action, role, facts, federated=federated)
    is_allowed = decision is not None and decision.allowed
    if caller is not None:
        if is_allowed:
            admit(caller)
        if caller.event is not None and is_allowed:
            caller.event.allow(action, role.arn, _REGION)
        elif caller.event is not None:
            caller.event.deny(action, role.arn, "its trust policy, with the caller's own policies, does not allow it")
    return is_allowed


def trust_decision(
    tx: ReadTransaction,
    caller: Caller | None,
    snapshot: Snapshot | None,
    action: str,
    role: Identity,
    facts: RequestFacts,
    *,
    federated: str | None = None,
) -> Decision | None:
    """The decision of `authorize_trust`, with all that it rests on; None: nobody may assume the role.

    `snapshot` is that of the caller, who may be somebody who does not call at all (`authorize.snapshot_about`).
    """
    if role.trust_policy is None:
        return None
    trust = resource_policies(role.trust_policy, role.trust_bindings, Kind.TRUST, role.arn)
    if caller is None or snapshot is None:
        principal, policies = Principal.web_identity(federated or ""), Policies(resource=trust)
        context = CallContext(tx, None, principal, {}, _REGION, role.account_id, facts, None)
    else:
        principal = principal_of(snapshot, caller)
        session = session_policies(tx, caller.session, caller.account_id, snapshot.epoch)
        policies = Policies(snapshot.policies, snapshot.boundary, session, resource=trust, scopes=scope_policies(caller.session))
        context = CallContext(tx, caller, principal, snapshot.tags, _REGION, role.account_id, facts, None)
    return decide(Request(principal, action, role.arn, role.account_id, context), policies)
