"""Does a role's trust policy, together with the caller's own policies, let somebody have the role?

The trust policy is the role's resource-based policy, and the decision is that of every other request (`policy.evaluate`): in the
role's own account a trust policy that names the caller itself is enough, across accounts both sides have to allow, and a Deny
anywhere decides. A web identity has no policies of its own. Source: IAM User Guide, "Policy evaluation logic"; STS AssumeRole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from moorage.metadata import identities, identity_policies, managed_policies
from moorage.metadata.identity_records import AttachedPolicy, Identity
from moorage.metadata.transaction import ReadTransaction
from moorage.model.errors import MalformedPolicy
from moorage.model.principal import Caller, RequestFacts
from moorage.policy.compile import EMPTY, CompiledPolicy, PolicySet, Source, compile_policy
from moorage.policy.context import RequestContext, Value, tags
from moorage.policy.document import Kind
from moorage.policy.evaluate import Policies, Request, decide
from moorage.policy.managed import find_managed
from moorage.policy.parse import parse
from moorage.policy.principals import Principal


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
        caller: who asks; the caller has checked that it still counts (`check_standing`). None: the subject of an identity
            provider's token.
        role: its trust policy with the unique ids that its principals had when it was set, its account and its ARN.
        facts: the role's tags, tags that the session is to have, and as `extra` the keys of STS and of the identity provider in
            lower case. ``aws:multifactorauthpresent`` and ``-age`` among them stand for a code that came with this request.
        federated: the ARN of the identity provider, where there is no caller.
    """
    trust = _trust(role)
    if trust is None:
        return False
    own = Policies() if caller is None else _policies_of(tx, caller)
    principal = Principal.web_identity(federated or "") if caller is None else _principal(tx, caller)
    if own is None or principal is None:
        return False
    policies = Policies(own.identity, own.boundary, own.session, resource=trust)
    context = _context(tx, caller, principal, role, facts, _own_tags(tx, caller))
    return decide(Request(principal, action, role.arn, role.account_id, context), policies).allowed


def _trust(role: Identity) -> PolicySet | None:
    if role.trust_policy is None:
        return None
    compiled = _compile(role.trust_policy, Kind.TRUST, Source(role.arn, type="resource"), json.loads(role.trust_bindings or "{}"))
    return None if compiled is None else PolicySet([compiled])


def _compile(text: str, kind: Kind, source: Source, bindings: dict[str, str] | None = None) -> CompiledPolicy | None:
    try:
        return compile_policy(parse(text, kind), source, bindings=bindings)
    except MalformedPolicy:  # it was stored before the rule that it breaks was known: it grants nothing
        return None


def _principal(tx: ReadTransaction, caller: Caller) -> Principal | None:
    session = caller.session
    if session is not None and session.kind == "FederatedUser":
        return Principal.federated_user(caller.account_id, session.name)
    if session is not None and session.kind == "AssumedRole":
        role = identities.find_by_id(tx, caller.principal_id)
        return None if role is None else Principal.session(role.arn, role.id, session.name)
    if caller.is_root:
        return Principal.root(caller.account_id)
    return Principal.user(caller.arn, caller.principal_id)


def _policies_of(tx: ReadTransaction, caller: Caller) -> Policies | None:
    """What the caller's own account says, without the resource's side; None: its principal is gone."""
    session = _session_policies(tx, caller)
    if caller.is_root:
        return Policies(session=session)
    found = identity_policies.policies_of(tx, caller.principal_id)
    if found is None:
        return None
    identity = [_compile(inline.document, Kind.IDENTITY, Source(inline.name)) for inline in found.inline]
    identity += [_attached(policy, Kind.IDENTITY) for policy in found.attached]
    boundary = None
    if found.boundary is not None:
        boundary = _set([_attached(found.boundary, Kind.BOUNDARY)])
    return Policies(_set(identity), boundary, session)


def _session_policies(tx: ReadTransaction, caller: Caller) -> PolicySet | None:
    session = caller.session
    if session is None or not (session.policies or session.policy_arns or session.kind == "FederatedUser"):
        return None
    stored = managed_policies.default_versions(tx, list(session.policy_arns)) if session.policy_arns else {}
    compiled = [_compile(text, Kind.SESSION, Source("session")) for text in session.policies]
    for arn in session.policy_arns:
        text = stored[arn].document if arn in stored else _text_of_aws(arn)
        compiled.append(_compile(text or "", Kind.SESSION, Source(arn, is_managed=True)))
    return _set(compiled)


def _attached(policy: AttachedPolicy, kind: Kind) -> CompiledPolicy | None:
    text = policy.document if policy.document is not None else _text_of_aws(policy.arn)
    return None if text is None else _compile(text, kind, Source(policy.arn, is_managed=True))


def _text_of_aws(arn: str) -> str | None:
    """The text of a policy of AWS: those are not in the database."""
    found = find_managed(arn)
    return None if found is None else found.document


def _set(compiled: Iterable[CompiledPolicy | None]) -> PolicySet:
    kept = [policy for policy in compiled if policy is not None]
    return PolicySet(kept) if kept else EMPTY


def _own_tags(tx: ReadTransaction, caller: Caller | None) -> dict[str, str]:
    """``aws:PrincipalTag``: those of the user or role, and over them those of the session."""
    if caller is None or caller.is_root:
        return {}
    found = identity_policies.policies_of(tx, caller.principal_id)
    own = dict(found.tags) if found is not None else {}
    for key, value in caller.session.tags if caller.session is not None else ():
        for same in [each for each in own if each.lower() == key.lower()]:
            del own[same]
        own[key] = value
    return own


def _context(
    tx: ReadTransaction,
    caller: Caller | None,
    principal: Principal,
    role: Identity,
    facts: RequestFacts,
    principal_tags: dict[str, str],
) -> RequestContext:
    seconds = tx.now // 1_000_000
    session = caller.session if caller is not None else None
    values: dict[str, Value | Callable[[], Value | None] | None] = {
        "aws:currenttime": _iso(seconds),
        "aws:epochtime": str(seconds),
        "aws:resourceaccount": role.account_id,
        "aws:tagkeys": tuple(facts.tag_keys) if facts.tag_keys is not None else None,
    }
    if caller is not None:
        values |= {
            "aws:sourceip": caller.source_ip or None,
            "aws:useragent": caller.user_agent or None,
            "aws:securetransport": "true" if caller.is_secure else "false",
        }
    if session is not None:
        values |= {
            "aws:tokenissuetime": _iso(session.issued_at),
            "aws:sourceidentity": session.source_identity,
            "aws:federatedprovider": session.federated_provider,
            "aws:multifactorauthpresent": "false" if session.mfa_at is None else "true",
            "aws:multifactorauthage": None if session.mfa_at is None else str(seconds - session.mfa_at),
        }
    families = {
        "aws:principaltag/": tags(principal_tags),
        "aws:requesttag/": tags(facts.request_tags or {}),
        "aws:resourcetag/": tags(facts.resource_tags or {}),
        "iam:resourcetag/": tags(facts.resource_tags or {}),
    }
    return RequestContext(principal, {**values, **facts.extra}, families)


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
