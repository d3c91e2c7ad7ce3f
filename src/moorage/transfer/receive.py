"""Request bodies to durable, verified blobs.

Between two short transactions: the first says that the caller may (and leases the upload), the second makes the bytes part of
it. In between, bytes are hashed, sealed and written in the same thread that receives them. Whatever is acknowledged is
durable; whatever is not is doomed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from moorage.keys.data_keys import DataKeys
from moorage.metadata.database import Database
from moorage.metadata.records import Repository, Segment, Upload
from moorage.model.digest import Digest, Hasher, algorithm_of, finish, new_hasher
from moorage.model.errors import LimitExceeded, RangeMismatch, RepositoryNotFound, UploadBusy
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.operations.images import uploads
from moorage.operations.images.uploads import Grant, Stored, Unstarted
from moorage.operations.seals import SealOvertaken
from moorage.storage.blob_store import BlobStore, BlobWriter, StorageKey
from moorage.storage.sealed import SealedWriter
from moorage.transfer.handover import ClientLeft, fill, receive_into
from moorage.transfer.key_reserve import KeyReserve
from moorage.transfer.put_image import ROUNDS
from moorage.transfer.segments import hash_segments, new_object_key, open_keys, seal_small
from moorage.transfer.unstarted import UnstartedUploads
from moorage.transfer.work import Pools

SMALL_BYTES = 256 * 1024
"""A body up to this size is received on the event loop and stored in one hop to the pool."""
ROW_BYTES = 16 * 1024
"""A body up to this size is stored in the database, with the row that names it: no file, no sync of its own, no request to S3."""
_RENEW_SECONDS = 3.0
_LIVE_HASHERS = 512


@dataclass(slots=True)
class Body:
    """A request's body. `length` is its Content-Length, None for a chunked one; `begun` is what `read_small` has read of it."""

    scope: Any
    receive: Any
    length: int | None
    begun: bytes = b""

    @staticmethod
    def of(data: bytes | bytearray) -> Body:
        """A body that is in memory already."""

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": data, "more_body": False}

        return Body({}, receive, len(data))

    @property
    def is_empty(self) -> bool:
        """True if nothing will come."""
        return self.length == 0

    async def read_small(self) -> bytes | None:
        """The whole body if it is small, None for one that may be larger: then its begin is in `begun`. Raises ClientLeft.

        Small is `SMALL_BYTES`; of a chunked body, whose length nobody knows, `ROW_BYTES`.
        """
        if self.length is not None:
            return await read_whole(self.receive) if self.length <= SMALL_BYTES else None
        while len(self.begun) <= ROW_BYTES:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                return None  # whoever asks for more will hear it again, and may keep what came
            self.begun += message.get("body", b"")
            if not message.get("more_body", False):
                data, self.begun = self.begun, b""
                return data
        return None


