"""From a verified signature to the caller that use cases know."""

from __future__ import annotations

from moorage.model.principal import Caller
from moorage.wire.aws.service import Call


def caller_of(call: Call) -> Caller:
    """The principal that signed the call. Raises SignatureRefused if nobody did."""
    credential = call.caller
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
