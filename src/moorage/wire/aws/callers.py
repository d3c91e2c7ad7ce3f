"""From a verified signature to the caller that use cases know, and to the registry that a call is about."""

from __future__ import annotations

from moorage.auth.signature_errors import FaultKind, refuse
from moorage.model.principal import Caller
from moorage.model.scope import Scope, is_region
from moorage.wire.aws.service import Call


def caller_of(call: Call) -> Caller:
    """The principal that signed the call. Raises SignatureRefused if nobody did."""
    credential = call.signer
    return Caller(
        credential.access_key_id,
        credential.account_id,
        credential.principal_id,
        credential.principal_arn,
        call.source_ip,
        call.user_agent,
        credential.session,
        is_secure=call.scheme == "https",
        ticket=call.ticket,
        event=call.event,
    )


def registry_of(call: Call) -> Scope:
    """The registry that the call is about: `registryId`, or the caller's own, in the region that was signed for.

    Raises:
        SignatureRefused: no region can have that name.
    """
    if not is_region(call.region):
        raise refuse(FaultKind.SCOPE_REGION, call.region)
    return Scope.of(call.region, call.get("registryId") or call.signer.account_id)
