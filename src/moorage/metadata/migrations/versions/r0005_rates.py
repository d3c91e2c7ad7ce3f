"""Buckets of tokens that all nodes share, counts of requests, and bytes sent to those without a login."""

import sqlalchemy as sa
from alembic import op

from moorage.metadata.types import Number, String

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rate_buckets",
        sa.Column("name", String, nullable=False),
        sa.Column("full_at", Number, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_rate_buckets"),
        sqlite_strict=True,
    )
    op.create_index("ix_rate_buckets_full_at", "rate_buckets", ["full_at"])
    op.create_table(
        "request_counts",
        sa.Column("account_id", String, nullable=False),
        sa.Column("region", String, nullable=False),
        sa.Column("operation", String, nullable=False),
        sa.Column("period", Number, nullable=False),
        sa.Column("begin_at", Number, nullable=False),
        sa.Column("calls", Number, nullable=False),
        sa.Column("throttles", Number, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "region", "operation", "period", "begin_at", name="pk_request_counts"),
        sqlite_strict=True,
    )
    op.create_index("ix_request_counts_period_begin_at", "request_counts", ["period", "begin_at"])
    op.create_table(
        "anonymous_transfers",
        sa.Column("month", String, nullable=False),
        sa.Column("place", String, nullable=False),
        sa.Column("sent_bytes", Number, nullable=False),
        sa.PrimaryKeyConstraint("month", "place", name="pk_anonymous_transfers"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("anonymous_transfers")
    op.drop_table("request_counts")
    op.drop_table("rate_buckets")
