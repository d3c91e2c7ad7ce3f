"""Uploads: start, lease, append, complete, cancel. Source: ECR InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload; OCI
"Pushing blobs".

Bytes are moved by `transfer`, between two of these transactions. An upload is a list of immutable segments; a request appends
one, guarded by the upload's epoch and size, so two writers can never interleave, whichever node they are on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from moorage.auth.authorize import Question, authorize
from moorage.metadata.images import blobs, uploads
from moorage.metadata.records import Repository, Segment, Upload
from moorage.metadata.registry import repositories
from moorage.metadata.transaction import Overtaken, ReadTransaction, Transaction
from moorage.model import ids, limits
from moorage.model.digest import Digest
from moorage.model.errors import (
    AccessDenied,
    DigestMismatch,
    LayerExists,
    LimitExceeded,
    PartTooSmall,
    RangeMismatch,
    UploadBusy,
    UploadEmpty,
    UploadNotFound,
)
from moorage.model.names import RepositoryName
from moorage.model.principal import Caller
from moorage.model.scope import Scope
from moorage.model.seal import Seal
from moorage.operations.authorized import locked_repository_for, repository_for
from moorage.operations.registry import account_settings
from moorage.operations.seals import SealOvertaken

_SECOND = 1_000_000
_WRITING_SECONDS = 3600
"""How long a key is kept after the last sign of progress."""
INITIATE, UPLOAD, COMPLETE = "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"


@dataclass(frozen=True, slots=True)
class Grant:
    """The right of one request to append to an upload until its lease runs out."""

    repository: Repository
    upload: Upload
    epoch: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob that a repository holds now. `existed`: it held it before; the new copy is doomed."""

    digest: Digest
    size_bytes: int
    existed: bool


@dataclass(frozen=True, slots=True)
class Unstarted:
    """An upload that has no row yet."""

    repository_id: int
    principal_id: str
    algorithm: str
    expires_at: int


def initiate_layer_upload(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, algorithm: str) -> str:
    """Start an upload, bound to the repository and the principal; return its id."""
    repository = locked_repository_for(tx, caller, INITIATE, scope, name, share=True)
    upload_id = ids.upload_id()
    uploads.insert(tx, upload_id, repository.id, caller.principal_id, algorithm, _expiry(tx))
    return upload_id


def may_initiate(tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, algorithm: str) -> Unstarted:
    """`initiate_layer_upload` without its row; that is written later (`write_unstarted`), or never (`end_unstarted`)."""
    repository = repository_for(tx, caller, INITIATE, scope, name)
    return Unstarted(repository.id, caller.principal_id, algorithm, _expiry(tx))


def write_unstarted(tx: Transaction, begun: Mapping[str, Unstarted]) -> None:
    """Write the rows of uploads by their ids, but for those whose repository is gone."""
    for upload_id, upload in begun.items():
        if repositories.is_live(tx, upload.repository_id):
            uploads.insert(tx, upload_id, upload.repository_id, upload.principal_id, upload.algorithm, upload.expires_at)


def may_end_unstarted(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, upload_id: str, upload: Unstarted
) -> Repository:
    """The repository, if the caller may end this upload in it. Raises UploadNotFound."""
    return _usable_unstarted(tx, repository_for(tx, caller, COMPLETE, scope, name), caller, upload_id, upload)


def end_unstarted(
    tx: Transaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    upload_id: str,
    upload: Unstarted,
    digest: Digest,
    segment: Segment,
) -> Stored:
    """`complete_layer_upload` for an upload whose bytes all came in this very request. Raises UploadNotFound, UploadBusy."""
    repository = locked_repository_for(tx, caller, COMPLETE, scope, name, share=True, also=(UPLOAD,))
    _usable_unstarted(tx, repository, caller, upload_id, upload)
    _take_live(tx, repository, upload_id, segment)
    return _store(tx, repository, digest, (segment,))


def _usable_unstarted(
    tx: ReadTransaction, repository: Repository, caller: Caller, upload_id: str, upload: Unstarted
) -> Repository:
    is_callers = (upload.repository_id, upload.principal_id) == (repository.id, caller.principal_id)
    if not is_callers or upload.expires_at <= tx.now:
        raise UploadNotFound(repository.scope.registry_id, repository.name, upload_id)
    return repository


def find_upload(
    tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName, upload_id: str, action: str = UPLOAD
) -> tuple[Repository, Upload]:
    """An upload that the caller may touch. One of another repository or another principal is as unknown as one that never was."""
    repository = repository_for(tx, caller, action, scope, name)
    upload = uploads.find(tx, repository.id, upload_id)
    return repository, _usable(tx, scope, name, upload_id, upload, caller)


