"""AssumeRoleWithWebIdentity: a role's session for whoever an identity provider vouches for.

The token has been verified when this is called (`auth.oidc`, `upstream.oidc_keys`): here its provider is looked up, and its
claims are held against the role's trust policy.
"""

from __future__ import annotations

from typing import Any

from moorage.auth.oidc import WebIdentity, condition_keys
from moorage.metadata.identity import providers
from moorage.metadata.identity.records import Provider
from moorage.metadata.transaction import ReadTransaction
from moorage.model.principal import Session
from moorage.model.rates import Ticket
from moorage.model.sts_errors import ClaimRejected, ProviderUnknown, WebIdentityDenied
from moorage.operations.sts.assume_role import Assumed, RoleRequest, assumed, tag_facts
from moorage.operations.sts.limits import Limits, check_tags, role_seconds
from moorage.operations.sts.trust import ASSUME_BY_WEB_IDENTITY, SET_SOURCE_IDENTITY, TAG, account_of_role, find_role, may_assume

TAGS_CLAIM = "https://aws.amazon.com/tags"
SOURCE_IDENTITY_CLAIM = "https://aws.amazon.com/source_identity"
_TAGS = 50
SOURCE_IDENTITY = 256
"""Characters of a source identity at most; a test holds it equal to the model."""


def find_provider(tx: ReadTransaction, role_arn: str, issuer: str) -> Provider:
    """The provider of a token's issuer in the account of a role. Raises RoleArnInvalid, ProviderUnknown."""
    account = account_of_role(role_arn)
    url = issuer.partition("://")[2]
    provider = providers.find(tx, f"arn:aws:iam::{account}:oidc-provider/{url}")
    if provider is None or provider.kind != "oidc" or provider.url != url:
        raise ProviderUnknown(issuer)
    return provider


def assume_role_with_web_identity(
    tx: ReadTransaction, provider_arn: str, identity: WebIdentity, request: RoleRequest, ticket: Ticket | None = None
) -> Assumed:
    """Credentials of a role for the subject of a token.

    Args:
        ticket: counts the request among those of the role's account.

    Raises:
        WebIdentityDenied: the trust policy does not let it in, or there is no such role.
        ClaimRejected: session tags or source identity of the token cannot be used.
        DurationTooLong, MalformedPolicy, SessionPolicyUnknown, PackedPolicyTooLarge
        RateExceeded, TokensNeeded: as `authorize.admit`.
    """
    limits = _with_claimed_tags(request.limits, identity.claims)
    source_identity = identity.claims.get(SOURCE_IDENTITY_CLAIM)
    if source_identity is not None and not (isinstance(source_identity, str) and 2 <= len(source_identity) <= SOURCE_IDENTITY):
        raise ClaimRejected(SOURCE_IDENTITY_CLAIM)
    extra: dict[str, Any] = {**condition_keys(identity), "sts:rolesessionname": request.session_name}
    if source_identity is not None:
        extra["sts:sourceidentity"] = source_identity
    facts = tag_facts(limits, extra)
    role = find_role(tx, request.role_arn)
    needed = [ASSUME_BY_WEB_IDENTITY]
    if limits.tags:
        needed.append(TAG)
    if source_identity is not None:
        needed.append(SET_SOURCE_IDENTITY)
    for action in needed:
        if role is None or not may_assume(tx, None, role, action, facts, federated=provider_arn):
            raise WebIdentityDenied(action)
    assert role is not None
    if ticket is not None:
        ticket.admit()
    now = tx.now // 1_000_000
    session = Session(
        kind="AssumedRole",
        name=request.session_name,
        issued_at=now,
        expires_at=now + role_seconds(request.seconds, role.max_session_seconds, is_chained=False),
        source_identity=source_identity,
        federated_provider=provider_arn,
    )
    return assumed(tx, role, session, limits)


def _with_claimed_tags(limits: Limits, claims: Any) -> Limits:
    """The session's tags, which a web identity brings in its token. Source: STS, "Passing session tags using
    AssumeRoleWithWebIdentity"."""
    claimed = claims.get(TAGS_CLAIM)
    if claimed is None:
        return limits
    try:
        tags = [(key, _single(values)) for key, values in claimed["principal_tags"].items()]
        transitive = list(claimed.get("transitive_tag_keys", []))
    except (AttributeError, KeyError, TypeError):
        raise ClaimRejected(TAGS_CLAIM) from None
    texts = [text for pair in tags for text in pair] + transitive
    sizes = [0 < len(key) <= 128 and len(value) <= 256 for key, value in tags if isinstance(value, str)]
    if not all(isinstance(text, str) for text in texts) or len(tags) > _TAGS or not all(sizes):
        raise ClaimRejected(TAGS_CLAIM)
    found = Limits(limits.policy, limits.policy_arns, tuple(tags), tuple(transitive))
    check_tags(found)
    return found


def _single(values: Any) -> Any:
    """Tags have one value, which tokens may put into a list."""
    return values[0] if isinstance(values, list) and len(values) == 1 else values
