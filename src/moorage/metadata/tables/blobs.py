"""Blobs, the segments they are made of, who may see them, and every key of the blob store."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, UniqueConstraint

from moorage.metadata.tables.schema import partial_index, surrogate, table
from moorage.metadata.types import Bytes, Number, String

blobs = table(
    "blobs",
    surrogate(),
    Column("registry", Number, ForeignKey("registries.id"), nullable=False),
    Column("digest", String, nullable=False),
    Column("seal_id", Number, ForeignKey("seals.id"), nullable=False),
    Column("size_bytes", Number, nullable=False),
    Column("created_at", Number, nullable=False),
    UniqueConstraint("registry", "digest", "seal_id"),
    sqlite_autoincrement=True,
)

# A blob is its segments in order: what a chunked upload wrote is never copied together.
blob_pieces = table(
    "blob_pieces",
    Column("blob_id", Number, ForeignKey("blobs.id"), primary_key=True),
    Column("position", Number, primary_key=True),
    Column("size_bytes", Number, nullable=False),
    Column("storage_key", String, nullable=False),
    Column("wrapped_key", Bytes, nullable=False),
    UniqueConstraint("storage_key"),
)

# Membership: what HEAD, GET and mount may see. check_after is NULL while a manifest is known to name the blob.
repository_blobs = table(
    "repository_blobs",
    Column("repository_id", Number, ForeignKey("repositories.id"), primary_key=True),
    Column("digest", String, primary_key=True),
    Column("blob_id", Number, ForeignKey("blobs.id"), nullable=False),
    Column("check_after", Number),
    Index(None, "blob_id"),
    partial_index(
        "ix_repository_blobs_check_after",
        "check_after",
        where="check_after IS NOT NULL",
    ),
)

# Objects so small that a row costs less than a file or a request: sealed like any other, written with what names them.
small_objects = table(
    "small_objects",
    Column("key", String, primary_key=True),
    Column("sealed", Bytes, nullable=False),
)

# What may exist in the store is a subset of this table. `due`: when the sweep may delete a key that is writing or doomed.
storage_objects = table(
    "storage_objects",
    Column("key", String, primary_key=True),
    Column("state", String, nullable=False),  # writing, live, doomed
    Column("due", Number, nullable=False),
    partial_index("ix_storage_objects_due", "due", where="state <> 'live'"),
)