def _usable(
    tx: ReadTransaction, scope: Scope, name: RepositoryName, upload_id: str, upload: Upload | None, caller: Caller
) -> Upload:
    if upload is None or upload.principal_id != caller.principal_id or upload.expires_at <= tx.now:
        raise UploadNotFound(scope.registry_id, name, upload_id)
    return upload


def begin_segment(
    tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, upload_id: str, start: int | None, length: int | None
) -> Grant:
    """Lease an upload for one request's bytes.

    Args:
        start: where the client says its bytes belong; None to append.
        length: how many it announces; None for a stream.

    Raises:
        UploadNotFound, RangeMismatch, LimitExceeded
        UploadBusy: another request moves bytes right now.
    """
    repository = repository_for(tx, caller, UPLOAD, scope, name)
    upload = _usable(tx, scope, name, upload_id, uploads.lock(tx, repository.id, upload_id), caller)
    check_position(repository, upload, start, length)
    if upload.lease_until > tx.now:
        raise UploadBusy(scope.registry_id, name, upload_id, upload.size_received)
    if not uploads.lease(tx, upload, tx.now + limits.UPLOAD_LEASE_SECONDS * _SECOND, _expiry(tx)):
        raise UploadBusy(scope.registry_id, name, upload_id, upload.size_received)
    return Grant(repository, upload, upload.epoch + 1)


def check_position(repository: Repository, upload: Upload, start: int | None, length: int | None) -> None:
    """Make sure that bytes from `start` on belong where the upload stands and fit. Raises RangeMismatch, LimitExceeded."""
    if start is not None and start != upload.size_received:
        raise RangeMismatch(repository.scope.registry_id, repository.name, upload.id, upload.size_received)
    parts = limits.PUBLIC_UPLOAD_PARTS if repository.scope.is_public else limits.UPLOAD_PARTS
    if upload.segments >= parts:
        raise LimitExceeded(f"an upload can have at most {parts} parts: start again with larger ones")
    require_layer_size(repository.scope, upload.size_received + (length or 0))


def layer_bytes(scope: Scope) -> int:
    """The largest layer of a registry."""
    return limits.PUBLIC_LAYER_BYTES if scope.is_public else limits.LAYER_BYTES


def require_layer_size(scope: Scope, size: int) -> None:
    """Raise LimitExceeded for a layer of more bytes than the registry takes."""
    most = layer_bytes(scope)
    if size > most:
        raise LimitExceeded(f"a layer can have at most {most} bytes")


def renew_lease(tx: Transaction, grant: Grant, storage_key: str) -> bool:
    """Hold the upload longer, because bytes have moved; False if it was lost to another request."""
    keep_key(tx, storage_key)
    return uploads.renew(tx, grant.upload.id, grant.epoch, tx.now + limits.UPLOAD_LEASE_SECONDS * _SECOND, _expiry(tx))


def keep_key(tx: Transaction, storage_key: str) -> bool:
    """Give an object that is being written more time; False if the sweep was first."""
    return blobs.extend(tx, storage_key, tx.now + _WRITING_SECONDS * _SECOND)


def commit_segment(tx: Transaction, grant: Grant, segment: Segment, prefix_digest: str | None) -> int:
    """Append a segment whose bytes are durable; return the upload's new size.

    Raises:
        UploadBusy: the lease was lost meanwhile; the bytes are doomed.
    """
    size = grant.upload.size_received + segment.size_bytes
    require_layer_size(grant.repository.scope, size)
    alive = blobs.go_live(tx, segment)
    if not alive or not uploads.add_segment(tx, grant.upload, grant.epoch, segment, prefix_digest, _expiry(tx)):
        raise UploadBusy(grant.repository.scope.registry_id, grant.repository.name, grant.upload.id, grant.upload.size_received)
    return size


@dataclass(frozen=True, slots=True)
class Appended:
    """What `append_small` did. `follows`: the bytes came right behind what the caller had seen."""

    size: int
    epoch: int
    follows: bool


def append_small(
    tx: Transaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    seen: Upload,
    start: int | None,
    segment: Segment,
    prefix_digest: str | None,
) -> Appended:
    """`begin_segment` and `commit_segment` in one, for bytes that are all here already.

    Args:
        seen: the upload as it was when `prefix_digest` was computed. If it has grown since, that digest does not count.
    """
    grant = begin_segment(tx, caller, scope, name, seen.id, start, segment.size_bytes)
    follows = (grant.upload.epoch, grant.upload.size_received) == (seen.epoch, seen.size_received)
    size = commit_segment(tx, grant, segment, prefix_digest if follows else None)
    return Appended(size, grant.epoch, follows)


