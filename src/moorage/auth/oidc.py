"""Tokens of identity providers (OpenID Connect, Kubernetes service accounts, CI systems): verified here, without I/O.

The keys come from the provider's own JWKS (`upstream.oidc_keys`) and from nowhere else: what a token's header brings along
(``jwk``, ``jku``, ``x5c``, ``x5u``) is not looked at. Algorithms are asymmetric ones of a fixed list, and each takes keys of its
own type only, so neither ``none`` nor an HMAC under a public key can pass.

Sources: RFC 7515, RFC 7517, RFC 7519, RFC 8725; OpenID Connect Core, "ID Token Validation"; STS AssumeRoleWithWebIdentity.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from msgspec import Struct

from moorage.model.sts_errors import (
    AudienceUnknown,
    ClaimMissing,
    IdentityTokenEarly,
    IdentityTokenExpired,
    IdentityTokenForged,
    IdentityTokenMalformed,
    VerificationKeyMissing,
)

ALGORITHMS: Mapping[str, str] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384"), "EC"),
}
"""Accepted algorithms, each with the type of its keys."""

SKEW_SECONDS = 60
"""How far a provider's clock may be off."""

KEYS_MAX = 100
"""Keys of a set that are looked at."""

_RSA_BYTES = range(256, 1025)
"""Size of a modulus: from 2,048 to 8,192 bits. Smaller ones are weak; larger ones cost as much as somebody likes."""
_CURVES = frozenset(("P-256", "P-384"))
_LONGEST = 20_000
"""STS, `clientTokenType`."""
_UNREADABLE = (JoseError, ValueError, TypeError, AttributeError, KeyError, RecursionError, binascii.Error)


class _Registry(jws.JWSRegistry):
    max_header_length = 16_384  # some providers put a certificate chain into it
    max_payload_length = _LONGEST
    max_signature_length = 2048


_REGISTRY = _Registry(algorithms=list(ALGORITHMS), strict_check_header=False)

Claims = Mapping[str, Any]


class PublicKey(Struct, frozen=True):
    """One usable key of a provider. `algorithm` is what its owner limits it to, if at all."""

    kid: str | None
    kind: str
    algorithm: str | None
    key: RSAKey | ECKey


class UnverifiedToken:
    """What a token claims. Nothing of it is true before `check_signature` and `check_claims`."""

    __slots__ = ("_signed", "algorithm", "claims", "issuer", "kid")

    def __init__(self, signed: jws.CompactSignature, algorithm: str, kid: str | None, claims: Claims) -> None:
        self._signed = signed
        self.algorithm = algorithm
        self.kid = kid
        self.claims = claims
        issuer = claims.get("iss")
        if not isinstance(issuer, str) or not issuer:
            raise ClaimMissing("iss")
        self.issuer = issuer

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether the signature is that key's."""
        try:
            return jws.validate_compact(self._signed, key.key, registry=_REGISTRY)
        except _UNREADABLE:
            return False


def read_token(text: str) -> UnverifiedToken:
    """Take a token apart. Raises IdentityTokenMalformed, ClaimMissing (without an issuer nobody can go on)."""
    if len(text) > _LONGEST:
        raise IdentityTokenMalformed("too long")
    try:
        signed = jws.extract_compact(text.encode("ascii"), registry=_REGISTRY)
        header = signed.headers()
        claims = msgspec.json.decode(signed.payload, type=dict[str, Any])
        algorithm, kid = header.get("alg"), header.get("kid")
    except (*_UNREADABLE, msgspec.DecodeError):
        raise IdentityTokenMalformed("not a signed JWT") from None
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise IdentityTokenMalformed("an algorithm that is not accepted")
    # No extension is understood here, so a header that insists on one, or changes what is signed (RFC 7797), is refused.
    if "crit" in header or "b64" in header or not (kid is None or isinstance(kid, str)):
        raise IdentityTokenMalformed("a header that is not understood")
    return UnverifiedToken(signed, algorithm, kid, claims)


def read_keys(document: bytes) -> tuple[PublicKey, ...]:
    """The usable keys of a JWKS; those of other kinds are passed over. Raises ValueError if it is no JWKS."""
    try:
        keys = msgspec.json.decode(document, type=dict[str, Any])["keys"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RecursionError):
        raise ValueError("not a JWKS") from None
    if not isinstance(keys, list):
        raise ValueError("not a JWKS")
    usable = (_usable(entry) for entry in keys[:KEYS_MAX])
    return tuple(key for key in usable if key is not None)


def _usable(entry: object) -> PublicKey | None:
    if not isinstance(entry, dict):
        return None
    kid, algorithm, operations = entry.get("kid"), entry.get("alg"), entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    if not (kid is None or isinstance(kid, str)) or not (algorithm is None or algorithm in ALGORITHMS):
        return None
    try:
        key: RSAKey | ECKey
        if entry.get("kty") == "RSA" and len(_unpadded(entry["n"])) in _RSA_BYTES and 1 < len(_unpadded(entry["e"])) <= 4:
            key = RSAKey.import_key({"kty": "RSA", "n": entry["n"], "e": entry["e"]})
        elif entry.get("kty") == "EC" and entry.get("crv") in _CURVES:
            key = ECKey.import_key({"kty": "EC", "crv": entry["crv"], "x": entry["x"], "y": entry["y"]})
        else:
            return None
    except _UNREADABLE:
        return None
    return PublicKey(kid, entry["kty"], algorithm, key)


