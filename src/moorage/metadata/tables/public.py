"""What only public registries have: aliases, a verified mark, and what the catalog says of registries and repositories.

The registry and its repositories themselves are rows of `registries` and `repositories`, as those of private ones are; a public
registry is one whose region is empty.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index

from moorage.metadata.tables.schema import surrogate, table
from moorage.metadata.types import Bytes, Number, String

public_registries = table(
    "public_registries",
    Column("registry", Number, ForeignKey("registries.id"), primary_key=True),
    Column("display_name", String),
    Column("is_verified", Number, nullable=False),
)

# A number of their own tells which one was given last: the newest is the primary one.
public_aliases = table(
    "public_aliases",
    surrogate(),
    Column("alias", String, nullable=False),
    Column("registry", Number, ForeignKey("registries.id"), nullable=False),
    Column("is_default", Number, nullable=False),
    Column("created_at", Number, nullable=False),
    Index("uq_public_aliases_alias", "alias", unique=True),
    Index(None, "registry"),
    sqlite_autoincrement=True,
)

repository_catalogs = table(
    "repository_catalogs",
    Column("repository_id", Number, ForeignKey("repositories.id"), primary_key=True),
    Column("document", String, nullable=False),  # JSON: what PutRepositoryCatalogData takes, but for the logo
    Column("logo", Bytes),
    Column("updated_at", Number, nullable=False),
)
