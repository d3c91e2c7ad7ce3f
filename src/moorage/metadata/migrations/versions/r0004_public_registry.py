"""Public registries: aliases, verified marks, catalog data. The registries themselves are rows with an empty region."""

import sqlalchemy as sa
from alembic import op

from moorage.metadata.types import Bytes, Number, String

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "public_registries",
        sa.Column("registry", Number, nullable=False),
        sa.Column("display_name", String, nullable=True),
        sa.Column("is_verified", Number, nullable=False),
        sa.ForeignKeyConstraint(["registry"], ["registries.id"], name="fk_public_registries_registry"),
        sa.PrimaryKeyConstraint("registry", name="pk_public_registries"),
        sqlite_strict=True,
    )
    op.create_table(
        "public_aliases",
        sa.Column("id", Number, nullable=False, autoincrement=True),
        sa.Column("alias", String, nullable=False),
        sa.Column("registry", Number, nullable=False),
        sa.Column("is_default", Number, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["registry"], ["registries.id"], name="fk_public_aliases_registry"),
        sa.PrimaryKeyConstraint("id", name="pk_public_aliases"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    op.create_index("uq_public_aliases_alias", "public_aliases", ["alias"], unique=True)
    op.create_index("ix_public_aliases_registry", "public_aliases", ["registry"])
    op.create_table(
        "repository_catalogs",
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("document", String, nullable=False),
        sa.Column("logo", Bytes, nullable=True),
        sa.Column("updated_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_repository_catalogs_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", name="pk_repository_catalogs"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("repository_catalogs")
    op.drop_table("public_aliases")
    op.drop_table("public_registries")
