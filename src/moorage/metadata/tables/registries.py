"""Accounts, their keys, their registries, and what seals a registry's content."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, UniqueConstraint, text

from moorage.metadata.tables.schema import surrogate, table
from moorage.metadata.types import Bytes, Number, String

accounts = table(
    "accounts",
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("created_at", Number, nullable=False),
    # Raised by every change of who may do what in the account: what is remembered of its identities counts for one epoch.
    Column("identity_epoch", Number, nullable=False, server_default=text("0")),
    Column("alias", String),
    Column("email", String),
    Index("uq_accounts_alias", "alias", unique=True),
)

access_keys = table(
    "access_keys",
    Column("id", String, primary_key=True),
    Column("account_id", String, ForeignKey("accounts.id"), nullable=False),
    Column("principal_id", String, nullable=False),
    Column("secret", Bytes, nullable=False),  # sealed under the root key
    Column("status", String, nullable=False),  # Active, Inactive
    Column("created_at", Number, nullable=False),
    Column("last_used_at", Number),
    Column("last_used_service", String),
    Column("last_used_region", String),
    Index(None, "account_id"),
    Index(None, "principal_id"),
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

# Documents of a registry as a whole: its policy; its replication, scanning and signing configurations as JSON.
registry_documents = table(
    "registry_documents",
    Column("registry", Number, ForeignKey("registries.id"), primary_key=True),
    Column("kind", String, primary_key=True),  # policy, replication, scanning, signing
    Column("document", String, nullable=False),  # the exact text that was given
    Column("bindings", String, nullable=False),  # JSON: ARNs that it names, each with its unique id when it was set
    Column("updated_at", Number, nullable=False),
)

registry_settings = table(
    "registry_settings",
    Column("registry", Number, ForeignKey("registries.id"), primary_key=True),
    Column("name", String, primary_key=True),  # REGISTRY_POLICY_SCOPE, ...
    Column("value", String, nullable=False),
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
