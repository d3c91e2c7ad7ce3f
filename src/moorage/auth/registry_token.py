"""Authorization tokens: the Basic password of docker login, good for 12 hours.

A token is the sealed name of a principal, never a grant: it says which access key asked for it, for which region and until
when, under an AEAD key that all nodes derive from the root key. Opening one needs no database; one that was seen is found in a
cache by its text. Rights are looked up at each request (`authorize`).

A token that temporary credentials asked for carries their session, so /v2/ knows its policies and tags. It is good for 12 hours,
like any other, also when the session ends before: `tokens_end_with_session` of the settings shortens it.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from dataclasses import dataclass

import msgspec

from moorage.auth.packed_session import NotPacked, pack, unpack
from moorage.keys.sealing import NotAuthentic, Sealing
from moorage.model.errors import NotAuthenticated
from moorage.model.principal import Session

USER = "AWS"
INVALID = "Your Authorization Token is invalid."
EXPIRED = "Your authorization token has expired. Reauthenticate and try again."

_LONGEST = 6144
_CACHED = 4096
_BINDING = b"moorage registry token v2"
_BINDING_1 = b"moorage registry token v1"
"""Of tokens without sessions, made before an upgrade: they still open."""
_Fields = tuple[str, str, str, str, str, str, int, bytes]
_Fields1 = tuple[str, str, str, str, str, str, int]

_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a token says. Times are seconds since the epoch."""

    access_key_id: str
    account_id: str
    principal_id: str
    arn: str
    partition: str
    region: str
    expires_at: int
    session: Session | None = None


class TokenExpired(NotAuthenticated):
    """A token that was good once."""


class RegistryTokens:
    """Makes and opens tokens. Belongs to one thread (the event loop's)."""

    def __init__(self, key: bytes) -> None:
        self._sealing = Sealing(key)
        self._seen: OrderedDict[str, TokenClaims] = OrderedDict()

    def issue(self, claims: TokenClaims) -> str:
        """The password for these claims."""
        fields = (
            claims.access_key_id,
            claims.account_id,
            claims.principal_id,
            claims.arn,
            claims.partition,
            claims.region,
            claims.expires_at,
            pack(claims.session) if claims.session is not None else b"",
        )
        return base64.urlsafe_b64encode(self._sealing.seal(_encode(fields), _BINDING)).decode("ascii")

    def open(self, password: str, now: float) -> TokenClaims:
        """The claims of a password. Raises TokenExpired, NotAuthenticated (anything that this server did not make)."""
        claims = self._seen.get(password)
        if claims is None:
            claims = self._unseal(password)
            self._seen[password] = claims
            if len(self._seen) > _CACHED:
                self._seen.popitem(last=False)
        if now >= claims.expires_at:
            self._seen.pop(password, None)
            raise TokenExpired(EXPIRED)
        return claims

    def _unseal(self, password: str) -> TokenClaims:
        try:
            if len(password) > _LONGEST:
                raise ValueError("longer than any token")
            sealed = base64.b64decode(password.encode("ascii"), altchars=b"-_", validate=True)
            return self._claims(sealed)
        except (ValueError, binascii.Error, NotAuthentic, msgspec.DecodeError, NotPacked):
            raise NotAuthenticated(INVALID) from None

    def _claims(self, sealed: bytes) -> TokenClaims:
        try:
            plain = self._sealing.open(sealed, _BINDING)
        except NotAuthentic:
            return TokenClaims(*msgspec.json.decode(self._sealing.open(sealed, _BINDING_1), type=_Fields1))
        key_id, account, principal, arn, partition, region, expires_at, packed = msgspec.msgpack.decode(plain, type=_Fields)
        session = unpack(packed) if packed else None
        return TokenClaims(key_id, account, principal, arn, partition, region, expires_at, session)


def basic_password(credentials: str) -> str:
    """The password in the credentials of ``Authorization: Basic``. Raises NotAuthenticated for another user than AWS."""
    try:
        user, colon, password = base64.b64decode(credentials.encode("ascii"), validate=True).decode("ascii").partition(":")
    except (ValueError, binascii.Error):
        raise NotAuthenticated(INVALID) from None
    if user != USER or not colon:
        raise NotAuthenticated(INVALID)
    return password
