"""Lifecycle policies of repositories, and what a preview of one has found."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey

from moorage.metadata.tables.schema import table
from moorage.metadata.types import Number, String

lifecycle_policies = table(
    "lifecycle_policies",
    Column("repository_id", Number, ForeignKey("repositories.id"), primary_key=True),
    Column("document", String, nullable=False),  # the exact text that was given
    Column("put_at", Number, nullable=False),
    Column("last_evaluated_at", Number, nullable=False),  # 0: never
)

lifecycle_previews = table(
    "lifecycle_previews",
    Column("repository_id", Number, ForeignKey("repositories.id"), primary_key=True),
    Column("id", String, nullable=False),
    Column("document", String, nullable=False),
    Column("completed_at", Number, nullable=False),
    Column("expiring", Number, nullable=False),  # how many images it would expire
    Column("transitioning", Number, nullable=False),  # how many it would archive
)

lifecycle_preview_results = table(
    "lifecycle_preview_results",
    Column("repository_id", Number, ForeignKey("lifecycle_previews.repository_id"), primary_key=True),
    Column("position", Number, primary_key=True),
    Column("digest", String, nullable=False),
    Column("tags", String, nullable=False),  # JSON list
    Column("pushed_at", Number, nullable=False),
    Column("action", String, nullable=False),  # EXPIRE, TRANSITION
    Column("priority", Number, nullable=False),
    Column("storage_class", String, nullable=False),  # STANDARD, ARCHIVE: before the action
)
