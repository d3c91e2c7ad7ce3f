"""What the answers to pulls rest on, on PostgreSQL."""

import sqlalchemy as sa
from alembic import op

from moorage.metadata.types import Number

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answer_versions",
        sa.Column("slot", Number, nullable=False, autoincrement=False),
        sa.Column("version", Number, nullable=False),
        sa.PrimaryKeyConstraint("slot", name="pk_answer_versions"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("answer_versions")
