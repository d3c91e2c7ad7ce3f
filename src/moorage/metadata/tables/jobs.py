"""The job queue, and when periodic jobs were last enqueued. States and transitions: `moorage.model.jobs.JobState`."""

from __future__ import annotations

from sqlalchemy import Column

from moorage.metadata.tables.schema import partial_index, surrogate, table
from moorage.metadata.types import Number, String

# Times are the database's. An id is never used twice, so id and epoch together name one lease of one job for ever.
jobs = table(
    "jobs",
    surrogate(),
    Column("kind", String, nullable=False),
    Column("unique_key", String),  # of those with the same kind and key one waits and one runs at most
    Column("lane", Number, nullable=False),
    Column("payload", String, nullable=False),  # JSON, which the kind's type reads
    Column("state", String, nullable=False),
    Column("run_after", Number, nullable=False),
    Column("attempts", Number, nullable=False),  # raised when it is claimed: a node that dies has used one up
    Column("epoch", Number, nullable=False),  # the fencing token: raised when it is claimed, named by whoever ends the lease
    Column("lease_until", Number, nullable=False),
    Column("leased_by", String),
    Column("is_cancelled", Number, nullable=False),  # of a leased one: whoever runs it is to stop
    Column("last_error", String),
    Column("enqueued_at", Number, nullable=False),
    Column("begun_at", Number),
    Column("failed_at", Number),
    Column("done", Number),
    Column("total", Number),
    Column("done_before", Number),  # what was done when this run first told, and when that was: the rate is of this run
    Column("told_first_at", Number),
    Column("told_at", Number),
    # A claim is one range of this index, however many other jobs wait.
    partial_index("ix_jobs_ready", "lane", "kind", "run_after", "id", where="state = 'ready'"),
    partial_index("uq_jobs_ready_key", "kind", "unique_key", where="state = 'ready'", unique=True),
    partial_index("uq_jobs_leased_key", "kind", "unique_key", where="state = 'leased'", unique=True),
    partial_index("ix_jobs_lease_until", "lease_until", where="state = 'leased'"),
    partial_index("ix_jobs_failed", "kind", "unique_key", where="state = 'failed'"),
    partial_index("ix_jobs_failed_at", "failed_at", where="state = 'failed'"),
    sqlite_autoincrement=True,
)

job_schedule = table(
    "job_schedule",
    Column("kind", String, primary_key=True),
    Column("slot", Number, nullable=False),  # the period that was taken last: time divided by its length
)
