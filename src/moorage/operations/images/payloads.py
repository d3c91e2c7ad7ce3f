"""Manifests at rest: sealed under a data key of their own, bound to the repository and the digest they belong to."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moorage.keys.registry_keys import LocalKeyring
from moorage.metadata.records import Payload, Repository
from moorage.model.digest import Digest
from moorage.model.errors import StorageCorrupt

_NONCE_BYTES = 12


def _context(repository: Repository, digest: str) -> dict[str, str]:
    return {"repository": str(repository.id), "manifest": digest}


def seal_payload(keyring: LocalKeyring, repository: Repository, digest: Digest, data: bytes) -> tuple[bytes, bytes]:
    """Sealed bytes and the wrapped data key."""
    key = keyring.new_data_key(repository.seal.wrapped_key, _context(repository, digest))
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key.plaintext).encrypt(nonce, data, digest.encode()), key.wrapped


def open_payload(keyring: LocalKeyring, repository: Repository, digest: Digest, stored: Payload) -> bytes:
    """The exact bytes as they were pushed. Raises StorageCorrupt if they are not what was sealed."""
    key = keyring.open_data_key(repository.seal.wrapped_key, stored.wrapped_key, _context(repository, digest))
    try:
        return AESGCM(key).decrypt(stored.sealed[:_NONCE_BYTES], stored.sealed[_NONCE_BYTES:], digest.encode())
    except InvalidTag:
        raise StorageCorrupt(f"manifest {digest} of repository {repository.arn} fails authentication") from None
