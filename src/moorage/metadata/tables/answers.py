"""What the answers to pulls rest on: see `metadata.answers`."""

from __future__ import annotations

from sqlalchemy import Column

from moorage.metadata.tables.schema import table
from moorage.metadata.types import Number

answer_versions = table(
    "answer_versions",
    Column("slot", Number, primary_key=True, autoincrement=False),
    Column("version", Number, nullable=False),
)
