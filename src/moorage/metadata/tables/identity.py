"""Identities of IAM: users, groups and roles, what they may do, and what federates or authenticates them.

Everything refers to unique ids, never to names: a name that is used a second time is another principal.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, UniqueConstraint

from moorage.metadata.tables.schema import table
from moorage.metadata.types import Bytes, Number, String

# Users, groups and roles have one shape and one set of rules; `kind` tells them apart. Names are unique ignoring case.
identities = table(
    "identities",
    Column("id", String, primary_key=True),  # AIDA (user), AGPA (group), AROA (role)
    Column("account_id", String, ForeignKey("accounts.id"), nullable=False),
    Column("kind", String, nullable=False),  # user, group, role
    Column("name", String, nullable=False),
    Column("folded_name", String, nullable=False),  # in lower case
    Column("path", String, nullable=False),
    Column("created_at", Number, nullable=False),
    Column("description", String),
    Column("boundary_arn", String),  # the managed policy that bounds it
    Column("trust_policy", String),  # of a role
    Column("trust_bindings", String),  # JSON: ARNs that the trust policy names, each with its unique id when it was set
    Column("max_session_seconds", Number),  # of a role
    Column("linked_service", String),  # of a service-linked role
    Column("last_used_at", Number),  # of a role: last session's use; of a user: last password use
    Column("last_used_region", String),
    UniqueConstraint("account_id", "kind", "folded_name"),
)

group_members = table(
    "group_members",
    Column("group_id", String, ForeignKey("identities.id"), primary_key=True),
    Column("user_id", String, ForeignKey("identities.id"), primary_key=True),
    Column("joined_at", Number, nullable=False),
    Index(None, "user_id"),
)

inline_policies = table(
    "inline_policies",
    Column("identity_id", String, ForeignKey("identities.id"), primary_key=True),
    Column("name", String, primary_key=True),
    Column("document", String, nullable=False),  # the exact text that was given
)

# Policies of AWS have no row of their own, so an attachment names an ARN.
attachments = table(
    "attachments",
    Column("identity_id", String, ForeignKey("identities.id"), primary_key=True),
    Column("policy_arn", String, primary_key=True),
    Column("attached_at", Number, nullable=False),
    Index(None, "policy_arn"),
)

managed_policies = table(
    "managed_policies",
    Column("id", String, primary_key=True),  # ANPA
    Column("account_id", String, ForeignKey("accounts.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("folded_name", String, nullable=False),
    Column("path", String, nullable=False),
    Column("arn", String, nullable=False),
    Column("description", String),
    Column("default_version", Number, nullable=False),
    Column("newest_version", Number, nullable=False),  # numbers are never used twice
    Column("created_at", Number, nullable=False),
    Column("updated_at", Number, nullable=False),
    UniqueConstraint("account_id", "folded_name"),
    UniqueConstraint("arn"),
)

policy_versions = table(
    "policy_versions",
    Column("policy_id", String, ForeignKey("managed_policies.id"), primary_key=True),
    Column("version", Number, primary_key=True),
    Column("document", String, nullable=False),
    Column("created_at", Number, nullable=False),
)

# Tags of everything in IAM that carries some. `resource` is a unique id; of what has none (providers, MFA devices) the ARN.
identity_tags = table(
    "identity_tags",
    Column("resource", String, primary_key=True),
    Column("folded_key", String, primary_key=True),  # keys are the same whatever their case
    Column("key", String, nullable=False),
    Column("value", String, nullable=False),
)

instance_profiles = table(
    "instance_profiles",
    Column("id", String, primary_key=True),  # AIPA
    Column("account_id", String, ForeignKey("accounts.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("folded_name", String, nullable=False),
    Column("path", String, nullable=False),
    Column("created_at", Number, nullable=False),
    Column("role_id", String, ForeignKey("identities.id")),  # at most one
    UniqueConstraint("account_id", "folded_name"),
    Index(None, "role_id"),
)

identity_providers = table(
    "identity_providers",
    Column("arn", String, primary_key=True),
    Column("account_id", String, ForeignKey("accounts.id"), nullable=False),
    Column("kind", String, nullable=False),  # oidc, saml
    Column("url", String, nullable=False),  # of OIDC, without scheme; of SAML the provider's name
    Column("client_ids", String, nullable=False),  # JSON list
    Column("thumbprints", String, nullable=False),  # JSON list
    Column("document", String),  # SAML metadata
    Column("created_at", Number, nullable=False),
    Index(None, "account_id"),
)

login_profiles = table(
    "login_profiles",
    Column("user_id", String, ForeignKey("identities.id"), primary_key=True),
    Column("password_hash", String, nullable=False),  # argon2id
    Column("must_reset", Number, nullable=False),
    Column("created_at", Number, nullable=False),
    Column("failures", Number, nullable=False),  # in a row
    Column("locked_until", Number, nullable=False),
)

mfa_devices = table(
    "mfa_devices",
    Column("serial", String, primary_key=True),  # its ARN
    Column("account_id", String, ForeignKey("accounts.id"), nullable=False),
    Column("user_id", String),  # whose it is: an identity, or the account for its root; NULL until it is enabled
    Column("seed", Bytes, nullable=False),  # sealed under the root key
    Column("created_at", Number, nullable=False),
    Column("enabled_at", Number),
    Column("last_step", Number, nullable=False),  # a code counts once
    Column("failures", Number, nullable=False),
    Column("locked_until", Number, nullable=False),
    Index(None, "user_id"),
    Index(None, "account_id"),
)

# What belongs to an account and is one document: the password policy, the credential report.
account_documents = table(
    "account_documents",
    Column("account_id", String, ForeignKey("accounts.id"), primary_key=True),
    Column("kind", String, primary_key=True),
    Column("document", String, nullable=False),
    Column("updated_at", Number, nullable=False),
)

# What principals did: last-accessed reports and suggested policies come from it. Written in batches, never in a request.
principal_activity = table(
    "principal_activity",
    Column("principal_id", String, primary_key=True),
    Column("action", String, primary_key=True),
    Column("resource", String, primary_key=True),
    Column("account_id", String, nullable=False),
    Column("region", String, nullable=False),
    Column("first_at", Number, nullable=False),
    Column("last_at", Number, nullable=False),
    Column("uses", Number, nullable=False),
)

# Reports that were asked for and are read later (GenerateServiceLastAccessedDetails).
access_reports = table(
    "access_reports",
    Column("id", String, primary_key=True),
    Column("account_id", String, ForeignKey("accounts.id"), nullable=False),
    Column("arn", String, nullable=False),
    Column("granularity", String, nullable=False),
    Column("created_at", Number, nullable=False),
)

# One organization for an installation. Requests for accounts stay, so that their status can be asked.
organizations = table(
    "organizations",
    Column("id", String, primary_key=True),  # o-...
    Column("management_account", String, ForeignKey("accounts.id"), nullable=False),
    Column("root_id", String, nullable=False),  # r-...
    Column("created_at", Number, nullable=False),
)

account_requests = table(
    "account_requests",
    Column("id", String, primary_key=True),  # car-...
    Column("account_name", String, nullable=False),
    Column("email", String, nullable=False),
    Column("state", String, nullable=False),  # IN_PROGRESS, SUCCEEDED, FAILED
    Column("failure", String),
    Column("account_id", String),
    Column("requested_at", Number, nullable=False),
    Column("completed_at", Number),
    Index(None, "requested_at", "id"),
)
