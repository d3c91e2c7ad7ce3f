"""Quotas of IAM, all defaults of "IAM and AWS STS quotas". Sizes of policies: `moorage.policy.sizes`."""

from __future__ import annotations

IDENTITIES = {"user": 5_000, "group": 300, "role": 1_000}
POLICIES = 1_500
INSTANCE_PROFILES = 1_000
PROVIDERS = 100
VERSIONS_PER_POLICY = 5
ATTACHED_POLICIES = 10
GROUPS_PER_USER = 10
ACCESS_KEYS = 2
TAGS = 50
CLIENT_IDS = 100
THUMBPRINTS = 5
MFA_DEVICES_PER_USER = 8

SESSION_SECONDS_DEFAULT = 3_600
PAGE_DEFAULT = 100

REPORT_FRESH_SECONDS = 4 * 3600
"""A credential report of this age is not made anew."""
REPORT_LIFE_SECONDS = 7 * 24 * 3600
"""Ours for the credential report, IAM's for reports on last accesses: an older one is no longer shown."""
