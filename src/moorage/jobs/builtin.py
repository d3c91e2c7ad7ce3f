"""The kinds of jobs that every node runs."""

from __future__ import annotations

from moorage.jobs.handlers import forgetting, garbage
from moorage.jobs.job_kinds import Kind, Nothing, Periodic, Registry
from moorage.metadata.database import Database
from moorage.model.jobs import Lane
from moorage.operations.images import garbage as use_cases
from moorage.storage.blob_store import BlobStore
from moorage.transfer.work import Pools

SWEEP_SECONDS = 30


def registry(db: Database, store: BlobStore, pools: Pools) -> Registry:
    """A registry with the sweeps; who has more kinds adds them."""
    found = Registry()
    for name, is_due, step, lane in (
        ("expire-uploads", use_cases.has_expired_uploads, use_cases.expire_uploads, Lane.SMALL),
        ("purge-repositories", use_cases.has_deleted_repository, use_cases.purge_deleted_repository, Lane.BULK),
        ("check-links", use_cases.has_due_links, use_cases.check_links, Lane.BULK),
        ("doom-abandoned", use_cases.has_abandoned, use_cases.doom_abandoned, Lane.SMALL),
    ):
        found.add(Kind(name, Nothing, garbage.sweep(db, is_due, step), at_once=1))
        found.add_periodic(Periodic(name, SWEEP_SECONDS, lane, is_due, at_start=True))
    found.add(Kind("delete-bytes", Nothing, garbage.delete_bytes(db, store, pools), at_once=1))
    found.add_periodic(Periodic("delete-bytes", SWEEP_SECONDS, Lane.BULK, use_cases.has_deletable, at_start=True))
    found.add(Kind("forget", Nothing, forgetting.forget(db), at_once=1))
    found.add_periodic(Periodic("forget", SWEEP_SECONDS, Lane.SMALL, forgetting.is_due, at_start=True))
    return found
