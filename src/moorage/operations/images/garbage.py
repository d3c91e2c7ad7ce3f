"""What sweeps do: finish what a crash, a deletion or a client left behind. Every function is bounded and may run twice, on any
node.

Order of deletion: references go and objects are doomed in one transaction; then bytes are deleted; then the row is forgotten.
A crash anywhere leaves a row that the next sweep finishes.
"""

from __future__ import annotations

from moorage.metadata.images import blobs, manifests, tags, uploads
from moorage.metadata.registry import repositories
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import limits
from moorage.operations.images.uploads import discard_upload

_BATCH = 200


def has_expired_uploads(tx: ReadTransaction) -> bool:
    """Whether `expire_uploads` would find any."""
    return bool(uploads.expired(tx, 1))


def has_due_links(tx: ReadTransaction) -> bool:
    """Whether `check_links` would find any."""
    return bool(blobs.due_links(tx, 1))


def has_deleted_repository(tx: ReadTransaction) -> bool:
    """Whether `purge_deleted_repository` would find one."""
    return bool(repositories.list_deleted(tx, 1))


def has_abandoned(tx: ReadTransaction) -> bool:
    """Whether `doom_abandoned` would find any."""
    return any(state == "writing" for _, state in blobs.due_objects(tx, _BATCH))


def has_deletable(tx: ReadTransaction) -> bool:
    """Whether `deletable` would name any."""
    return bool(deletable(tx))


def expire_uploads(tx: Transaction) -> int:
    """Discard uploads without progress for too long; return how many."""
    expired = uploads.expired(tx, _BATCH)
    for upload_id, repository_id in expired:
        upload = uploads.lock(tx, repository_id, upload_id)
        if upload is not None and upload.expires_at <= tx.now:
            discard_upload(tx, upload)
    return len(expired)


def release_leases(tx: Transaction) -> None:
    """Free the uploads that a dead server held. Only for a server that is known to be the only one on its database."""
    uploads.release_all(tx)


def check_links(tx: Transaction) -> int:
    """Unlink blobs that nothing has named for the grace, keep the others; return how many were looked at.

    Lock first, look second: a push that needs the link either holds it now, and its edges are seen, or finds it gone and says so.
    """
    due = blobs.due_links(tx, _BATCH)
    for repository_id, digest in sorted(due):  # the order in which pushes lock them
        link = blobs.lock_link(tx, repository_id, digest)
        if link is None or link[1] is None or link[1] > tx.now:
            continue
        if blobs.is_named(tx, repository_id, digest):
            blobs.let_check(tx, repository_id, [digest], None)
            continue
        blobs.unlink(tx, repository_id, digest)
        blobs.collect(tx, link[0], _doom_at(tx))
    return len(due)


def purge_deleted_repository(tx: Transaction) -> bool:
    """Take one batch out of a deleted repository; False if there is none left to purge."""
    found = repositories.list_deleted(tx, 1)
    if not found:
        return False
    repository_id = found[0]
    tags.purge(tx, repository_id)
    manifest_ids = manifests.some_ids(tx, repository_id, _BATCH)
    for manifest_id in manifest_ids:
        manifests.remove(tx, manifest_id)
    upload_ids = uploads.of_repository(tx, repository_id, _BATCH)
    for upload_id in upload_ids:
        upload = uploads.lock(tx, repository_id, upload_id)
        if upload is not None:
            discard_upload(tx, upload)
    digests = blobs.some_links(tx, repository_id, _BATCH)
    for digest in digests:
        link = blobs.lock_link(tx, repository_id, digest)
        if link is not None:
            blobs.unlink(tx, repository_id, digest)
            blobs.collect(tx, link[0], _doom_at(tx))
    if not (manifest_ids or upload_ids or digests):
        repositories.purge(tx, repository_id)
    return True


def doom_abandoned(tx: Transaction) -> int:
    """Objects whose writer has not come back in time are doomed; from then on it cannot bring them to life any more."""
    abandoned = sorted(key for key, state in blobs.due_objects(tx, _BATCH) if state == "writing")
    # One that goes live at this moment is no longer what was read: each change names the state that it ends.
    return sum(blobs.doom_abandoned(tx, key, tx.now) for key in abandoned)


def deletable(tx: ReadTransaction) -> list[str]:
    """Keys whose bytes may be deleted now."""
    return [key for key, state in blobs.due_objects(tx, _BATCH) if state == "doomed"]


def forget(tx: Transaction, keys: list[str]) -> None:
    """The bytes of these keys are gone."""
    for key in keys:
        blobs.forget(tx, key)


def reserve(tx: Transaction, keys: list[str], seconds: int) -> None:
    """Write down keys that this process will store bytes under within `seconds`."""
    blobs.reserve(tx, keys, tx.now + seconds * 1_000_000)


def _doom_at(tx: ReadTransaction) -> int:
    return tx.now + limits.DOOM_SECONDS * 1_000_000
