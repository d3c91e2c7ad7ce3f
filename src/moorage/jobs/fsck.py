"""``moorage fsck``: does the metadata hold together, and do the bytes bear it out?

Only reads. It may run beside a server: what is being written meanwhile is in the database first, so it is never taken
for a stranger. Manifests and blobs are opened by the functions that pulls open them with.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from moorage.keys.data_keys import DataKeys
from moorage.metadata.database import Database
from moorage.metadata.images import inspection
from moorage.metadata.images.inspection import InspectedBlob, InspectedManifest
from moorage.model.digest import Digest, algorithm_of, digest_of
from moorage.model.errors import KeyUnusable, StorageCorrupt
from moorage.storage.blob_store import BlobStore
from moorage.storage.probe import is_probe
from moorage.transfer.payloads import open_payload
from moorage.transfer.segments import hash_segments, open_keys, open_segment

_PAGE = 200


async def check(db: Database, store: BlobStore, keys: DataKeys, *, deep: bool) -> AsyncIterator[str]:
    """Yield a line for each fault. Nothing else is to run on this event loop: it waits for the database and the store.

    Args:
        deep: read every byte and compare every digest; otherwise objects are opened, and manifests (which are small) are read.
    """
    async for line in _check_manifests(db, keys):
        yield line
    async for line in _check_blobs(db, store, keys, deep=deep):
        yield line
    for key in db.run_read(inspection.unused_live_objects, 1000):
        yield f"object {key}: live, but part of no blob and no upload"
    stray = db.run_read(inspection.count_stray_tags)
    if stray:
        yield f"{stray} tags point to images of other repositories"
    for line in _check_unknown_objects(db, store):
        yield line


async def _check_manifests(db: Database, keys: DataKeys) -> AsyncIterator[str]:
    after = 0
    while page := db.run_read(inspection.manifests_after, after, _PAGE):
        after = page[-1].id
        for manifest in page:
            for digest in manifest.missing:
                yield f"manifest {manifest.digest} of {manifest.place}: names {digest}, which the repository does not hold"
            fault = await _fault_of(manifest, keys)
            if fault:
                yield f"manifest {manifest.digest} of {manifest.place}: {fault}"


async def _fault_of(manifest: InspectedManifest, keys: DataKeys) -> str | None:
    if manifest.payload is None:
        return "its bytes are missing"
    try:
        data = await open_payload(keys, manifest.seal, manifest.repository_id, manifest.digest, manifest.payload)
    except StorageCorrupt:
        return "its bytes fail authentication"
    except KeyUnusable as error:
        return f"its bytes cannot be opened: {error}"
    computed = digest_of(data, algorithm_of(Digest(manifest.digest)))
    return None if computed == manifest.digest else f"its bytes have digest {computed}"


async def _check_blobs(db: Database, store: BlobStore, keys: DataKeys, *, deep: bool) -> AsyncIterator[str]:
    after = 0
    while page := db.run_read(inspection.blobs_after, after, _PAGE):
        after = page[-1].id
        objects = [segment.storage_key for blob in page for segment in blob.segments]
        states = db.run_read(inspection.object_states, objects)
        for blob in page:
            for segment in blob.segments:
                if states.get(segment.storage_key) != "live":
                    state = states.get(segment.storage_key, "unknown")
                    yield f"blob {blob.digest}: its object {segment.storage_key} is {state}, not live"
            async for line in _check_bytes(blob, store, keys, deep=deep):
                yield line


async def _check_bytes(blob: InspectedBlob, store: BlobStore, keys: DataKeys, *, deep: bool) -> AsyncIterator[str]:
    if sum(segment.size_bytes for segment in blob.segments) != blob.size_bytes:
        yield f"blob {blob.digest}: its segments are not {blob.size_bytes} bytes in all"
    try:
        opened = await open_keys(keys, blob.seal, blob.segments)
        if deep:
            computed = hash_segments(store, blob.segments, opened, algorithm_of(Digest(blob.digest)))
            if computed != blob.digest:
                yield f"blob {blob.digest}: its bytes have digest {computed}"
            return
        for place, segment in enumerate(blob.segments):
            open_segment(store, segment, opened[place]).close()
    except (StorageCorrupt, KeyUnusable) as error:
        yield f"blob {blob.digest}: {error}"


def _check_unknown_objects(db: Database, store: BlobStore) -> Iterator[str]:
    """Objects in the store that the database has never heard of."""
    keys = store.keys()
    while page := list(islice(keys, _PAGE)):
        known = db.run_read(inspection.object_states, [str(key) for key in page])
        for key in page:
            if key not in known and not is_probe(key):
                yield f"object {key}: in the store, unknown to the database"
