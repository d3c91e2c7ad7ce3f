"""The account as a whole: its alias and its figures. Source: the operations ...AccountAlias... and GetAccountSummary of IAM."""

from __future__ import annotations

from moorage.metadata.identity import (
    account_facts,
    credentials,
    identities,
    instance_profiles,
    managed_policies,
    mfa_devices,
    providers,
)
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits as limits
from moorage.model.identity_errors import EntityExists, EntityNotFound
from moorage.model.principal import Caller
from moorage.operations.identity.authorized import permit
from moorage.policy import sizes
from moorage.policy.document import Kind

_ALIAS = "account alias"


def create_account_alias(tx: Transaction, caller: Caller, alias: str) -> None:
    """Name the account; an earlier name goes. Raises EntityExists: another account has it."""
    permit(tx, caller, "CreateAccountAlias", "*")
    identities.touch(tx, caller.account_id)
    if account_facts.find_by_alias(tx, alias) not in {None, caller.account_id}:
        raise EntityExists(_ALIAS, alias)
    account_facts.set_alias(tx, caller.account_id, alias)


def list_account_aliases(tx: ReadTransaction, caller: Caller) -> list[str]:
    """The account's name, if it has one."""
    permit(tx, caller, "ListAccountAliases", "*")
    alias = account_facts.alias_of(tx, caller.account_id)
    return [alias] if alias is not None else []


def delete_account_alias(tx: Transaction, caller: Caller, alias: str) -> None:
    """Take the account's name away. Raises EntityNotFound if it has another one or none."""
    permit(tx, caller, "DeleteAccountAlias", "*")
    identities.touch(tx, caller.account_id)
    if account_facts.alias_of(tx, caller.account_id) != alias:
        raise EntityNotFound(_ALIAS, alias)
    account_facts.set_alias(tx, caller.account_id, None)


def get_account_summary(tx: ReadTransaction, caller: Caller) -> dict[str, int]:
    """How much of what the account has, and its quotas."""
    permit(tx, caller, "GetAccountSummary", "*")
    account = caller.account_id
    people = identities.counts(tx, account)
    with_device = mfa_devices.users_with_device(tx, account)
    return {
        "Users": people.get("user", 0),
        "UsersQuota": limits.IDENTITIES["user"],
        "Groups": people.get("group", 0),
        "GroupsQuota": limits.IDENTITIES["group"],
        "Roles": people.get("role", 0),
        "RolesQuota": limits.IDENTITIES["role"],
        "Policies": managed_policies.count_in(tx, account),
        "PoliciesQuota": limits.POLICIES,
        "PolicyVersionsInUse": managed_policies.count_versions(tx, account),
        "PolicyVersionsInUseQuota": limits.POLICIES * limits.VERSIONS_PER_POLICY,
        "VersionsPerPolicyQuota": limits.VERSIONS_PER_POLICY,
        "PolicySizeQuota": sizes.MANAGED,
        "AssumeRolePolicySizeQuota": sizes.size_limit(Kind.TRUST),
        "UserPolicySizeQuota": sizes.INLINE_OF_USER,
        "GroupPolicySizeQuota": sizes.INLINE_OF_GROUP,
        "RolePolicySizeQuota": sizes.INLINE_OF_ROLE,
        "AttachedPoliciesPerUserQuota": limits.ATTACHED_POLICIES,
        "AttachedPoliciesPerGroupQuota": limits.ATTACHED_POLICIES,
        "AttachedPoliciesPerRoleQuota": limits.ATTACHED_POLICIES,
        "GroupsPerUserQuota": limits.GROUPS_PER_USER,
        "AccessKeysPerUserQuota": limits.ACCESS_KEYS,
        "InstanceProfiles": instance_profiles.count_in(tx, account),
        "InstanceProfilesQuota": limits.INSTANCE_PROFILES,
        "Providers": sum(providers.counts(tx, account).values()),
        "MFADevices": mfa_devices.count_in(tx, account),
        "MFADevicesInUse": mfa_devices.count_assigned(tx, account),
        "AccountMFAEnabled": int(account in with_device),
        "AccountAccessKeysPresent": int(credentials.count_keys(tx, account) > 0),
        "AccountPasswordPresent": 0,
        "AccountSigningCertificatesPresent": 0,
        "ServerCertificates": 0,
        "ServerCertificatesQuota": 0,
        "SigningCertificatesPerUserQuota": 0,
        "GlobalEndpointTokenVersion": 2,
    }
