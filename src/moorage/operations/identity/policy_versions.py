"""Versions of managed policies. Source: the operations of the same names of IAM."""

from __future__ import annotations

import re

from moorage.metadata.identity import managed_policies
from moorage.metadata.identity.records import ManagedPolicy, PolicyVersion
from moorage.metadata.transaction import ReadTransaction, Transaction
from moorage.model import identity_limits
from moorage.model.errors import LimitExceeded
from moorage.model.identity_errors import DeleteConflict, EntityNotFound
from moorage.model.principal import Caller
from moorage.operations.identity import aws_managed
from moorage.operations.identity.documents import check_managed
from moorage.operations.identity.managed_policies import changing_policy, policy_for
from moorage.operations.identity.paging import Key, Page, cut

_VERSION = re.compile(r"v([1-9][0-9]{0,8})", re.ASCII)


def create_policy_version(
    tx: Transaction, caller: Caller, arn: str, document: str, *, set_as_default: bool
) -> tuple[PolicyVersion, bool]:
    """Add a version; return it, and whether it counts. Its number is one that no version of this policy had before.

    Raises:
        EntityNotFound, InputInvalid, LimitExceeded, MalformedPolicy, Unmodifiable
    """
    policy = changing_policy(tx, caller, "CreatePolicyVersion", arn)
    check_managed(document)
    if len(managed_policies.versions_of(tx, policy)) >= identity_limits.VERSIONS_PER_POLICY:
        raise LimitExceeded(
            f"A managed policy can have up to {identity_limits.VERSIONS_PER_POLICY} versions. Before you create a new version, "
            "you must delete an existing version."
        )
    number = policy.newest_version + 1
    managed_policies.insert_version(tx, policy, number, document)
    managed_policies.set_versions(tx, policy, number if set_as_default else policy.default_version, number)
    return PolicyVersion(number, document, tx.now), set_as_default


def get_policy_version(tx: ReadTransaction, caller: Caller, arn: str, version_id: str) -> tuple[PolicyVersion, bool]:
    """A version, and whether it is the one that counts. Raises EntityNotFound, InputInvalid."""
    policy = policy_for(tx, caller, "GetPolicyVersion", arn)
    version = _version(tx, policy, version_id)
    return version, version.version == policy.default_version


def list_policy_versions(
    tx: ReadTransaction, caller: Caller, arn: str, after: Key, count: int
) -> tuple[int, Page[PolicyVersion]]:
    """The number of the version that counts, and all versions, newest first. Raises EntityNotFound, InputInvalid."""
    policy = policy_for(tx, caller, "ListPolicyVersions", arn)
    return policy.default_version, cut(_versions(tx, policy), after, count, lambda version: [-version.version])


def set_default_policy_version(tx: Transaction, caller: Caller, arn: str, version_id: str) -> None:
    """Choose the version that counts, from the next request on. Raises EntityNotFound, InputInvalid, Unmodifiable."""
    policy = changing_policy(tx, caller, "SetDefaultPolicyVersion", arn)
    managed_policies.set_versions(tx, policy, _version(tx, policy, version_id).version, policy.newest_version)


def delete_policy_version(tx: Transaction, caller: Caller, arn: str, version_id: str) -> None:
    """Delete a version that does not count. Raises EntityNotFound, InputInvalid, DeleteConflict, Unmodifiable."""
    policy = changing_policy(tx, caller, "DeletePolicyVersion", arn)
    version = _version(tx, policy, version_id)
    if version.version == policy.default_version:
        raise DeleteConflict("Cannot delete the default version of a policy.")
    managed_policies.delete_version(tx, policy, version.version)


def _versions(tx: ReadTransaction, policy: ManagedPolicy) -> list[PolicyVersion]:
    of_aws = aws_managed.find(policy.arn)
    return [of_aws.version] if of_aws is not None else managed_policies.versions_of(tx, policy)


def _version(tx: ReadTransaction, policy: ManagedPolicy, version_id: str) -> PolicyVersion:
    number = _VERSION.fullmatch(version_id)
    for version in _versions(tx, policy):
        if number is not None and version.version == int(number[1]):
            return version
    raise EntityNotFound("policy version", policy.arn, version_id)
