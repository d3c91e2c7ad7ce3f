"""Manifests at rest: sealed under a data key of their own, bound to the repository and the digest they belong to."""

from __future__ import annotations

from moorage.keys.data_keys import DataKeys
from moorage.keys.envelope import WrongKey
from moorage.keys.sealing import NotAuthentic, Sealing
from moorage.metadata.records import Payload, Repository
from moorage.model.digest import Digest
from moorage.model.errors import StorageCorrupt
from moorage.model.seal import Seal
from moorage.operations.images.push import SealedPayload
from moorage.transfer.work import Pools

_ON_LOOP_BYTES = 64 * 1024
"""What is longer is sealed in a thread: a manifest of 4 MiB takes more than a millisecond."""


def _context(repository_id: int, digest: str) -> dict[str, str]:
    return {"repository": str(repository_id), "manifest": digest}


async def seal_payload(keys: DataKeys, pools: Pools, repository: Repository, digest: Digest, data: bytes) -> SealedPayload:
    """The bytes of a manifest as they are stored. Raises KeyUnusable, StorageCorrupt (the seal's own key is damaged)."""
    try:
        key = await keys.new(repository.seal, _context(repository.id, digest))
    except WrongKey as error:
        raise StorageCorrupt(f"the key that seals repository {repository.arn} does not open: {error}") from None
    sealing, bound = Sealing(key.plaintext), digest.encode()
    if len(data) > _ON_LOOP_BYTES:
        sealed = await pools.on_cpu(sealing.seal, data, bound)
    else:
        sealed = sealing.seal(data, bound)
    return SealedPayload(repository.id, repository.seal.id, sealed, key.wrapped)


async def open_payload(keys: DataKeys, seal: Seal, repository_id: int, digest: str, stored: Payload) -> bytes:
    """The exact bytes of a manifest as they were pushed. Raises StorageCorrupt if they are not what was sealed, KeyUnusable."""
    try:
        key = await keys.open(seal, stored.wrapped_key, _context(repository_id, digest))
        return Sealing(key).open(stored.sealed, digest.encode())
    except (WrongKey, NotAuthentic):
        raise StorageCorrupt(f"manifest {digest} fails authentication") from None
