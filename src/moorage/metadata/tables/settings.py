"""What a registry is set to beyond its documents: rules, templates, exclusions, and what replication has been asked to do."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index

from moorage.metadata.tables.schema import table
from moorage.metadata.types import Number, String

pull_through_rules = table(
    "pull_through_rules",
    Column("registry", Number, ForeignKey("registries.id"), primary_key=True),
    Column("prefix", String, primary_key=True),  # without a trailing slash, or ROOT
    Column("upstream_url", String, nullable=False),
    Column("upstream_registry", String, nullable=False),  # ecr-public, docker-hub, ...
    Column("upstream_prefix", String, nullable=False),
    Column("credential_arn", String),
    Column("role_arn", String),
    Column("created_at", Number, nullable=False),
    Column("updated_at", Number, nullable=False),
)

creation_templates = table(
    "creation_templates",
    Column("registry", Number, ForeignKey("registries.id"), primary_key=True),
    Column("prefix", String, primary_key=True),  # without a trailing slash, or ROOT
    Column("document", String, nullable=False),  # JSON: metadata.registry_records.Template
    Column("created_at", Number, nullable=False),
    Column("updated_at", Number, nullable=False),
)

pull_time_exclusions = table(
    "pull_time_exclusions",
    Column("registry", Number, ForeignKey("registries.id"), primary_key=True),
    Column("principal_arn", String, primary_key=True),
    Column("created_at", Number, nullable=False),
)

# One line for each image and destination, written by the push and finished by whoever copies.
image_replications = table(
    "image_replications",
    Column("manifest_id", Number, ForeignKey("manifests.id"), primary_key=True),
    Column("region", String, primary_key=True),
    Column("registry_id", String, primary_key=True),
    Column("status", String, nullable=False),  # IN_PROGRESS, COMPLETE, FAILED
    Column("failure_code", String),
    Column("updated_at", Number, nullable=False),
)

replication_backfills = table(
    "replication_backfills",
    Column("id", String, primary_key=True),
    Column("registry", Number, ForeignKey("registries.id"), nullable=False),
    Column("region", String, nullable=False),
    Column("registry_id", String, nullable=False),
    Column("status", String, nullable=False),  # PREPARING, IN_PROGRESS, COMPLETE, FAILED, STOPPING, STOPPED
    Column("failure_code", String),
    Column("started_at", Number, nullable=False),
    Column("ended_at", Number),
    Index(None, "registry", "started_at", "id"),
)
