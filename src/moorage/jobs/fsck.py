"""``moorage fsck``: does the metadata hold together, and do the bytes bear it out?

Only reads. It may run beside a server: what is being written meanwhile is in the database first, so it is never taken
for a stranger.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moorage.keys.envelope import WrongKey
from moorage.keys.registry_keys import LocalKeyring
from moorage.metadata.database import Database
from moorage.metadata.images import inspection
from moorage.metadata.images.inspection import InspectedBlob, InspectedManifest
from moorage.model.digest import Digest, algorithm_of, digest_of
from moorage.model.errors import StorageCorrupt
from moorage.storage.blob_store import BlobStore
from moorage.storage.probe import is_probe
from moorage.transfer.pieces import hash_pieces, open_piece

_PAGE = 200
_NONCE_BYTES = 12


def check(db: Database, store: BlobStore, keyring: LocalKeyring, *, deep: bool) -> Iterator[str]:
    """Yield a line for each fault.

    Args:
        deep: read every byte and compare every digest; otherwise objects are opened, and manifests (which are small) are read.
    """
    yield from _check_manifests(db, keyring)
    yield from _check_blobs(db, store, keyring, deep=deep)
    for key in db.run_read(inspection.unused_live_objects, 1000):
        yield f"object {key}: live, but part of no blob and no upload"
    stray = db.run_read(inspection.count_stray_tags)
    if stray:
        yield f"{stray} tags point to images of other repositories"
    yield from _check_strangers(db, store)


def _check_manifests(db: Database, keyring: LocalKeyring) -> Iterator[str]:
    after = 0
    while page := db.run_read(inspection.manifests_after, after, _PAGE):
        after = page[-1].id
        for manifest in page:
            for digest in manifest.missing:
                yield f"manifest {manifest.digest} of {manifest.place}: names {digest}, which the repository does not hold"
            fault = _fault_of(manifest, keyring)
            if fault:
                yield f"manifest {manifest.digest} of {manifest.place}: {fault}"


def _fault_of(manifest: InspectedManifest, keyring: LocalKeyring) -> str | None:
    if manifest.sealed is None or manifest.wrapped_key is None:
        return "its bytes are missing"
    context = {"repository": str(manifest.repository_id), "manifest": manifest.digest}
    try:
        key = keyring.open_data_key(manifest.registry_key, manifest.wrapped_key, context)
        data = AESGCM(key).decrypt(manifest.sealed[:_NONCE_BYTES], manifest.sealed[_NONCE_BYTES:], manifest.digest.encode())
    except (InvalidTag, WrongKey):
        return "its bytes fail authentication"
    computed = digest_of(data, algorithm_of(Digest(manifest.digest)))
    return None if computed == manifest.digest else f"its bytes have digest {computed}"


def _check_blobs(db: Database, store: BlobStore, keyring: LocalKeyring, *, deep: bool) -> Iterator[str]:
    after = 0
    while page := db.run_read(inspection.blobs_after, after, _PAGE):
        after = page[-1].id
        keys = [piece.storage_key for blob in page for piece in blob.pieces]
        states = db.run_read(inspection.object_states, keys)
        for blob in page:
            for piece in blob.pieces:
                if states.get(piece.storage_key) != "live":
                    state = states.get(piece.storage_key, "unknown")
                    yield f"blob {blob.digest}: its object {piece.storage_key} is {state}, not live"
            yield from _check_bytes(blob, store, keyring, deep=deep)


def _check_bytes(blob: InspectedBlob, store: BlobStore, keyring: LocalKeyring, *, deep: bool) -> Iterator[str]:
    if sum(piece.size_bytes for piece in blob.pieces) != blob.size_bytes:
        yield f"blob {blob.digest}: its pieces are not {blob.size_bytes} bytes in all"
    try:
        if deep:
            computed = hash_pieces(store, keyring, blob.seal, blob.pieces, algorithm_of(Digest(blob.digest)))
            if computed != blob.digest:
                yield f"blob {blob.digest}: its bytes have digest {computed}"
            return
        for piece in blob.pieces:
            open_piece(store, keyring, blob.seal, piece).close()
    except (StorageCorrupt, WrongKey) as error:
        yield f"blob {blob.digest}: {error}"


def _check_strangers(db: Database, store: BlobStore) -> Iterator[str]:
    """Objects in the store that the database has never heard of."""
    keys = store.keys()
    while page := list(islice(keys, _PAGE)):
        known = db.run_read(inspection.object_states, [str(key) for key in page])
        for key in page:
            if key not in known and not is_probe(key):
                yield f"object {key}: in the store, unknown to the database"
