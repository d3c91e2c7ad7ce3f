"""Repositories, manifests, tags and their history."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, UniqueConstraint, text

from moorage.metadata.tables.schema import partial_index, surrogate, table
from moorage.metadata.types import Bytes, Number, String

repositories = table(
    "repositories",
    surrogate(),
    Column("registry", Number, ForeignKey("registries.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("state", String, nullable=False),  # live, deleted: children follow in batches
    Column("created_at", Number, nullable=False),
    Column("tag_mutability", String, nullable=False),
    Column("mutability_filters", String, nullable=False),  # JSON list of patterns
    Column("scan_on_push", Number, nullable=False),
    Column("encryption_type", String, nullable=False),
    Column("kms_key", String),
    Column("seal_id", Number, ForeignKey("seals.id"), nullable=False),
    Column("policy", String),  # the exact text that was given
    Column("policy_bindings", String),  # JSON: ARNs that it names, each with its unique id when it was set
    partial_index(
        "uq_repositories_live",
        "registry",
        "name",
        unique=True,
        where="state = 'live'",
    ),
    partial_index("ix_repositories_deleted", "state", where="state <> 'live'"),
    sqlite_autoincrement=True,
)

# How many images there are, for the quota alone: counting 100,000 rows at each push would cost more than the push.
repository_counts = table(
    "repository_counts",
    Column("repository_id", Number, ForeignKey("repositories.id"), primary_key=True),
    Column("images", Number, nullable=False),
)

resource_tags = table(
    "resource_tags",
    Column("repository_id", Number, ForeignKey("repositories.id"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)

manifests = table(
    "manifests",
    surrogate(),
    Column("repository_id", Number, ForeignKey("repositories.id"), nullable=False),
    Column("digest", String, nullable=False),
    Column("media_type", String, nullable=False),
    Column("artifact_type", String),
    Column("config_media_type", String),
    Column("subject_digest", String),
    Column("annotations", String, nullable=False),  # JSON, for referrers
    Column("size_bytes", Number, nullable=False),  # of the manifest itself
    Column("image_size_bytes", Number, nullable=False),  # config and layers; of an index, its largest child
    Column("pushed_at", Number, nullable=False),
    Column("pushed_by", String, nullable=False),
    Column("archived", Number, nullable=False, server_default=text("0")),
    Column("last_archived_at", Number),
    Column("last_activated_at", Number),  # in the future: it is being activated until then
    UniqueConstraint("repository_id", "digest"),
    Index(None, "repository_id", "pushed_at", "digest"),
    partial_index(
        "ix_manifests_subject",
        "repository_id",
        "subject_digest",
        "id",
        where="subject_digest IS NOT NULL",
    ),
    sqlite_autoincrement=True,
)

manifest_payloads = table(
    "manifest_payloads",
    Column("manifest_id", Number, ForeignKey("manifests.id"), primary_key=True),
    Column("sealed", Bytes, nullable=False),
    Column("wrapped_key", Bytes, nullable=False),
)

# These edges are the reference count of a repository's blobs: counted by index, stored nowhere.
manifest_blobs = table(
    "manifest_blobs",
    Column("manifest_id", Number, ForeignKey("manifests.id"), primary_key=True),
    Column("position", Number, primary_key=True),
    Column("repository_id", Number, nullable=False),
    Column("digest", String, nullable=False),
    Column("role", String, nullable=False),  # config, layer
    Column("media_type", String, nullable=False),
    Column("size_bytes", Number, nullable=False),
    Index(None, "repository_id", "digest"),
)

manifest_children = table(
    "manifest_children",
    Column("parent_id", Number, ForeignKey("manifests.id"), primary_key=True),
    Column("position", Number, primary_key=True),
    Column("repository_id", Number, nullable=False),
    Column("digest", String, nullable=False),
    Index(None, "repository_id", "digest"),
)

tags = table(
    "tags",
    Column("repository_id", Number, ForeignKey("repositories.id"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("manifest_id", Number, ForeignKey("manifests.id"), nullable=False),
    Column("tagged_at", Number, nullable=False),
    Index(None, "manifest_id"),
)

tag_history = table(
    "tag_history",
    surrogate(),
    Column("repository_id", Number, ForeignKey("repositories.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("previous_digest", String),
    Column("valid_from", Number, nullable=False),
    Column("valid_to", Number),
    Column("moved_by", String, nullable=False),
    Column("reason", String, nullable=False),  # push
    Column("ended_by", String),
    Index(None, "repository_id", "name", "valid_from"),
    partial_index(
        "uq_tag_history_current",
        "repository_id",
        "name",
        unique=True,
        where="valid_to IS NULL",
    ),
    sqlite_autoincrement=True,
)

manifest_pulls = table(
    "manifest_pulls",
    Column("manifest_id", Number, ForeignKey("manifests.id"), primary_key=True),
    Column("last_pulled_at", Number, nullable=False),  # 0: only by those whose pulls do not count for it
    Column("pulls", Number, nullable=False),
)
