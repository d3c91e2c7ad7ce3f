"""Accounts, their keys, their registries, and what seals a registry's content."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, UniqueConstraint

from moorage.metadata.tables.schema import surrogate, table
from moorage.metadata.types import Bytes, Number, String

accounts = table(
    "accounts",
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("created_at", Number, nullable=False),
)

access_keys = table(
    "access_keys",
    Column("id", String, primary_key=True),
    Column("account_id", String, ForeignKey("accounts.id"), nullable=False),
    Column("principal_id", String, nullable=False),
    Column("secret", Bytes, nullable=False),  # sealed under the root key
    Column("status", String, nullable=False),  # Active, Inactive
    Column("created_at", Number, nullable=False),
    Index(None, "account_id"),
)

registries = table(
    "registries",
    surrogate(),
    Column("partition", String, nullable=False),
    Column("region", String, nullable=False),
    Column("registry_id", String, ForeignKey("accounts.id"), nullable=False),
    Column("address", String, nullable=False),  # of loopback: how docker reaches it where there is no domain
    Column("created_at", Number, nullable=False),
    UniqueConstraint("partition", "region", "registry_id"),
    UniqueConstraint("address"),
    sqlite_autoincrement=True,
)

# What wraps the data keys of a registry's objects. A customer's KMS key will be one more row, not another code path.
seals = table(
    "seals",
    surrogate(),
    Column("registry", Number, ForeignKey("registries.id"), nullable=False),
    Column("kind", String, nullable=False),  # AES256
    Column("key_reference", String, nullable=False),  # '' for the registry's own key
    Column("wrapped_key", Bytes),
    Column("created_at", Number, nullable=False),
    UniqueConstraint("registry", "kind", "key_reference"),
    sqlite_autoincrement=True,
)

# Facts about the installation itself, such as which root key sealed it.
installation = table(
    "installation",
    Column("key", String, primary_key=True),
    Column("value", String, nullable=False),
)
