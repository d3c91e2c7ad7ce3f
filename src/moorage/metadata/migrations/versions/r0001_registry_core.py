"""The schema of the registry core."""

import sqlalchemy as sa
from alembic import op

from moorage.metadata.types import Bytes, Number, String

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", String, nullable=False),
        sa.Column("name", String, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sqlite_strict=True,
    )
    op.create_table(
        "installation",
        sa.Column("key", String, nullable=False),
        sa.Column("value", String, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_installation"),
        sqlite_strict=True,
    )
    op.create_table(
        "storage_objects",
        sa.Column("key", String, nullable=False),
        sa.Column("state", String, nullable=False),
        sa.Column("due", Number, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_storage_objects"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_storage_objects_due",
        "storage_objects",
        ["due"],
        sqlite_where=sa.text("state <> 'live'"),
        postgresql_where=sa.text("state <> 'live'"),
    )

    op.create_table(
        "access_keys",
        sa.Column("id", String, nullable=False),
        sa.Column("account_id", String, nullable=False),
        sa.Column("principal_id", String, nullable=False),
        sa.Column("secret", Bytes, nullable=False),
        sa.Column("status", String, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_access_keys_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_access_keys"),
        sqlite_strict=True,
    )
    op.create_index("ix_access_keys_account_id", "access_keys", ["account_id"])

    op.create_table(
        "registries",
        sa.Column("id", Number, autoincrement=True, nullable=False),
        sa.Column("partition", String, nullable=False),
        sa.Column("region", String, nullable=False),
        sa.Column("registry_id", String, nullable=False),
        sa.Column("address", String, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["registry_id"], ["accounts.id"], name="fk_registries_registry_id"),
        sa.PrimaryKeyConstraint("id", name="pk_registries"),
        sa.UniqueConstraint("address", name="uq_registries_address"),
        sa.UniqueConstraint("partition", "region", "registry_id", name="uq_registries_partition_region_registry_id"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "seals",
        sa.Column("id", Number, autoincrement=True, nullable=False),
        sa.Column("registry", Number, nullable=False),
        sa.Column("kind", String, nullable=False),
        sa.Column("key_reference", String, nullable=False),
        sa.Column("wrapped_key", Bytes, nullable=True),
        sa.Column("created_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["registry"], ["registries.id"], name="fk_seals_registry"),
        sa.PrimaryKeyConstraint("id", name="pk_seals"),
        sa.UniqueConstraint("registry", "kind", "key_reference", name="uq_seals_registry_kind_key_reference"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "blobs",
        sa.Column("id", Number, autoincrement=True, nullable=False),
        sa.Column("registry", Number, nullable=False),
        sa.Column("digest", String, nullable=False),
        sa.Column("seal_id", Number, nullable=False),
        sa.Column("size_bytes", Number, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["registry"], ["registries.id"], name="fk_blobs_registry"),
        sa.ForeignKeyConstraint(["seal_id"], ["seals.id"], name="fk_blobs_seal_id"),
        sa.PrimaryKeyConstraint("id", name="pk_blobs"),
        sa.UniqueConstraint("registry", "digest", "seal_id", name="uq_blobs_registry_digest_seal_id"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_table(
        "repositories",
        sa.Column("id", Number, autoincrement=True, nullable=False),
        sa.Column("registry", Number, nullable=False),
        sa.Column("name", String, nullable=False),
        sa.Column("state", String, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.Column("tag_mutability", String, nullable=False),
        sa.Column("mutability_filters", String, nullable=False),
        sa.Column("scan_on_push", Number, nullable=False),
        sa.Column("encryption_type", String, nullable=False),
        sa.Column("kms_key", String, nullable=True),
        sa.Column("seal_id", Number, nullable=False),
        sa.ForeignKeyConstraint(["registry"], ["registries.id"], name="fk_repositories_registry"),
        sa.ForeignKeyConstraint(["seal_id"], ["seals.id"], name="fk_repositories_seal_id"),
        sa.PrimaryKeyConstraint("id", name="pk_repositories"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index(
        "ix_repositories_deleted",
        "repositories",
        ["state"],
        sqlite_where=sa.text("state <> 'live'"),
        postgresql_where=sa.text("state <> 'live'"),
    )
    op.create_index(
        "uq_repositories_live",
        "repositories",
        ["registry", "name"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )

    op.create_table(
        "blob_pieces",
        sa.Column("blob_id", Number, nullable=False),
        sa.Column("position", Number, nullable=False),
        sa.Column("size_bytes", Number, nullable=False),
        sa.Column("storage_key", String, nullable=False),
        sa.Column("wrapped_key", Bytes, nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name="fk_blob_pieces_blob_id"),
        sa.PrimaryKeyConstraint("blob_id", "position", name="pk_blob_pieces"),
        sa.UniqueConstraint("storage_key", name="uq_blob_pieces_storage_key"),
        sqlite_strict=True,
    )
    op.create_table(
        "manifests",
        sa.Column("id", Number, autoincrement=True, nullable=False),
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("digest", String, nullable=False),
        sa.Column("media_type", String, nullable=False),
        sa.Column("artifact_type", String, nullable=True),
        sa.Column("config_media_type", String, nullable=True),
        sa.Column("subject_digest", String, nullable=True),
        sa.Column("annotations", String, nullable=False),
        sa.Column("size_bytes", Number, nullable=False),
        sa.Column("image_size_bytes", Number, nullable=False),
        sa.Column("pushed_at", Number, nullable=False),
        sa.Column("pushed_by", String, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_manifests_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_manifests"),
        sa.UniqueConstraint("repository_id", "digest", name="uq_manifests_repository_id_digest"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_manifests_repository_id_pushed_at_digest", "manifests", ["repository_id", "pushed_at", "digest"])
    op.create_index(
        "ix_manifests_subject",
        "manifests",
        ["repository_id", "subject_digest", "id"],
        sqlite_where=sa.text("subject_digest IS NOT NULL"),
        postgresql_where=sa.text("subject_digest IS NOT NULL"),
    )

    op.create_table(
        "repository_blobs",
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("digest", String, nullable=False),
        sa.Column("blob_id", Number, nullable=False),
        sa.Column("check_after", Number, nullable=True),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name="fk_repository_blobs_blob_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_repository_blobs_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", "digest", name="pk_repository_blobs"),
        sqlite_strict=True,
    )
    op.create_index("ix_repository_blobs_blob_id", "repository_blobs", ["blob_id"])
    op.create_index(
        "ix_repository_blobs_check_after",
        "repository_blobs",
        ["check_after"],
        sqlite_where=sa.text("check_after IS NOT NULL"),
        postgresql_where=sa.text("check_after IS NOT NULL"),
    )

    op.create_table(
        "repository_counts",
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("images", Number, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_repository_counts_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", name="pk_repository_counts"),
        sqlite_strict=True,
    )
    op.create_table(
        "resource_tags",
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("key", String, nullable=False),
        sa.Column("value", String, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_resource_tags_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", "key", name="pk_resource_tags"),
        sqlite_strict=True,
    )
    op.create_table(
        "tag_history",
        sa.Column("id", Number, autoincrement=True, nullable=False),
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("name", String, nullable=False),
        sa.Column("digest", String, nullable=False),
        sa.Column("previous_digest", String, nullable=True),
        sa.Column("valid_from", Number, nullable=False),
        sa.Column("valid_to", Number, nullable=True),
        sa.Column("moved_by", String, nullable=False),
        sa.Column("reason", String, nullable=False),
        sa.Column("ended_by", String, nullable=True),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_tag_history_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tag_history"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_tag_history_repository_id_name_valid_from", "tag_history", ["repository_id", "name", "valid_from"])
    op.create_index(
        "uq_tag_history_current",
        "tag_history",
        ["repository_id", "name"],
        unique=True,
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )

    op.create_table(
        "uploads",
        sa.Column("id", String, nullable=False),
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("principal_id", String, nullable=False),
        sa.Column("algorithm", String, nullable=False),
        sa.Column("size_received", Number, nullable=False),
        sa.Column("segments", Number, nullable=False),
        sa.Column("smallest_inner_part", Number, nullable=True),
        sa.Column("last_part", Number, nullable=True),
        sa.Column("prefix_digest", String, nullable=True),
        sa.Column("epoch", Number, nullable=False),
        sa.Column("lease_until", Number, nullable=False),
        sa.Column("expires_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_uploads_repository_id"),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sqlite_strict=True,
    )
    op.create_index("ix_uploads_expires_at", "uploads", ["expires_at"])
    op.create_index("ix_uploads_repository_id", "uploads", ["repository_id"])

    op.create_table(
        "manifest_blobs",
        sa.Column("manifest_id", Number, nullable=False),
        sa.Column("position", Number, nullable=False),
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("digest", String, nullable=False),
        sa.Column("role", String, nullable=False),
        sa.Column("media_type", String, nullable=False),
        sa.Column("size_bytes", Number, nullable=False),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifests.id"], name="fk_manifest_blobs_manifest_id"),
        sa.PrimaryKeyConstraint("manifest_id", "position", name="pk_manifest_blobs"),
        sqlite_strict=True,
    )
    op.create_index("ix_manifest_blobs_repository_id_digest", "manifest_blobs", ["repository_id", "digest"])

    op.create_table(
        "manifest_children",
        sa.Column("parent_id", Number, nullable=False),
        sa.Column("position", Number, nullable=False),
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("digest", String, nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["manifests.id"], name="fk_manifest_children_parent_id"),
        sa.PrimaryKeyConstraint("parent_id", "position", name="pk_manifest_children"),
        sqlite_strict=True,
    )
    op.create_index("ix_manifest_children_repository_id_digest", "manifest_children", ["repository_id", "digest"])

    op.create_table(
        "manifest_payloads",
        sa.Column("manifest_id", Number, nullable=False),
        sa.Column("sealed", Bytes, nullable=False),
        sa.Column("wrapped_key", Bytes, nullable=False),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifests.id"], name="fk_manifest_payloads_manifest_id"),
        sa.PrimaryKeyConstraint("manifest_id", name="pk_manifest_payloads"),
        sqlite_strict=True,
    )
    op.create_table(
        "manifest_pulls",
        sa.Column("manifest_id", Number, nullable=False),
        sa.Column("last_pulled_at", Number, nullable=False),
        sa.Column("pulls", Number, nullable=False),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifests.id"], name="fk_manifest_pulls_manifest_id"),
        sa.PrimaryKeyConstraint("manifest_id", name="pk_manifest_pulls"),
        sqlite_strict=True,
    )
    op.create_table(
        "tags",
        sa.Column("repository_id", Number, nullable=False),
        sa.Column("name", String, nullable=False),
        sa.Column("manifest_id", Number, nullable=False),
        sa.Column("tagged_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifests.id"], name="fk_tags_manifest_id"),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_tags_repository_id"),
        sa.PrimaryKeyConstraint("repository_id", "name", name="pk_tags"),
        sqlite_strict=True,
    )
    op.create_index("ix_tags_manifest_id", "tags", ["manifest_id"])

    op.create_table(
        "upload_segments",
        sa.Column("upload_id", String, nullable=False),
        sa.Column("position", Number, nullable=False),
        sa.Column("start", Number, nullable=False),
        sa.Column("size_bytes", Number, nullable=False),
        sa.Column("storage_key", String, nullable=False),
        sa.Column("wrapped_key", Bytes, nullable=False),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.id"], name="fk_upload_segments_upload_id"),
        sa.PrimaryKeyConstraint("upload_id", "position", name="pk_upload_segments"),
        sa.UniqueConstraint("upload_id", "start", name="uq_upload_segments_upload_id_start"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("upload_segments")
    op.drop_index("ix_tags_manifest_id", "tags")

    op.drop_table("tags")
    op.drop_table("manifest_pulls")
    op.drop_table("manifest_payloads")
    op.drop_index("ix_manifest_children_repository_id_digest", "manifest_children")

    op.drop_table("manifest_children")
    op.drop_index("ix_manifest_blobs_repository_id_digest", "manifest_blobs")

    op.drop_table("manifest_blobs")
    op.drop_index("ix_uploads_repository_id", "uploads")
    op.drop_index("ix_uploads_expires_at", "uploads")

    op.drop_table("uploads")
    op.drop_index(
        "uq_tag_history_current",
        "tag_history",
        sqlite_where=sa.text("valid_to IS NULL"),
        postgresql_where=sa.text("valid_to IS NULL"),
    )
    op.drop_index("ix_tag_history_repository_id_name_valid_from", "tag_history")

    op.drop_table("tag_history")
    op.drop_table("resource_tags")
    op.drop_table("repository_counts")
    op.drop_index(
        "ix_repository_blobs_check_after",
        "repository_blobs",
        sqlite_where=sa.text("check_after IS NOT NULL"),
        postgresql_where=sa.text("check_after IS NOT NULL"),
    )
    op.drop_index("ix_repository_blobs_blob_id", "repository_blobs")

    op.drop_table("repository_blobs")
    op.drop_index(
        "ix_manifests_subject",
        "manifests",
        sqlite_where=sa.text("subject_digest IS NOT NULL"),
        postgresql_where=sa.text("subject_digest IS NOT NULL"),
    )
    op.drop_index("ix_manifests_repository_id_pushed_at_digest", "manifests")

    op.drop_table("manifests")
    op.drop_table("blob_pieces")
    op.drop_index(
        "uq_repositories_live", "repositories", sqlite_where=sa.text("state = 'live'"), postgresql_where=sa.text("state = 'live'")
    )
    op.drop_index(
        "ix_repositories_deleted",
        "repositories",
        sqlite_where=sa.text("state <> 'live'"),
        postgresql_where=sa.text("state <> 'live'"),
    )

    op.drop_table("repositories")
    op.drop_table("blobs")
    op.drop_table("seals")
    op.drop_table("registries")
    op.drop_index("ix_access_keys_account_id", "access_keys")

    op.drop_table("access_keys")
    op.drop_index(
        "ix_storage_objects_due",
        "storage_objects",
        sqlite_where=sa.text("state <> 'live'"),
        postgresql_where=sa.text("state <> 'live'"),
    )

    op.drop_table("storage_objects")
    op.drop_table("installation")
    op.drop_table("accounts")
