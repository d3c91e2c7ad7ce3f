"""What registries and repositories can be set to: replication, caches, templates, lifecycle; archived images."""

import sqlalchemy as sa
from alembic import op

from moorage.metadata.types import Number, String

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("manifests", sa.Column("archived", Number, nullable=False, server_default=sa.text("0")))
    op.add_column("manifests", sa.Column("last_archived_at", Number, nullable=True))
    op.add_column("manifests", sa.Column("last_activated_at", Number, nullable=True))
    op.create_table(
        "pull_through_rules",
        sa.Column("registry", Number, nullable=False),
        sa.Column("prefix", String, nullable=False),
        sa.Column("upstream_url", String, nullable=False),
        sa.Column("upstream_registry", String, nullable=False),
        sa.Column("upstream_prefix", String, nullable=False),
        sa.Column("credential_arn", String, nullable=True),
        sa.Column("role_arn", String, nullable=True),
        sa.Column("created_at", Number, nullable=False),
        sa.Column("updated_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["registry"], ["registries.id"], name="fk_pull_through_rules_registry"),
        sa.PrimaryKeyConstraint("registry", "prefix", name="pk_pull_through_rules"),
        sqlite_strict=True,
    )
    op.create_table(
        "creation_templates",
        sa.Column("registry", Number, nullable=False),
        sa.Column("prefix", String, nullable=False),
        sa.Column("document", String, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.Column("updated_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["registry"], ["registries.id"], name="fk_creation_templates_registry"),
        sa.PrimaryKeyConstraint("registry", "prefix", name="pk_creation_templates"),
        sqlite_strict=True,
    )
    op.create_table(
        "pull_time_exclusions",
        sa.Column("registry", Number, nullable=False),
        sa.Column("principal_arn", String, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["registry"], ["registries.id"], name="fk_pull_time_exclusions_registry"),
        sa.PrimaryKeyConstraint("registry", "principal_arn", name="pk_pull_time_exclusions"),
        sqlite_strict=True,
    )
    op.create_table(
        "image_replications",
        sa.Column("manifest_id", Number, nullable=False),
        sa.Column("region", String, nullable=False),
        sa.Column("registry_id", String, nullable=False),
        sa.Column("status", String, nullable=False),
        sa.Column("failure_code", String, nullable=True),
        sa.Column("updated_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifests.id"], name="fk_image_replications_manifest_id"),
        sa.PrimaryKeyConstraint("manifest_id", "region", "registry_id", name="pk_image_replications"),
        sqlite_strict=True,
    )
    op.create_table(
        "replication_backfills",
        sa.Column("id", String, nullable=False),
        sa.Column("registry", Number, nullable=False),
        sa.Column("region", String, nullable=False),
        sa.Column("registry_id", String, nullable=False),
        sa.Column("status", String, nullable=False),
        sa.Column("failure_code", String, nullable=True),
        sa.Column("started_at", Number, nullable=False),
        sa.Column("ended_at", Number, nullable=True),
        sa.ForeignKeyConstraint(["registry"], ["registries.id"], name="fk_replication_backfills_registry"),
        sa.PrimaryKeyConstraint("id", name="pk_replication_backfills"),
        sqlite_strict=True,
    )
    op.create_index("ix_replication_backfills_registry_started_at_id", "replication_backfills", ["registry", "started_at", "id"])
    op.create_table(
        "lifecycle_policies",
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("document", String, nullable=False),
        sa.Column("put_at", Number, nullable=False),
        sa.Column("last_evaluated_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_lifecycle_policies_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", name="pk_lifecycle_policies"),
        sqlite_strict=True,
    )
    op.create_table(
        "lifecycle_previews",
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("id", String, nullable=False),
        sa.Column("document", String, nullable=False),
        sa.Column("completed_at", Number, nullable=False),
        sa.Column("expiring", Number, nullable=False),
        sa.Column("transitioning", Number, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_lifecycle_previews_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", name="pk_lifecycle_previews"),
        sqlite_strict=True,
    )
    op.create_table(
        "lifecycle_preview_results",
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("position", Number, nullable=False),
        sa.Column("digest", String, nullable=False),
        sa.Column("tags", String, nullable=False),
        sa.Column("pushed_at", Number, nullable=False),
        sa.Column("action", String, nullable=False),
        sa.Column("priority", Number, nullable=False),
        sa.Column("storage_class", String, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"], ["lifecycle_previews.repository_id"], name="fk_lifecycle_preview_results_repository_id"
        ),
        sa.PrimaryKeyConstraint("repository_id", "position", name="pk_lifecycle_preview_results"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("lifecycle_preview_results")
    op.drop_table("lifecycle_previews")
    op.drop_table("lifecycle_policies")
    op.drop_table("replication_backfills")
    op.drop_table("image_replications")
    op.drop_table("pull_time_exclusions")
    op.drop_table("creation_templates")
    op.drop_table("pull_through_rules")
    for column in ("last_activated_at", "last_archived_at", "archived"):
        op.drop_column("manifests", column)