def release_segment(tx: Transaction, grant: Grant, storage_key: str) -> None:
    """Give up a request's bytes: the upload stays as it was."""
    uploads.release(tx, grant.upload.id, grant.epoch)
    blobs.doom(tx, [storage_key], tx.now)


def release_lease(tx: Transaction, grant: Grant) -> None:
    """Give the lease back after a failure; no effect if another request has taken it over."""
    uploads.release(tx, grant.upload.id, grant.epoch)


def give_up(tx: Transaction, storage_key: str) -> None:
    """Doom an object that no transaction has made part of anything."""
    blobs.doom_unused(tx, storage_key, tx.now)


def begin_completion(
    tx: ReadTransaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    upload_id: str,
    *,
    api: bool,
    claimed: Sequence[Digest] = (),
) -> tuple[Repository, Upload, tuple[Segment, ...]]:
    """What has to be verified before an upload can be completed.

    Args:
        claimed: the digests of the layer, where the API says them.

    Raises:
        UploadNotFound
        LayerExists: the upload is gone because it was completed before: the call is repeated.
        UploadEmpty, PartTooSmall: rules of the API alone.
    """
    try:
        repository, upload = find_upload(tx, caller, scope, name, upload_id, COMPLETE)
    except UploadNotFound:
        held = repositories.find(tx, scope, name) if claimed else None
        if held is not None and all(blobs.size_of(tx, held.id, digest) is not None for digest in claimed):
            raise LayerExists(scope.registry_id, name, claimed[0]) from None
        raise
    if api and upload.segments == 0:
        raise UploadEmpty(scope.registry_id, name, upload_id, 0)
    if api and upload.smallest_inner_part is not None and upload.smallest_inner_part < limits.PART_BYTES_MIN:
        raise PartTooSmall(scope.registry_id, name, upload_id, upload.size_received)
    return repository, upload, uploads.segments_of(tx, upload_id)


def complete_layer_upload(
    tx: Transaction,
    caller: Caller,
    scope: Scope,
    name: RepositoryName,
    verified: Upload,
    computed: Digest,
    last: Segment | None,
    *,
    leased: bool,
    api: bool,
) -> Stored:
    """Turn an upload into a blob of its repository.

    Args:
        verified: the upload as it was when `computed` was found to be its digest (with `last` appended).
        last: bytes of this very request, durable but not yet a segment.
        leased: this request holds the upload's lease, under the epoch of `verified`.
        api: the API's rule: a layer that the repository holds already is an error.

    Raises:
        UploadNotFound: completed or cancelled meanwhile.
        UploadBusy: it has grown meanwhile.
        LayerExists
    """
    also = (UPLOAD,) if last is not None else ()
    repository = locked_repository_for(tx, caller, COMPLETE, scope, name, share=True, also=also)
    upload = _usable(tx, scope, name, verified.id, uploads.lock(tx, repository.id, verified.id), caller)
    unchanged = (upload.epoch, upload.size_received, upload.segments) == (
        verified.epoch,
        verified.size_received,
        verified.segments,
    )
    if not unchanged or (upload.lease_until > tx.now and not leased):
        raise UploadBusy(scope.registry_id, name, upload.id, upload.size_received)
    segments = uploads.segments_of(tx, upload.id)
    uploads.remove(tx, upload.id)
    if last is not None:
        _take_live(tx, repository, upload.id, last)
        segments = (*segments, last)
    stored = _store(tx, repository, computed, segments)
    if api and stored.existed:
        raise LayerExists(scope.registry_id, name, computed)
    return stored


def put_blob(
    tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, digest: Digest, segment: Segment, sealed_for: Seal
) -> Stored:
    """A blob that came in one request, verified and durable, becomes one of its repository.

    Raises:
        SealOvertaken: that is sealed otherwise than the one that `segment` was sealed for. No upload has to fear this: it belongs
            to one repository, which keeps its seal.
    """
    repository = locked_repository_for(tx, caller, COMPLETE, scope, name, share=True, also=(INITIATE, UPLOAD))
    if repository.seal.id != sealed_for.id:
        raise SealOvertaken
    _take_live(tx, repository, "", segment)
    return _store(tx, repository, digest, (segment,))


