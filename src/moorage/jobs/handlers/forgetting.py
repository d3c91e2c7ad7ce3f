"""Rows that have been kept for long enough: counts, full buckets, jobs that failed."""

from __future__ import annotations

from moorage.jobs.job_kinds import Handler, Nothing
from moorage.jobs.lease import Work
from moorage.metadata.database import Database
from moorage.metadata.jobs import administration
from moorage.metadata.transaction import ReadTransaction
from moorage.operations.usage.anonymous_transfers import forget_old_months, has_old_months
from moorage.operations.usage.rates import forget_full_buckets, has_full_buckets
from moorage.operations.usage.request_counts import forget_requests, has_old_requests

FAILED_JOBS_SECONDS = 30 * 24 * 3600
"""How long a job that has failed for good is shown."""


def is_due(tx: ReadTransaction) -> bool:
    """Whether there is anything to forget."""
    return (
        has_full_buckets(tx)
        or has_old_requests(tx)
        or has_old_months(tx)
        or administration.has_old_failures(tx, FAILED_JOBS_SECONDS)
    )


def forget(db: Database) -> Handler[Nothing]:
    """A handler that deletes all of them. No answer rests on any, and what a power cut brings back is deleted again."""

    async def handle(_work: Work, _: Nothing) -> None:
        for step in (forget_full_buckets, forget_requests, forget_old_months):
            await db.write_lightly(step)
        await db.write_lightly(administration.forget_failed, FAILED_JOBS_SECONDS)

    return handle