async def read_whole(receive: Any) -> bytes:
    """All of a body whose size is known to be small. Raises ClientLeft."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


class _HashingSink:
    """Hands bytes to the hasher and the sealing writer in the thread that received them."""

    def __init__(self, writer: BlobWriter, hasher: Hasher | None, offset: int, most: int) -> None:
        self.size = 0
        self.lost = False
        self._writer, self._hasher, self._room, self._most = writer, hasher, most - offset, most
        self._view: memoryview = memoryview(b"")

    def buffer(self) -> memoryview:
        self._view = self._writer.buffer()
        return self._view

    def advance(self, count: int) -> None:
        if self.lost:
            raise _LeaseLost
        self.size += count
        if self.size > self._room:
            raise LimitExceeded(f"a layer can have at most {self._most} bytes")
        if self._hasher is not None:
            self._hasher.update(self._view[:count])
        self._writer.advance(count)


class _LeaseLost(Exception):
    """Another request has taken the upload over, because this one had stood still."""


class Receiver:
    """Turns bodies into blobs. Belongs to the event loop; blocking work happens in the byte pool."""

    def __init__(
        self,
        db: Database,
        store: BlobStore,
        keys: DataKeys,
        pools: Pools,
        reserve: KeyReserve,
        unstarted: UnstartedUploads,
    ) -> None:
        self._db, self._store, self._pools, self._reserve = db, store, pools, reserve
        self._keys, self.unstarted = keys, unstarted
        # Hash state of uploads whose next bytes may come to this process. Losing it costs a second reading, never correctness.
        self._hashers: OrderedDict[str, tuple[int, int, Hasher]] = OrderedDict()

    async def put_blob(self, caller: Caller, scope: Scope, name: RepositoryName, digest: Digest, body: Body) -> Stored:
        """A whole blob in one request. Raises what `operations.uploads.put_blob` raises, DigestMismatch, ClientLeft."""
        for _ in range(ROUNDS):
            repository = await self._db.lookup(uploads.may_put_blob, caller, scope, name)
            small = await body.read_small()
            if small is not None:
                body = Body.of(small)
            hasher = new_hasher(algorithm_of(digest))
            try:
                async with self._stored(repository, body, hasher, 0) as (segment, complete):
                    if not complete:
                        raise ClientLeft
                    uploads.require_digest(repository, "", digest, finish(hasher, algorithm_of(digest)))
                    return await self._db.write_aside(uploads.put_blob, caller, scope, name, digest, segment, repository.seal)
            except SealOvertaken:
                if small is None:  # it was sealed as it came, for a repository that is gone, and comes no second time
                    break
        raise RepositoryNotFound(scope.registry_id, name)

    async def append(
        self, caller: Caller, scope: Scope, name: RepositoryName, upload_id: str, start: int | None, body: Body
    ) -> int:
        """Append a body to an upload; return how many bytes it has now. A prefix that came before the client left is kept."""
        await self.unstarted.write_down(upload_id)
        if body.length is None or body.length <= ROW_BYTES:
            small = await body.read_small()
            if small and len(small) <= ROW_BYTES:
                return await self._append_small(caller, scope, name, upload_id, start, small)
            if small is not None:
                body = Body.of(small)
        grant = await self._db.write_aside(uploads.begin_segment, caller, scope, name, upload_id, start, body.length)
        hasher = self._hasher_at(grant.upload)
        try:
            async with self._stored(grant.repository, body, hasher, grant.upload.size_received, grant) as (segment, complete):
                size = grant.upload.size_received
                if segment.size_bytes:
                    prefix = finish(hasher.copy(), grant.upload.algorithm) if hasher is not None else None
                    size = await self._db.write_aside(uploads.commit_segment, grant, segment, prefix)
                    self._keep_hasher(upload_id, grant.epoch, size, hasher)
                else:
                    await self._db.write_aside(uploads.release_segment, grant, segment.storage_key)
        except BaseException:
            await asyncio.shield(self._db.write_aside(uploads.release_lease, grant))
            raise
        if not complete:
            raise ClientLeft
        return size

    async def _append_small(
        self, caller: Caller, scope: Scope, name: RepositoryName, upload_id: str, start: int | None, data: bytes
    ) -> int:
        """Bytes that fit into a row: one transaction leases the upload, stores them and lets go."""
        repository, upload = await self._db.lookup(uploads.find_upload, caller, scope, name, upload_id)
        uploads.check_position(repository, upload, start, len(data))
        hasher = self._hasher_at(upload)
        if hasher is not None:
            hasher.update(data)
        prefix = finish(hasher.copy(), upload.algorithm) if hasher is not None else None
        segment = await seal_small(self._keys, repository.seal, data)
        done = await self._db.write_aside(uploads.append_small, caller, scope, name, upload, start, segment, prefix)
        if done.follows:
            self._keep_hasher(upload_id, done.epoch, done.size, hasher)
        return done.size

    async def append_part(
        self, caller: Caller, scope: Scope, name: RepositoryName, upload_id: str, start: int, part: bytes | bytearray
    ) -> int:
        """`append` for a part that came inside an API call."""
        return await self.append(caller, scope, name, upload_id, start, Body.of(part))

    async def complete_parts(
        self, caller: Caller, scope: Scope, name: RepositoryName, upload_id: str, wanted: Sequence[Digest]
    ) -> Stored:
        """Close an upload of the API: the content must have all of the digests. Raises UploadEmpty, PartTooSmall, LayerExists."""
        await self.unstarted.write_down(upload_id)
        repository, upload, segments = await self._db.lookup(
            uploads.begin_completion, caller, scope, name, upload_id, api=True, claimed=wanted
        )
        for digest in wanted:
            await self._discard_unless(repository, upload, digest, await self._digest(repository, upload, segments, digest))
        return await self._db.write_aside(
            uploads.complete_layer_upload, caller, scope, name, upload, wanted[0], None, leased=False, api=True
        )

    async def complete(
        self,
        caller: Caller,
        scope: Scope,
        name: RepositoryName,
        upload_id: str,
        digest: Digest,
        body: Body,
        start: int | None = None,
        *,
        api: bool = False,
    ) -> Stored:
        """Close an upload, appending a last body if there is one, and verify the whole against `digest`."""
        if body.length and body.length <= SMALL_BYTES:
            with self.unstarted.ending(upload_id) as begun:
                if begun is not None:
                    return await self._end_unstarted(caller, scope, name, upload_id, begun, digest, body, start)
        await self.unstarted.write_down(upload_id)
        repository, upload, segments = await self._db.lookup(uploads.begin_completion, caller, scope, name, upload_id, api=api)
        if body.is_empty:
            computed = await self._digest(repository, upload, segments, digest)
            await self._discard_unless(repository, upload, digest, computed)
            return await self._db.write_aside(
                uploads.complete_layer_upload, caller, scope, name, upload, computed, None, leased=False, api=api
            )
        uploads.check_position(repository, upload, start, body.length)
        if body.length is None or body.length > SMALL_BYTES:
            return await self._complete_large(caller, scope, name, upload_id, digest, body, start)
        return await self._complete_with(caller, scope, name, repository, upload, segments, digest, body, None)

    async def _end_unstarted(
        self,
        caller: Caller,
        scope: Scope,
        name: RepositoryName,
        upload_id: str,
        upload: Unstarted,
        digest: Digest,
        body: Body,
        start: int | None,
    ) -> Stored:
        """A small body that is the whole of an upload. Content that turns out wrong ends it as well."""
        repository = await self._db.lookup(uploads.may_end_unstarted, caller, scope, name, upload_id, upload)
        if start:
            raise RangeMismatch(scope.registry_id, name, upload_id, 0)
        hasher = new_hasher(algorithm_of(digest))
        async with self._stored(repository, body, hasher, 0) as (segment, _):
            uploads.require_digest(repository, upload_id, digest, finish(hasher, algorithm_of(digest)))
            return await self._db.write_aside(uploads.end_unstarted, caller, scope, name, upload_id, upload, digest, segment)

    async def _complete_large(
        self, caller: Caller, scope: Scope, name: RepositoryName, upload_id: str, digest: Digest, body: Body, start: int | None
    ) -> Stored:
        """A last body that takes its time holds the upload's lease, and is kept as a segment if the client leaves."""
        grant = await self._db.write_aside(uploads.begin_segment, caller, scope, name, upload_id, start, body.length)
        _, _, segments = await self._db.lookup(uploads.begin_completion, caller, scope, name, upload_id, api=False)
        try:
            return await self._complete_with(caller, scope, name, grant.repository, grant.upload, segments, digest, body, grant)
        except BaseException:
            await asyncio.shield(self._db.write_aside(uploads.release_lease, grant))
            raise

    async def _complete_with(
        self,
        caller: Caller,
        scope: Scope,
        name: RepositoryName,
        repository: Repository,
        upload: Upload,
        segments: tuple[Segment, ...],
        digest: Digest,
        body: Body,
        grant: Grant | None,
    ) -> Stored:
        algorithm = algorithm_of(digest)
        # The first bytes of an upload can be hashed by the algorithm that the client turned out to want.
        hasher = new_hasher(algorithm) if upload.size_received == 0 else self._hasher_at(upload)
        if hasher is not None and upload.size_received and algorithm != upload.algorithm:
            hasher = None
        async with self._stored(repository, body, hasher, upload.size_received, grant) as (segment, complete):
            if not complete:
                if grant is not None and segment.size_bytes:  # what came is kept: the client may resume
                    prefix = finish(hasher, algorithm) if hasher is not None and algorithm == upload.algorithm else None
                    await self._db.write_aside(uploads.commit_segment, grant, segment, prefix)
                raise ClientLeft
            if hasher is not None:
                computed = finish(hasher, algorithm)
            else:
                computed = await self._hash(repository, (*segments, segment), algorithm)
            await self._discard_unless(repository, upload, digest, computed)
            verified = replace(upload, epoch=grant.epoch) if grant is not None else upload
            return await self._db.write_aside(
                uploads.complete_layer_upload,
                caller,
                scope,
                name,
                verified,
                computed,
                segment,
                leased=grant is not None,
                api=False,
            )

    async def _digest(self, repository: Repository, upload: Upload, segments: tuple[Segment, ...], wanted: Digest) -> Digest:
        """The digest of an upload as it stands: known already if one process saw all its bytes, else by reading them again."""
        if upload.prefix_digest is not None and algorithm_of(wanted) == upload.algorithm:
            return Digest(upload.prefix_digest)
        return await self._hash(repository, segments, algorithm_of(wanted))

    async def _hash(self, repository: Repository, segments: tuple[Segment, ...], algorithm: str) -> Digest:
        opened = await open_keys(self._keys, repository.seal, segments)
        return await self._pools.on_bytes(hash_segments, self._store, segments, opened, algorithm)

    async def _discard_unless(self, repository: Repository, upload: Upload, wanted: Digest, computed: Digest) -> None:
        if wanted != computed:
            await self._db.write_aside(uploads.discard_upload, upload)
            uploads.require_digest(repository, upload.id, wanted, computed)

    @contextlib.asynccontextmanager
    async def _stored(
        self, repository: Repository, body: Body, hasher: Hasher | None, offset: int, grant: Grant | None = None
    ) -> AsyncIterator[tuple[Segment, bool]]:
        """The body as a durable object under a reserved key, and whether all of it came.

        An error inside, or on the way here, gives the object up, unless a transaction has already made it part of something.
        """
        small = await body.read_small()
        if small is not None and len(small) <= ROW_BYTES:
            if hasher is not None:
                hasher.update(small)
            yield await seal_small(self._keys, repository.seal, small), True
            return
        key = await self._reserve.take()
        committed = False
        try:
            data_key = await new_object_key(self._keys, repository.seal, key)
            if small is not None:
                await self._pools.on_bytes(_store_small, self._store, key, data_key.plaintext, small, hasher)
                size, complete = len(small), True
            else:
                size, complete = await self._stream(repository, key, data_key.plaintext, body, hasher, offset, grant)
            yield Segment(size, key, data_key.wrapped), complete
            committed = True
        finally:
            if not committed:
                await asyncio.shield(self._db.write_aside(uploads.give_up, key))

    async def _stream(
        self,
        repository: Repository,
        key: StorageKey,
        data_key: bytes,
        body: Body,
        hasher: Hasher | None,
        offset: int,
        grant: Grant | None,
    ) -> tuple[int, bool]:
        writer = await self._pools.on_bytes(_sealed_writer, self._store, key, data_key)
        sink = _HashingSink(writer, hasher, offset, uploads.layer_bytes(repository.scope))
        keeper = asyncio.create_task(self._keep(grant, key, sink))
        try:
            if body.begun:
                await self._pools.on_bytes(fill, sink, body.begun)
            complete = await receive_into(body.scope, body.receive, sink)
            await self._pools.on_bytes(writer.finish)
        except BaseException as error:
            await asyncio.shield(self._pools.on_bytes(writer.abort))
            if isinstance(error, _LeaseLost):
                upload_id = grant.upload.id if grant is not None else ""
                raise UploadBusy(repository.scope.registry_id, repository.name, upload_id, offset) from None
            raise
        finally:
            keeper.cancel()
        return sink.size, complete

    async def _keep(self, grant: Grant | None, key: StorageKey, sink: _HashingSink) -> None:
        """Renew the lease and the key for as long as bytes move: a stalled request may be taken over, a moving one cannot be."""
        seen = -1
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            if sink.size != seen:
                seen = sink.size
                if grant is None:
                    kept = await self._db.write_lightly(uploads.keep_key, key)
                else:
                    kept = await self._db.write_aside(uploads.renew_lease, grant, key)
                if not kept:
                    sink.lost = True
                    return

    def _hasher_at(self, upload: Upload) -> Hasher | None:
        """A hasher that has seen exactly the bytes before the upload's end, if this process has one."""
        if upload.size_received == 0:
            return new_hasher(upload.algorithm)
        kept = self._hashers.pop(upload.id, None)
        if kept is None or kept[:2] != (upload.epoch, upload.size_received):
            return None
        return kept[2]

    def _keep_hasher(self, upload_id: str, epoch: int, size: int, hasher: Hasher | None) -> None:
        if hasher is None:
            return
        self._hashers[upload_id] = (epoch, size, hasher)
        if len(self._hashers) > _LIVE_HASHERS:
            self._hashers.popitem(last=False)


def _sealed_writer(store: BlobStore, key: StorageKey, data_key: bytes) -> BlobWriter:
    return SealedWriter(store.create(key), data_key, key)


def _store_small(store: BlobStore, key: StorageKey, data_key: bytes, data: bytes, hasher: Hasher | None) -> None:
    if hasher is not None:
        hasher.update(data)
    writer = _sealed_writer(store, key, data_key)
    try:
        writer.write(data)
        writer.finish()
    except BaseException:
        writer.abort()
        raise
