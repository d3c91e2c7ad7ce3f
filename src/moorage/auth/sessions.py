"""Temporary credentials: what STS hands out, sealed into their own session token.

A session token holds its access key id, its secret, the principal and the session's facts under an AEAD key that all nodes derive
from the root key. So no row is written for a session and none is read to verify a signature; a token that was seen is found in a
cache by its text. Like a registry token it is the name of a principal and never a grant: whether the principal, and the long-term
key that asked for the session, still exist is looked up at each request (`authorize`). Source: STS, "Temporary security
credentials".
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from dataclasses import dataclass, field

import msgspec

from moorage.auth.credentials import Credential
from moorage.auth.packed_session import NotPacked, pack, unpack
from moorage.keys.sealing import OVERHEAD_BYTES, NotAuthentic, Sealing
from moorage.model import ids
from moorage.model.errors import NotAuthenticated
from moorage.model.principal import Session

_PADDED = b"\xc1"
"""The one byte that no MessagePack begins with: then come the length of the plain text, two bytes, itself, and zeros."""
_LONGEST = 6144
_CACHED = 4096
_BINDING = b"moorage session token v1"
_Fields = tuple[str, str, str, str, str, bytes]
LARGEST = 4096
"""Bytes of the longest token that a client can ask for; SessionTokenUtilization is a percentage of it."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Fields).decode


@dataclass(frozen=True, slots=True)
class TemporaryKey:
    """Temporary credentials, as STS hands them out once.

    `principal_id` is the unique id of the user or role they act as, `arn` what GetCallerIdentity shows for them.
    """

    access_key_id: str
    secret: str = field(repr=False)
    account_id: str
    principal_id: str
    arn: str
    session: Session


def may_reach(session: Session, service: str) -> bool:
    """Whether sessions of this kind count at a service at all. At IAM users' own ones without MFA do not, nor federated users,
    whatever policies say. Source: STS, GetSessionToken and GetFederationToken, "Permissions"."""
    if service != "iam":
        return True
    return session.kind == "AssumedRole" or (session.kind == "SessionToken" and session.mfa_at is not None)


def new_key(account_id: str, principal_id: str, arn: str, session: Session) -> TemporaryKey:
    """Fresh temporary credentials."""
    return TemporaryKey(ids.temporary_key_id(account_id), ids.secret_access_key(), account_id, principal_id, arn, session)


class SessionTokens:
    """Makes and opens session tokens. Belongs to one thread (the event loop's)."""

    def __init__(self, key: bytes) -> None:
        self._sealing = Sealing(key)
        self._seen: OrderedDict[str, Credential] = OrderedDict()

    def issue(self, key: TemporaryKey, at_least: int = 0) -> str:
        """The session token of temporary credentials, padded to `at_least` bytes for clients that test with long ones."""
        plain = _encode((key.access_key_id, key.secret, key.account_id, key.principal_id, key.arn, pack(key.session)))
        sealed = self._sealing.seal(_padded(plain, at_least * 3 // 4 - OVERHEAD_BYTES), _BINDING)
        return base64.urlsafe_b64encode(sealed).decode("ascii")

    def open(self, access_key_id: str, token: str) -> Credential | None:
        """The credential of a token, expired or not; None if it is not this key's, or was not made by this server."""
        credential = self._seen.get(token)
        if credential is None:
            try:
                credential = self._unseal(token)
            except NotAuthenticated:
                return None
            self._seen[token] = credential
            if len(self._seen) > _CACHED:
                self._seen.popitem(last=False)
        return credential if credential.access_key_id == access_key_id else None

    def _unseal(self, token: str) -> Credential:
        try:
            if len(token) > _LONGEST:
                raise ValueError("longer than any token")
            sealed = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
            plain = self._sealing.open(sealed, _BINDING)
            key_id, secret, account_id, principal_id, arn, packed = _decode(_unpadded(plain))
            session = unpack(packed)
        except (ValueError, binascii.Error, NotAuthentic, msgspec.DecodeError, NotPacked):
            raise NotAuthenticated("not a session token of this server") from None
        return Credential(
            access_key_id=key_id,
            secret=secret,
            account_id=account_id,
            principal_arn=arn,
            principal_id=principal_id,
            session_token=token,
            expires_at=session.expires_at,
            session=session,
        )


def _padded(plain: bytes, at_least: int) -> bytes:
    if len(plain) >= at_least:
        return plain
    return (_PADDED + len(plain).to_bytes(2, "big") + plain).ljust(at_least, b"\0")


def _unpadded(plain: bytes) -> bytes:
    return plain[3 : 3 + int.from_bytes(plain[1:3], "big")] if plain[:1] == _PADDED else plain
