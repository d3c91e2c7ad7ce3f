"""What STS says about callers and keys, and the operations that it answers with a refusal whoever asks."""

from __future__ import annotations

from moorage.operations.sts import lookups
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call, Handler, Output, Service
from moorage.wire.aws.services.sts.context import StsContext

_REFUSED = {"AssumeRoot": "TargetPrincipal", "GetDelegatedAccessToken": None, "GetWebIdentityToken": None}
"""Nobody is allowed these here; each with the member that names its resource."""


def register(service: Service, context: StsContext) -> None:
    """Add the operations to ``Service("sts")``."""

    @service.operation("GetCallerIdentity")
    async def get_caller_identity(call: Call) -> Output:
        await context.db.lookup(lookups.get_caller_identity, caller_of(call))
        return {"UserId": call.signer.user_id, "Account": call.signer.account_id, "Arn": call.signer.principal_arn}

    @service.operation("GetAccessKeyInfo")
    async def get_access_key_info(call: Call) -> Output:
        return {"Account": await context.db.lookup(lookups.get_access_key_info, caller_of(call), call["AccessKeyId"])}

    @service.operation("DecodeAuthorizationMessage")
    async def decode_authorization_message(call: Call) -> Output:
        return await context.db.lookup(lookups.decode_authorization_message, caller_of(call), call["EncodedMessage"])

    for name, member in _REFUSED.items():
        service.refusal(name)(_refusal(context, name, member))


def _refusal(context: StsContext, name: str, member: str | None) -> Handler:
    async def refuse(call: Call) -> Output:
        return await context.db.lookup(lookups.refuse, caller_of(call), name, call[member] if member else "*")

    return refuse
