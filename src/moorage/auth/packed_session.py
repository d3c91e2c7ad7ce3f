"""A session as the bytes that tokens carry: compact, because they travel in a header of every request.

Policies and tags are compressed together; their compressed size, against a limit of `PACKED_BYTES`, is what STS shows as
PackedPolicySize. The rest are few and short fields, so a token stays below 4 KiB.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import cast

import msgspec

from moorage.model.principal import Session, SessionKind

PACKED_BYTES = 2048
"""Ours: how many bytes policies and tags may have once they are compressed. AWS does not tell its own limit."""

_ELEVEN = b"\x9b"
"""The first byte of eleven fields in MessagePack."""
_MOST_BYTES = 1 << 20
"""What a packed part may open to: far above what the shapes of STS let in."""

Tag = tuple[str, str, bool]
"""Key, value, and whether it is passed on to further sessions."""

_Limits = tuple[list[str], list[str], list[Tag]]
_Fields = tuple[SessionKind, str, int, int, bytes, str | None, int | None, bool, str | None, str | None]
_ScopedFields = tuple[SessionKind, str, int, int, bytes, str | None, int | None, bool, str | None, str | None, bytes]
"""The same, and the scope-down policies of GetScopedCredentials, compressed."""

_encode = msgspec.msgpack.Encoder().encode
_decode_limits = msgspec.msgpack.Decoder(_Limits).decode
_decode_fields = msgspec.msgpack.Decoder(_Fields).decode
_decode_scoped_fields = msgspec.msgpack.Decoder(_ScopedFields).decode
_decode_scopes = msgspec.msgpack.Decoder(tuple[str, ...]).decode


class NotPacked(ValueError):
    """Bytes that `pack` did not make."""


def packed_limits(
    policies: Sequence[str], policy_arns: Sequence[str], tags: Sequence[tuple[str, str]], transitive_keys: Sequence[str]
) -> bytes:
    """Session policies and tags, compressed; empty where there are none."""
    if not (policies or policy_arns or tags):
        return b""
    transitive = set(transitive_keys)
    return zlib.compress(_encode((policies, policy_arns, [(key, value, key in transitive) for key, value in tags])), 9)


def _packed_scopes(policies: Sequence[str]) -> bytes:
    return zlib.compress(_encode(policies), 9) if policies else b""


def packed_percent(session: Session) -> int:
    """PackedPolicySize: how much of the limit a session's policies and tags take, in percent, rounded up."""
    size = len(packed_limits(session.policies, session.policy_arns, session.tags, session.transitive_keys))
    size += len(_packed_scopes(session.scope_policies or ()))
    return -(-100 * size // PACKED_BYTES)


def pack(session: Session) -> bytes:
    """The bytes of a session."""
    fields: _Fields = (
        session.kind,
        session.name,
        session.issued_at,
        session.expires_at,
        packed_limits(session.policies, session.policy_arns, session.tags, session.transitive_keys),
        session.source_identity,
        session.mfa_at,
        session.is_chained,
        session.federated_provider,
        session.issuer_key_id,
    )
    if session.scope_policies is None:
        return _encode(fields)
    return _encode((*fields, _packed_scopes(session.scope_policies)))


def unpack(data: bytes) -> Session:
    """The session that `pack` was given. Raises NotPacked."""
    try:
        fields, scopes = _fields_of(data)
        kind, name, issued_at, expires_at, packed, source_identity, mfa_at, is_chained, provider, issuer = fields
        policies, arns, tags = _decode_limits(_inflate(packed)) if packed else ([], [], [])
    except (msgspec.DecodeError, UnicodeDecodeError, zlib.error) as error:
        raise NotPacked(str(error)) from None
    return Session(
        kind=kind,
        name=name,
        issued_at=issued_at,
        expires_at=expires_at,
        policies=tuple(policies),
        policy_arns=tuple(arns),
        tags=tuple((key, value) for key, value, _ in tags),
        transitive_keys=tuple(key for key, _, is_transitive in tags if is_transitive),
        source_identity=source_identity,
        mfa_at=mfa_at,
        is_chained=is_chained,
        federated_provider=provider,
        issuer_key_id=issuer,
        scope_policies=scopes,
    )


def _fields_of(data: bytes) -> tuple[_Fields, tuple[str, ...] | None]:
    """The plain fields, and the scope-down policies where there is room for them. Raises msgspec.DecodeError, zlib.error."""
    if data[:1] == _ELEVEN:
        *fields, packed = _decode_scoped_fields(data)
        return cast(_Fields, tuple(fields)), _decode_scopes(_inflate(packed)) if packed else ()
    return _decode_fields(data), None


def _inflate(packed: bytes) -> bytes:
    inflater = zlib.decompressobj()
    plain = inflater.decompress(packed, _MOST_BYTES)
    if not inflater.eof:
        raise NotPacked("cut off, or too large")
    return plain
