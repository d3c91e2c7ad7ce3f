"""Uploads in progress: a list of immutable segments."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, UniqueConstraint

from moorage.metadata.tables.schema import table
from moorage.metadata.types import Bytes, Number, String

uploads = table(
    "uploads",
    Column("id", String, primary_key=True),
    Column("repository_id", Number, ForeignKey("repositories.id"), nullable=False),
    Column("principal_id", String, nullable=False),
    Column("algorithm", String, nullable=False),
    Column("size_received", Number, nullable=False),
    Column("segments", Number, nullable=False),
    Column("smallest_inner_part", Number),  # of all parts but the last: the API has a minimum
    Column("last_part", Number),
    Column("prefix_digest", String),  # of all bytes so far, if one process saw them in order
    Column("epoch", Number, nullable=False),
    Column("lease_until", Number, nullable=False),
    Column("expires_at", Number, nullable=False),
    Index(None, "expires_at"),
    Index(None, "repository_id"),
)

upload_segments = table(
    "upload_segments",
    Column("upload_id", String, ForeignKey("uploads.id"), primary_key=True),
    Column("position", Number, primary_key=True),
    Column("start", Number, nullable=False),
    Column("size_bytes", Number, nullable=False),
    Column("storage_key", String, nullable=False),
    Column("wrapped_key", Bytes, nullable=False),
    UniqueConstraint("upload_id", "start"),
)
