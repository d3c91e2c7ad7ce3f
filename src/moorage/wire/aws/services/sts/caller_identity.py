"""``sts:GetCallerIdentity``: who a signature belongs to. It needs no permission."""

from __future__ import annotations

from moorage.wire.aws.service import Call, Output, Service


def register(service: Service) -> None:
    """Add the operation to ``Service("sts")``."""
    service.operation("GetCallerIdentity")(get_caller_identity)


async def get_caller_identity(call: Call) -> Output:
    """The account, the ARN and the unique id of the caller; for a root key the id is the account's."""
    caller = call.caller
    return {"UserId": caller.principal_id, "Account": caller.account_id, "Arn": caller.principal_arn}
