"""Identities and policies: who may do what; small objects in rows."""

import sqlalchemy as sa
from alembic import op

from moorage.metadata.types import Bytes, Number, String

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("identity_epoch", Number, nullable=False, server_default=sa.text("0")))
    op.add_column("accounts", sa.Column("alias", String, nullable=True))
    op.add_column("accounts", sa.Column("email", String, nullable=True))
    op.create_index("uq_accounts_alias", "accounts", ["alias"], unique=True)
    op.add_column("access_keys", sa.Column("last_used_at", Number, nullable=True))
    op.add_column("access_keys", sa.Column("last_used_service", String, nullable=True))
    op.add_column("access_keys", sa.Column("last_used_region", String, nullable=True))
    op.create_index("ix_access_keys_principal_id", "access_keys", ["principal_id"])
    op.add_column("repositories", sa.Column("policy", String, nullable=True))
    op.add_column("repositories", sa.Column("policy_bindings", String, nullable=True))
    op.create_table(
        "small_objects",
        sa.Column("key", String, nullable=False),
        sa.Column("sealed", Bytes, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_small_objects"),
        sqlite_strict=True,
    )
    op.create_table(
        "identities",
        sa.Column("id", String, nullable=False),
        sa.Column("account_id", String, nullable=False),
        sa.Column("kind", String, nullable=False),
        sa.Column("name", String, nullable=False),
        sa.Column("folded_name", String, nullable=False),
        sa.Column("path", String, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.Column("description", String, nullable=True),
        sa.Column("boundary_arn", String, nullable=True),
        sa.Column("trust_policy", String, nullable=True),
        sa.Column("trust_bindings", String, nullable=True),
        sa.Column("max_session_seconds", Number, nullable=True),
        sa.Column("linked_service", String, nullable=True),
        sa.Column("last_used_at", Number, nullable=True),
        sa.Column("last_used_region", String, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_identities_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_identities"),
        sa.UniqueConstraint("account_id", "kind", "folded_name", name="uq_identities_account_id_kind_folded_name"),
        sqlite_strict=True,
    )
    op.create_table(
        "group_members",
        sa.Column("group_id", String, nullable=False),
        sa.Column("user_id", String, nullable=False),
        sa.Column("joined_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["identities.id"], name="fk_group_members_group_id"),
        sa.ForeignKeyConstraint(["user_id"], ["identities.id"], name="fk_group_members_user_id"),
        sa.PrimaryKeyConstraint("group_id", "user_id", name="pk_group_members"),
        sqlite_strict=True,
    )
    op.create_index("ix_group_members_user_id", "group_members", ["user_id"])
    op.create_table(
        "inline_policies",
        sa.Column("identity_id", String, nullable=False),
        sa.Column("name", String, nullable=False),
        sa.Column("document", String, nullable=False),
        sa.ForeignKeyConstraint(["identity_id"], ["identities.id"], name="fk_inline_policies_identity_id"),
        sa.PrimaryKeyConstraint("identity_id", "name", name="pk_inline_policies"),
        sqlite_strict=True,
    )
    op.create_table(
        "attachments",
        sa.Column("identity_id", String, nullable=False),
        sa.Column("policy_arn", String, nullable=False),
        sa.Column("attached_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["identity_id"], ["identities.id"], name="fk_attachments_identity_id"),
        sa.PrimaryKeyConstraint("identity_id", "policy_arn", name="pk_attachments"),
        sqlite_strict=True,
    )
    op.create_index("ix_attachments_policy_arn", "attachments", ["policy_arn"])
    op.create_table(
        "managed_policies",
        sa.Column("id", String, nullable=False),
        sa.Column("account_id", String, nullable=False),
        sa.Column("name", String, nullable=False),
        sa.Column("folded_name", String, nullable=False),
        sa.Column("path", String, nullable=False),
        sa.Column("arn", String, nullable=False),
        sa.Column("description", String, nullable=True),
        sa.Column("default_version", Number, nullable=False),
        sa.Column("newest_version", Number, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.Column("updated_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_managed_policies_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_managed_policies"),
        sa.UniqueConstraint("account_id", "folded_name", name="uq_managed_policies_account_id_folded_name"),
        sa.UniqueConstraint("arn", name="uq_managed_policies_arn"),
        sqlite_strict=True,
    )
    op.create_table(
        "policy_versions",
        sa.Column("policy_id", String, nullable=False),
        sa.Column("version", Number, nullable=False),
        sa.Column("document", String, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["policy_id"], ["managed_policies.id"], name="fk_policy_versions_policy_id"),
        sa.PrimaryKeyConstraint("policy_id", "version", name="pk_policy_versions"),
        sqlite_strict=True,
    )
    op.create_table(
        "identity_tags",
        sa.Column("resource", String, nullable=False),
        sa.Column("folded_key", String, nullable=False),
        sa.Column("key", String, nullable=False),
        sa.Column("value", String, nullable=False),
        sa.PrimaryKeyConstraint("resource", "folded_key", name="pk_identity_tags"),
        sqlite_strict=True,
    )
    op.create_table(
        "instance_profiles",
        sa.Column("id", String, nullable=False),
        sa.Column("account_id", String, nullable=False),
        sa.Column("name", String, nullable=False),
        sa.Column("folded_name", String, nullable=False),
        sa.Column("path", String, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.Column("role_id", String, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_instance_profiles_account_id"),
        sa.ForeignKeyConstraint(["role_id"], ["identities.id"], name="fk_instance_profiles_role_id"),
        sa.PrimaryKeyConstraint("id", name="pk_instance_profiles"),
        sa.UniqueConstraint("account_id", "folded_name", name="uq_instance_profiles_account_id_folded_name"),
        sqlite_strict=True,
    )
    op.create_index("ix_instance_profiles_role_id", "instance_profiles", ["role_id"])
    op.create_table(
        "identity_providers",
        sa.Column("arn", String, nullable=False),
        sa.Column("account_id", String, nullable=False),
        sa.Column("kind", String, nullable=False),
        sa.Column("url", String, nullable=False),
        sa.Column("client_ids", String, nullable=False),
        sa.Column("thumbprints", String, nullable=False),
        sa.Column("document", String, nullable=True),
        sa.Column("created_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_identity_providers_account_id"),
        sa.PrimaryKeyConstraint("arn", name="pk_identity_providers"),
        sqlite_strict=True,
    )
    op.create_index("ix_identity_providers_account_id", "identity_providers", ["account_id"])
    op.create_table(
        "login_profiles",
        sa.Column("user_id", String, nullable=False),
        sa.Column("password_hash", String, nullable=False),
        sa.Column("must_reset", Number, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.Column("failures", Number, nullable=False),
        sa.Column("locked_until", Number, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["identities.id"], name="fk_login_profiles_user_id"),
        sa.PrimaryKeyConstraint("user_id", name="pk_login_profiles"),
        sqlite_strict=True,
    )
    op.create_table(
        "mfa_devices",
        sa.Column("serial", String, nullable=False),
        sa.Column("account_id", String, nullable=False),
        sa.Column("user_id", String, nullable=True),
        sa.Column("seed", Bytes, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.Column("enabled_at", Number, nullable=True),
        sa.Column("last_step", Number, nullable=False),
        sa.Column("failures", Number, nullable=False),
        sa.Column("locked_until", Number, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_mfa_devices_account_id"),
        sa.PrimaryKeyConstraint("serial", name="pk_mfa_devices"),
        sqlite_strict=True,
    )
    op.create_index("ix_mfa_devices_account_id", "mfa_devices", ["account_id"])
    op.create_index("ix_mfa_devices_user_id", "mfa_devices", ["user_id"])
    op.create_table(
        "account_documents",
        sa.Column("account_id", String, nullable=False),
        sa.Column("kind", String, nullable=False),
        sa.Column("document", String, nullable=False),
        sa.Column("updated_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_account_documents_account_id"),
        sa.PrimaryKeyConstraint("account_id", "kind", name="pk_account_documents"),
        sqlite_strict=True,
    )
    op.create_table(
        "principal_activity",
        sa.Column("principal_id", String, nullable=False),
        sa.Column("action", String, nullable=False),
        sa.Column("resource", String, nullable=False),
        sa.Column("account_id", String, nullable=False),
        sa.Column("region", String, nullable=False),
        sa.Column("first_at", Number, nullable=False),
        sa.Column("last_at", Number, nullable=False),
        sa.Column("uses", Number, nullable=False),
        sa.PrimaryKeyConstraint("principal_id", "action", "resource", name="pk_principal_activity"),
        sqlite_strict=True,
    )
    op.create_table(
        "access_reports",
        sa.Column("id", String, nullable=False),
        sa.Column("account_id", String, nullable=False),
        sa.Column("arn", String, nullable=False),
        sa.Column("granularity", String, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_access_reports_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_access_reports"),
        sqlite_strict=True,
    )
    op.create_table(
        "organizations",
        sa.Column("id", String, nullable=False),
        sa.Column("management_account", String, nullable=False),
        sa.Column("root_id", String, nullable=False),
        sa.Column("created_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["management_account"], ["accounts.id"], name="fk_organizations_management_account"),
        sa.PrimaryKeyConstraint("id", name="pk_organizations"),
        sqlite_strict=True,
    )
    op.create_table(
        "account_requests",
        sa.Column("id", String, nullable=False),
        sa.Column("account_name", String, nullable=False),
        sa.Column("email", String, nullable=False),
        sa.Column("state", String, nullable=False),
        sa.Column("failure", String, nullable=True),
        sa.Column("account_id", String, nullable=True),
        sa.Column("requested_at", Number, nullable=False),
        sa.Column("completed_at", Number, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_account_requests"),
        sqlite_strict=True,
    )
    op.create_index("ix_account_requests_requested_at_id", "account_requests", ["requested_at", "id"])
    op.create_table(
        "registry_documents",
        sa.Column("registry", Number, nullable=False),
        sa.Column("kind", String, nullable=False),
        sa.Column("document", String, nullable=False),
        sa.Column("bindings", String, nullable=False),
        sa.Column("updated_at", Number, nullable=False),
        sa.ForeignKeyConstraint(["registry"], ["registries.id"], name="fk_registry_documents_registry"),
        sa.PrimaryKeyConstraint("registry", "kind", name="pk_registry_documents"),
        sqlite_strict=True,
    )
    op.create_table(
        "registry_settings",
        sa.Column("registry", Number, nullable=False),
        sa.Column("name", String, nullable=False),
        sa.Column("value", String, nullable=False),
        sa.ForeignKeyConstraint(["registry"], ["registries.id"], name="fk_registry_settings_registry"),
        sa.PrimaryKeyConstraint("registry", "name", name="pk_registry_settings"),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("registry_settings")
    op.drop_table("registry_documents")
    op.drop_table("account_requests")
    op.drop_table("organizations")
    op.drop_table("access_reports")
    op.drop_table("principal_activity")
    op.drop_table("account_documents")
    op.drop_table("mfa_devices")
    op.drop_table("login_profiles")
    op.drop_table("identity_providers")
    op.drop_table("instance_profiles")
    op.drop_table("identity_tags")
    op.drop_table("policy_versions")
    op.drop_table("managed_policies")
    op.drop_table("attachments")
    op.drop_table("inline_policies")
    op.drop_table("group_members")
    op.drop_table("identities")
    op.drop_table("small_objects")
    op.drop_column("repositories", "policy_bindings")
    op.drop_column("repositories", "policy")
    op.drop_index("ix_access_keys_principal_id", "access_keys")
    for column in ("last_used_region", "last_used_service", "last_used_at"):
        op.drop_column("access_keys", column)
    op.drop_index("uq_accounts_alias", "accounts")
    for column in ("email", "alias", "identity_epoch"):
        op.drop_column("accounts", column)
