"""GetAuthorizationToken: a password for docker that names a principal for 12 hours."""

from __future__ import annotations

from moorage.auth.authorize import Question, authorize
from moorage.auth.registry_token import TokenClaims
from moorage.metadata.transaction import ReadTransaction
from moorage.model import limits
from moorage.model.principal import Caller, RequestFacts
from moorage.model.scope import Scope

_FOR_ECR_PUBLIC = RequestFacts(
    extra={"sts:awsservicename": "ecr-public.amazonaws.com", "sts:durationseconds": str(limits.TOKEN_SECONDS)}
)


def get_authorization_token(tx: ReadTransaction, caller: Caller, scope: Scope, *, ends_with_session: bool = False) -> TokenClaims:
    """The claims of a new token for the caller, good in every registry of the scope's region that the caller can reach.

    A token of the public registry also takes ``sts:GetServiceBearerToken``; it is good for all public registries, and for no
    private one. The token of a session has its 12 hours as well, unless `ends_with_session`, or the session was scoped down:
    what was made narrower and shorter on purpose does not grow again.
    """
    authorize(tx, caller, Question("ecr:GetAuthorizationToken", scope, "*"))
    if scope.is_public:
        authorize(tx, caller, Question("sts:GetServiceBearerToken", scope, "*", _FOR_ECR_PUBLIC))
    expires_at = tx.now // 1_000_000 + limits.TOKEN_SECONDS
    session = caller.session
    if session is not None and (ends_with_session or session.scope_policies is not None):
        expires_at = min(expires_at, session.expires_at)
    return TokenClaims(
        access_key_id=caller.access_key_id,
        account_id=caller.account_id,
        principal_id=caller.principal_id,
        arn=caller.arn,
        partition=scope.partition,
        region=scope.region,
        expires_at=expires_at,
        session=session,
    )
