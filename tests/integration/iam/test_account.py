"""The account as a whole: alias, figures, service-linked roles."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import fresh_name
from tests.integration.aws.errors import each, refused
from tests.integration.iam.documents import ADMINISTRATOR, POLICY, TRUST


def test_alias(iam: Any, own: Any) -> None:
    alias, other = fresh_name("alias"), fresh_name("other")
    assert own.list_account_aliases()["AccountAliases"] == []
    own.create_account_alias(AccountAlias=alias)
    own.create_account_alias(AccountAlias=alias)
    assert own.list_account_aliases()["AccountAliases"] == [alias]
    with refused("EntityAlreadyExists", f"The account alias {alias} already exists.", 409):
        iam.create_account_alias(AccountAlias=alias)
    own.create_account_alias(AccountAlias=other)
    assert own.list_account_aliases()["AccountAliases"] == [other]
    with refused("NoSuchEntity", status=404):
        own.delete_account_alias(AccountAlias=alias)
    own.delete_account_alias(AccountAlias=other)
    assert own.list_account_aliases()["AccountAliases"] == []


@pytest.mark.parametrize("alias", ["-ab", "ab-", "a--b", "Abc", "a_b", "a" * 64])
def test_bad_alias(iam: Any, alias: str) -> None:
    with refused("ValidationError"):
        iam.create_account_alias(AccountAlias=alias)


def test_summary(own: Any) -> None:
    before = own.get_account_summary()["SummaryMap"]
    assert (before["Users"], before["UsersQuota"], before["AccountAccessKeysPresent"]) == (0, 5000, 1)
    own.create_user(UserName="u")
    own.create_group(GroupName="g")
    own.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    made = own.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    own.create_policy_version(PolicyArn=made, PolicyDocument=POLICY)
    own.create_instance_profile(InstanceProfileName="i")
    own.create_open_id_connect_provider(Url="https://issuer.example")
    own.create_virtual_mfa_device(VirtualMFADeviceName="d")
    after = own.get_account_summary()["SummaryMap"]
    changed = {key: value for key, value in after.items() if value != before[key]}
    assert changed == {
        "Users": 1,
        "Groups": 1,
        "Roles": 1,
        "Policies": 1,
        "PolicyVersionsInUse": 2,
        "InstanceProfiles": 1,
        "Providers": 1,
        "MFADevices": 1,
    }


def test_service_linked_roles(own: Any) -> None:
    service, name = "replication.ecr.amazonaws.com", "AWSServiceRoleForECRReplication"
    made = own.create_service_linked_role(AWSServiceName=service, Description="mine")["Role"]
    assert (made["RoleName"], made["Path"], made["Description"]) == (name, f"/aws-service-role/{service}/", "mine")
    assert made["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": service}
    (attached,) = own.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert attached["PolicyName"] == "ECRReplicationServiceRolePolicy"
    taken = f"Service role name {name} has been taken in this account, please try a different suffix."
    with refused("InvalidInput", taken):
        own.create_service_linked_role(AWSServiceName=service)
    protected = f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
    for call in each(
        lambda: own.delete_role(RoleName=name),
        lambda: own.attach_role_policy(RoleName=name, PolicyArn=ADMINISTRATOR),
        lambda: own.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"]),
        lambda: own.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=POLICY),
        lambda: own.update_assume_role_policy(RoleName=name, PolicyDocument=TRUST),
        lambda: own.update_role(RoleName=name, MaxSessionDuration=7200),
        lambda: own.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=ADMINISTRATOR),
    ):
        with refused("UnmodifiableEntity", protected):
            call()
    own.update_role_description(RoleName=name, Description="changed")
    own.tag_role(RoleName=name, Tags=[{"Key": "a", "Value": "b"}])
    task = own.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    assert task.startswith(f"task/aws-service-role/{service}/{name}/")
    assert own.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    with refused("NoSuchEntity", status=404):
        own.get_service_linked_role_deletion_status(DeletionTaskId=task + "x")
    with refused("NoSuchEntity", f"The role with name {name} cannot be found.", 404):
        own.get_role(RoleName=name)
    own.create_service_linked_role(AWSServiceName=service)


def test_what_is_no_service_linked_role(own: Any) -> None:
    with refused("InvalidInput"):
        own.create_service_linked_role(AWSServiceName="unknown.amazonaws.com")
    with refused("InvalidInput", "Custom suffix is not allowed for ecr.amazonaws.com"):
        own.create_service_linked_role(AWSServiceName="ecr.amazonaws.com", CustomSuffix="x")
    own.create_role(RoleName="plain", AssumeRolePolicyDocument=TRUST)
    with refused("NoSuchEntity", status=404):
        own.delete_service_linked_role(RoleName="plain")
    for service in ("pullthroughcache.ecr.amazonaws.com", "ecr.amazonaws.com"):
        made = own.create_service_linked_role(AWSServiceName=service)["Role"]
        assert made["Path"] == f"/aws-service-role/{service}/"
        (attached,) = own.list_attached_role_policies(RoleName=made["RoleName"])["AttachedPolicies"]
        assert own.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["AttachmentCount"] == 1
