"""What the STS operations work with, and the parts of requests and answers that several of them have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moorage.auth.sessions import LARGEST, SessionTokens, TemporaryKey
from moorage.keys.root_key import RootKey
from moorage.metadata.database import Database
from moorage.model.clock import Clock
from moorage.operations.sts import mfa
from moorage.operations.sts.limits import Limits
from moorage.upstream.oidc_keys import ProviderKeys
from moorage.wire.aws.callers import caller_of
from moorage.wire.aws.service import Call


@dataclass(frozen=True, slots=True)
class StsContext:
    """Made once by the composition root."""

    db: Database
    root_key: RootKey
    sessions: SessionTokens
    provider_keys: ProviderKeys
    clock: Clock

    async def mfa_at(self, call: Call) -> int | None:
        """When the MFA code of a call was checked, in seconds since the epoch: now; None for a call without one.

        Raises:
            MfaFailed: the try is counted before this is told.
        """
        serial, code = call.get("SerialNumber"), call.get("TokenCode")
        if not await self.db.write(mfa.check_code, self.root_key, caller_of(call), serial, code):
            mfa.refuse(serial, code)
        return int(self.clock()) if code is not None else None

    def shown(self, call: Call, key: TemporaryKey) -> dict[str, Any]:
        """The `Credentials` shape, where the secret leaves, once, and what is told about the size of its token."""
        token = self.sessions.issue(key, call.get("MinimumSessionTokenSize") or 0)
        return {
            "Credentials": {
                "AccessKeyId": key.access_key_id,
                "SecretAccessKey": key.secret,
                "SessionToken": token,
                "Expiration": key.session.expires_at,
            },
            "SessionTokenSize": len(token),
            "SessionTokenUtilization": min(100, -(-100 * len(token) // LARGEST)),
        }


def limits_of(call: Call) -> Limits:
    """Session policies and tags of a request. The model has checked their shapes."""
    return Limits(
        policy=call.get("Policy"),
        policy_arns=tuple(entry["arn"] for entry in call.get("PolicyArns") or () if entry.get("arn")),
        tags=tuple((tag["Key"], tag["Value"]) for tag in call.get("Tags") or ()),
        transitive_keys=tuple(call.get("TransitiveTagKeys") or ()),
    )
