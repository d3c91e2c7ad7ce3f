"""Roles for users, for other roles' sessions and for web identities: AssumeRole and its kin."""

from __future__ import annotations

from typing import Any

from moorage.auth.oidc import check_claims, check_signature, read_token
from moorage.model.sts_errors import ContextAssertionInvalid, WebIdentityDenied
from moorage.operations.sts import assume_role, web_identity
from moorage.operations.sts.assume_role import Assumed, RoleRequest
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.sts.context import StsContext, limits_of


def register(service: Service, context: StsContext) -> None:
    """Add the operations to ``Service("sts")``."""

    @service.operation("AssumeRole")
    async def assume_role_(call: Call) -> Output:
        if call.get("ProvidedContexts"):
            raise ContextAssertionInvalid("no context provider is trusted here")
        mfa_at = await context.mfa_at(call)
        assumed = await context.db.read(assume_role.assume_role, caller_of(call), _request(call), mfa_at)
        return _shown(context, call, assumed)

    @service.operation("AssumeRoleWithWebIdentity")
    async def assume_role_with_web_identity(call: Call) -> Output:
        token = read_token(call["WebIdentityToken"])
        request = _request(call)
        provider = await context.db.lookup(web_identity.find_provider, request.role_arn, token.issuer)
        # What costs nothing comes first: no key is fetched for a token that does not count anyway.
        identity = check_claims(token, token.issuer, provider.client_ids, context.clock())
        check_signature(token, await context.provider_keys.for_token(token, token.issuer, provider.thumbprints))
        assumed = await context.db.read(web_identity.assume_role_with_web_identity, provider.arn, identity, request, call.ticket)
        return {
            **_shown(context, call, assumed),
            "SubjectFromWebIdentityToken": identity.subject,
            "Audience": identity.audience,
            "Provider": provider.arn,
        }

    @service.refusal("AssumeRoleWithSAML")
    async def assume_role_with_saml(_call: Call) -> Output:
        raise WebIdentityDenied("sts:AssumeRoleWithSAML")


def _request(call: Call) -> RoleRequest:
    return RoleRequest(
        role_arn=call["RoleArn"],
        session_name=call["RoleSessionName"],
        seconds=call.get("DurationSeconds"),
        limits=limits_of(call),
        external_id=call.get("ExternalId"),
        source_identity=call.get("SourceIdentity"),
    )


def _shown(context: StsContext, call: Call, assumed: Assumed) -> dict[str, Any]:
    key = assumed.key
    return {
        **context.shown(call, key),
        "AssumedRoleUser": {"AssumedRoleId": f"{assumed.role_id}:{key.session.name}", "Arn": key.arn},
        "PackedPolicySize": assumed.packed_percent,
        "SourceIdentity": key.session.source_identity,
    }
