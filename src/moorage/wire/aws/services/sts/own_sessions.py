"""Sessions of the caller's own: GetSessionToken and GetFederationToken for long-term keys, GetScopedCredentials for sessions."""

from __future__ import annotations

from moorage.operations.sts import own_sessions, scoped
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.sts.context import StsContext, limits_of


def register(service: Service, context: StsContext) -> None:
    """Add the operations to ``Service("sts")``."""

    @service.operation("GetSessionToken")
    async def get_session_token(call: Call) -> Output:
        mfa_at = await context.mfa_at(call)
        key = await context.db.lookup(own_sessions.get_session_token, caller_of(call), call.get("DurationSeconds"), mfa_at)
        return context.shown(call, key)

    @service.operation("GetFederationToken")
    async def get_federation_token(call: Call) -> Output:
        made = await context.db.read(
            own_sessions.get_federation_token, caller_of(call), call["Name"], call.get("DurationSeconds"), limits_of(call)
        )
        key = made.key
        return {
            **context.shown(call, key),
            "FederatedUser": {"FederatedUserId": f"{key.account_id}:{key.session.name}", "Arn": key.arn},
            "PackedPolicySize": made.packed_percent,
        }

    @service.operation("GetScopedCredentials")
    async def get_scoped_credentials(call: Call) -> Output:
        made = await context.db.lookup(
            scoped.get_scoped_credentials, caller_of(call), call.get("Policy"), call.get("DurationSeconds")
        )
        return {
            **context.shown(call, made.key),
            "SessionInfo": {"ScopedSessionId": call.signer.user_id, "Arn": call.signer.principal_arn},
            "ScopedPoliciesCount": made.layers,
            "SourceIdentity": made.key.session.source_identity,
        }