def _unpadded(text: str) -> bytes:
    """The bytes of a number, without leading zeros."""
    return binascii.a2b_base64(text.replace("-", "+").replace("_", "/") + "==").lstrip(b"\0")


def keys_for(token: UnverifiedToken, keys: Sequence[PublicKey]) -> list[PublicKey]:
    """Those of a provider's keys that may have signed the token: its ``kid``, its algorithm, and that algorithm's type of key.

    A token without ``kid`` is only accepted from a provider with a single key that fits (RFC 7517; OpenID Connect Core 10.1).
    """
    fitting = [key for key in keys if key.kind == ALGORITHMS[token.algorithm] and key.algorithm in {None, token.algorithm}]
    if token.kid is None:
        return fitting if len(fitting) == 1 else []
    return [key for key in fitting if key.kid == token.kid]


def check_signature(token: UnverifiedToken, keys: Sequence[PublicKey]) -> None:
    """Make sure that one of the provider's keys signed the token. Raises VerificationKeyMissing, IdentityTokenForged."""
    fitting = keys_for(token, keys)
    if not fitting:
        raise VerificationKeyMissing(f"none of {len(keys)} keys fits {token.algorithm} and kid {str(token.kid)[:80]!r}")
    if not any(token.is_signed_by(key) for key in fitting[:3]):
        raise IdentityTokenForged("the signature is wrong")


class WebIdentity(Struct, frozen=True):
    """Who a verified token speaks of. `audience` is the client id that it was made for."""

    issuer: str
    subject: str
    audience: str
    claims: Claims


def check_claims(token: UnverifiedToken, issuer: str, client_ids: Sequence[str], now: float) -> WebIdentity:
    """Check a token's claims against its provider.

    Args:
        issuer: the provider's URL, which ``iss`` must equal.
        client_ids: the provider's; ``azp``, or where it is absent one of ``aud``, must be among them.
        now: seconds since the epoch.

    Raises:
        IdentityTokenExpired, IdentityTokenEarly, AudienceUnknown, ClaimMissing
        IdentityTokenForged: the issuer is another one.
    """
    claims = token.claims
    if token.issuer != issuer:
        raise IdentityTokenForged("another issuer")
    expires_at, issued_at = _time(claims, "exp"), _time(claims, "iat")
    if now >= expires_at + SKEW_SECONDS:
        raise IdentityTokenExpired(int(now), int(expires_at))
    if issued_at > now + SKEW_SECONDS or (claims.get("nbf") is not None and _time(claims, "nbf") > now + SKEW_SECONDS):
        raise IdentityTokenEarly("not valid yet")
    audience = next((each for each in audiences(claims) if each in client_ids), None)
    if audience is None:
        raise AudienceUnknown("made for somebody else")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise ClaimMissing("sub")
    return WebIdentity(issuer, subject, audience, claims)


def audiences(claims: Claims) -> list[str]:
    """Whom a token was made for: the authorised party if it names one, else its audience. Source: STS, condition key ``aud``."""
    party = claims.get("azp")
    if party is not None:
        return [party] if isinstance(party, str) else []
    named = claims.get("aud")
    found = named if isinstance(named, list) else [named]
    return [each for each in found if isinstance(each, str)]


def _time(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 << 53:
        raise ClaimMissing(name)
    return float(value)


_NOT_KEYS = frozenset(("aud", "azp", "exp", "iat", "iss", "nbf", "oaud"))


_RESERVED = frozenset(("aws", "ecr", "ecr-public", "iam", "kms", "organizations", "s3", "sts"))
"""What other condition keys begin with: a host of such a name would speak of more than its own tokens."""


def condition_keys(identity: WebIdentity) -> dict[str, str | list[str]]:
    """What a trust policy may ask about the token: ``<issuer without scheme>:<claim>`` in lower case.

    ``aud`` is the authorised party where there is one, and ``oaud`` then the audience, as STS has it. Other claims are there if
    they are text, numbers, truth values or lists of text.
    """
    prefix = identity.issuer.partition("://")[2].lower()
    if prefix in _RESERVED:
        return {}
    keys: dict[str, str | list[str]] = {f"{prefix}:aud": _one_or_all(audiences(identity.claims))}
    if identity.claims.get("azp") is not None:
        keys[f"{prefix}:oaud"] = _one_or_all(audiences({"aud": identity.claims.get("aud")}))
    # Keys know no case, so "Sub" beside "sub" is one key: the claim that is written as the key is comes first, and stays.
    for name, value in sorted(identity.claims.items(), key=lambda claim: (claim[0] != claim[0].lower(), claim[0])):
        if name.lower() in _NOT_KEYS:
            continue
        key = f"{prefix}:{name.lower()}"
        if isinstance(value, list):
            if all(isinstance(item, str) for item in value):
                keys.setdefault(key, list(value))
        elif isinstance(value, bool):
            keys.setdefault(key, "true" if value else "false")
        elif isinstance(value, str | int | float):
            keys.setdefault(key, str(value))
    return keys


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
