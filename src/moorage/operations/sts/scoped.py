"""GetScopedCredentials: narrower, shorter credentials for the same session. Source: STS API reference; IAM User Guide,
"Permissions for GetScopedCredentials"."""

from __future__ import annotations

from msgspec import Struct, structs

from moorage.auth.authorize import Question, admit, check_status, decision_for
from moorage.auth.sessions import TemporaryKey, new_key
from moorage.metadata.transaction import ReadTransaction
from moorage.model.identity import home
from moorage.model.principal import Caller
from moorage.model.sts_errors import LifetimeTooShort, NotScopable, ScopeMissing, TooManyScopes
from moorage.operations.sts.limits import Limits, check_packed, check_policies
from moorage.policy.evaluate import Outcome

LAYERS = 3
"""Scope-down policies that a session can have."""


class Scoped(Struct, frozen=True):
    """A session scoped down. `layers` is ScopedPoliciesCount."""

    key: TemporaryKey
    layers: int


def get_scoped_credentials(tx: ReadTransaction, caller: Caller, policy: str | None, seconds: int | None) -> Scoped:
    """Credentials of the caller's own session that may do no more, for no longer.

    They can only be narrower, so no policy has to allow it; one that denies ``sts:GetScopedCredentials`` counts.

    Args:
        policy: the most that they may do; every policy of earlier calls goes on to count.
        seconds: None: until the calling session ends.

    Raises:
        NotScopable, ScopeMissing, LifetimeTooShort, TooManyScopes
        AccessDenied, MalformedPolicy, PackedPolicyTooLarge
    """
    check_status(tx, caller)
    session = caller.session
    if session is None:
        raise NotScopable("a long-term key")
    if policy is None and seconds is None:
        raise ScopeMissing("neither policy nor duration")
    decision = decision_for(tx, caller, Question("sts:GetScopedCredentials", home(caller.account_id), "*"))
    if decision.outcome is Outcome.EXPLICIT_DENY:
        raise decision.error()
    admit(caller)
    layers = session.scope_policies or ()
    if policy is not None:
        if len(layers) >= LAYERS:
            raise TooManyScopes(LAYERS)
        check_policies(tx, caller.account_id, Limits(policy=policy))
        layers = (*layers, policy)
    now = tx.now // 1_000_000
    left = session.expires_at - now
    if seconds is not None and seconds > left:
        raise LifetimeTooShort(seconds, left)
    ends_at = session.expires_at if seconds is None else now + seconds
    narrower = structs.replace(session, expires_at=ends_at, scope_policies=layers)
    check_packed(narrower)
    return Scoped(new_key(caller.account_id, caller.principal_id, caller.arn, narrower), len(layers))
