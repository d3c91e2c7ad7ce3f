"""The job queue, and the schedule of periodic jobs."""

import sqlalchemy as sa
from alembic import op

from moorage.metadata.types import Number, String

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", Number, nullable=False, autoincrement=True),
        sa.Column("kind", String, nullable=False),
        sa.Column("unique_key", String, nullable=True),
        sa.Column("lane", Number, nullable=False),
        sa.Column("payload", String, nullable=False),
        sa.Column("state", String, nullable=False),
        sa.Column("run_after", Number, nullable=False),
        sa.Column("attempts", Number, nullable=False),
        sa.Column("epoch", Number, nullable=False),
        sa.Column("lease_until", Number, nullable=False),
        sa.Column("leased_by", String, nullable=True),
        sa.Column("is_cancelled", Number, nullable=False),
        sa.Column("last_error", String, nullable=True),
        sa.Column("enqueued_at", Number, nullable=False),
        sa.Column("begun_at", Number, nullable=True),
        sa.Column("failed_at", Number, nullable=True),
        sa.Column("done", Number, nullable=True),
        sa.Column("total", Number, nullable=True),
        sa.Column("done_before", Number, nullable=True),
        sa.Column("told_first_at", Number, nullable=True),
        sa.Column("told_at", Number, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    _partial_index("ix_jobs_ready", ["lane", "kind", "run_after", "id"], "state = 'ready'")
    _partial_index("uq_jobs_ready_key", ["kind", "unique_key"], "state = 'ready'", unique=True)
    _partial_index("uq_jobs_leased_key", ["kind", "unique_key"], "state = 'leased'", unique=True)
    _partial_index("ix_jobs_lease_until", ["lease_until"], "state = 'leased'")
    _partial_index("ix_jobs_failed", ["kind", "unique_key"], "state = 'failed'")
    _partial_index("ix_jobs_failed_at", ["failed_at"], "state = 'failed'")
    op.create_table(
        "job_schedule",
        sa.Column("kind", String, nullable=False),
        sa.Column("slot", Number, nullable=False),
        sa.PrimaryKeyConstraint("kind", name="pk_job_schedule"),
        sqlite_strict=True,
    )


def _partial_index(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, "jobs", columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    op.drop_table("job_schedule")
    op.drop_table("jobs")