def may_put_blob(tx: ReadTransaction, caller: Caller, scope: Scope, name: RepositoryName) -> Repository:
    """The repository, if the caller may push a blob to it in one request."""
    return repository_for(tx, caller, COMPLETE, scope, name, also=(INITIATE, UPLOAD))


def _take_live(tx: Transaction, repository: Repository, upload_id: str, segment: Segment) -> None:
    if not blobs.go_live(tx, segment):
        raise UploadBusy(repository.scope.registry_id, repository.name, upload_id, 0)


def _store(tx: Transaction, repository: Repository, digest: Digest, segments: tuple[Segment, ...]) -> Stored:
    """Link a blob to the repository: this copy, or the one that the registry has already under the same seal."""
    due = tx.now + limits.BLOB_GRACE_SECONDS * _SECOND
    size = sum(segment.size_bytes for segment in segments)
    existed = blobs.size_of(tx, repository.id, digest) is not None
    blob = blobs.find_same(tx, repository.registry, digest, repository.seal)
    if blob is None:
        blob = blobs.insert(tx, repository.registry, digest, repository.seal, size, segments or ())
    else:
        blobs.doom(tx, [segment.storage_key for segment in segments], tx.now)
    if blob is None:  # another transaction was first with the same digest: its copy serves
        blob = blobs.find_same(tx, repository.registry, digest, repository.seal)
        if blob is None:
            raise Overtaken  # and a third one has taken it away
        blobs.doom(tx, [segment.storage_key for segment in segments], tx.now)
    blobs.link(tx, repository.id, digest, blob, due)
    return Stored(digest, size, existed)


def discard_upload(tx: Transaction, upload: Upload, extra_key: str | None = None) -> None:
    """End an upload whose content turned out wrong, and doom what it left."""
    blobs.doom(tx, [segment.storage_key for segment in uploads.segments_of(tx, upload.id)], tx.now)
    uploads.remove(tx, upload.id)
    if extra_key is not None:
        blobs.doom(tx, [extra_key], tx.now)


def cancel_upload(tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, upload_id: str) -> None:
    """End an upload at the client's wish. Raises UploadNotFound."""
    repository = repository_for(tx, caller, INITIATE, scope, name)
    upload = _usable(tx, scope, name, upload_id, uploads.lock(tx, repository.id, upload_id), caller)
    discard_upload(tx, upload)


def mount_blob(
    tx: Transaction, caller: Caller, scope: Scope, name: RepositoryName, digest: Digest, source: RepositoryName | None
) -> bool:
    """Link a blob that another repository of the same registry holds under the same seal; False if that cannot be, or if the
    registry's BLOB_MOUNTING is DISABLED.

    Whoever may not pull from the source learns nothing: the answer is the same as for a blob that is not there.

    Args:
        source: None to look in every repository that the caller may pull from.
    """
    repository = locked_repository_for(tx, caller, INITIATE, scope, name, share=True)
    blob = blobs.find_same(tx, repository.registry, digest, repository.seal)
    if blob is None or account_settings.value_of(tx, scope, account_settings.BLOB_MOUNTING) != "ENABLED":
        return False
    if source is not None:
        held_by = repositories.find(tx, scope, source)
        if held_by is None or not _may_pull(tx, caller, held_by) or blobs.size_of(tx, held_by.id, digest) is None:
            return False
    elif not _may_pull_somewhere(tx, caller, repository, digest):
        return False
    blobs.link(tx, repository.id, digest, blob, tx.now + limits.BLOB_GRACE_SECONDS * _SECOND)
    return True


def _may_pull(tx: Transaction, caller: Caller, repository: Repository) -> bool:
    try:
        authorize(tx, caller, Question("ecr:GetDownloadUrlForLayer", repository.scope, repository.arn, repository=repository))
    except AccessDenied:
        return False
    return True


def _may_pull_somewhere(tx: Transaction, caller: Caller, repository: Repository, digest: Digest) -> bool:
    names = blobs.holders(tx, repository.registry, digest, 20)
    found = repositories.find_named(tx, repository.scope, names)
    return any(_may_pull(tx, caller, found[name]) for name in names if name in found)


def require_digest(repository: Repository, upload_id: str, claimed: Digest, computed: Digest) -> None:
    """Raise DigestMismatch unless the content is what was claimed."""
    if claimed != computed:
        raise DigestMismatch(repository.scope.registry_id, repository.name, upload_id, claimed, computed)


def _expiry(tx: ReadTransaction) -> int:
    return tx.now + limits.UPLOAD_LIFE_SECONDS * _SECOND
