"""The calls of Terraform's AWS provider, in its order: create, read, plan again, update, delete."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.iam.documents import ADMINISTRATOR, POLICY, TRUST, allowing, text, trusting

TAGS = [{"Key": "Name", "Value": "x"}]


def test_aws_iam_role(iam: Any) -> None:
    name = fresh_name("tf-role")
    iam.create_role(RoleName=name, Path="/", AssumeRolePolicyDocument=TRUST, MaxSessionDuration=3600, Tags=TAGS)
    for _ in range(2):
        role = iam.get_role(RoleName=name)["Role"]
        assert role["AssumeRolePolicyDocument"] == json.loads(TRUST)
        assert role["Tags"] == TAGS
        assert iam.list_role_policies(RoleName=name)["PolicyNames"] == []
        assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    trust = trusting(Service="lambda.amazonaws.com")
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=text(trust))
    iam.update_role_description(RoleName=name, Description="changed")
    iam.update_role(RoleName=name, MaxSessionDuration=7200, Description="changed")
    iam.untag_role(RoleName=name, TagKeys=["Name"])
    iam.tag_role(RoleName=name, Tags=[{"Key": "Other", "Value": "y"}])
    role = iam.get_role(RoleName=name)["Role"]
    assert (role["AssumeRolePolicyDocument"], role["Description"], role["MaxSessionDuration"]) == (trust, "changed", 7200)
    assert iam.list_role_tags(RoleName=name)["Tags"] == [{"Key": "Other", "Value": "y"}]
    assert iam.list_instance_profiles_for_role(RoleName=name)["InstanceProfiles"] == []
    iam.delete_role(RoleName=name)
    with refused("NoSuchEntity", f"The role with name {name} cannot be found.", 404):
        iam.get_role(RoleName=name)


def test_aws_iam_role_policy_and_attachment(iam: Any, role: str) -> None:
    iam.put_role_policy(RoleName=role, PolicyName="inline", PolicyDocument=POLICY)
    assert iam.get_role_policy(RoleName=role, PolicyName="inline")["PolicyDocument"] == json.loads(POLICY)
    made = iam.create_policy(PolicyName=fresh_name("tf"), PolicyDocument=POLICY, Tags=TAGS)["Policy"]
    iam.attach_role_policy(RoleName=role, PolicyArn=made["Arn"])
    assert [each["PolicyArn"] for each in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]] == [made["Arn"]]
    found = iam.get_policy(PolicyArn=made["Arn"])["Policy"]
    version = iam.get_policy_version(PolicyArn=made["Arn"], VersionId=found["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"] == json.loads(POLICY)
    # An update prunes the oldest version when there are five, then makes a new one the default.
    for number in range(6):
        versions = iam.list_policy_versions(PolicyArn=made["Arn"])["Versions"]
        if len(versions) >= 5:
            oldest = min((each for each in versions if not each["IsDefaultVersion"]), key=lambda each: int(each["VersionId"][1:]))
            iam.delete_policy_version(PolicyArn=made["Arn"], VersionId=oldest["VersionId"])
        iam.create_policy_version(PolicyArn=made["Arn"], PolicyDocument=text(allowing(f"ecr:A{number}")), SetAsDefault=True)
    iam.detach_role_policy(RoleName=role, PolicyArn=made["Arn"])
    for version in iam.list_policy_versions(PolicyArn=made["Arn"])["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=made["Arn"], VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=made["Arn"])
    iam.delete_role_policy(RoleName=role, PolicyName="inline")
    iam.delete_role(RoleName=role)


def test_aws_iam_user(iam: Any) -> None:
    """With force_destroy: everything that a user has goes before it."""
    name = fresh_name("tf-user")
    iam.create_user(UserName=name, Path="/", Tags=TAGS)
    assert iam.get_user(UserName=name)["User"]["Tags"] == TAGS
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    assert iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["AccessKeyId"] == key
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=POLICY)
    iam.attach_user_policy(UserName=name, PolicyArn=ADMINISTRATOR)
    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=ADMINISTRATOR)
    iam.update_user(UserName=name, NewUserName=f"{name}-2", NewPath="/x/")
    name = f"{name}-2"
    iam.delete_user_permissions_boundary(UserName=name)
    for each in iam.list_groups_for_user(UserName=name)["Groups"]:
        iam.remove_user_from_group(UserName=name, GroupName=each["GroupName"])
    for each in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=each["AccessKeyId"])
    for each in iam.list_mfa_devices(UserName=name)["MFADevices"]:
        iam.deactivate_mfa_device(UserName=name, SerialNumber=each["SerialNumber"])
    with refused("NoSuchEntity", status=404):
        iam.delete_login_profile(UserName=name)
    for each in iam.list_attached_user_policies(UserName=name)["AttachedPolicies"]:
        iam.detach_user_policy(UserName=name, PolicyArn=each["PolicyArn"])
    for each in iam.list_user_policies(UserName=name)["PolicyNames"]:
        iam.delete_user_policy(UserName=name, PolicyName=each)
    iam.delete_user(UserName=name)


def test_aws_iam_instance_profile(iam: Any, role: str) -> None:
    name = fresh_name("tf-profile")
    iam.create_instance_profile(InstanceProfileName=name, Path="/", Tags=TAGS)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    found = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    assert found["Roles"][0]["RoleName"] == role
    assert iam.get_role(RoleName=role)["Role"]["RoleName"] == role
    # Deleting the role with force_detach_policies asks which profiles hold it.
    for each in iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]:
        iam.remove_role_from_instance_profile(InstanceProfileName=each["InstanceProfileName"], RoleName=role)
    iam.delete_instance_profile(InstanceProfileName=name)


def test_aws_iam_openid_connect_provider(iam: Any) -> None:
    host = f"{fresh_name('tf')}.example/id/1"
    arn = iam.create_open_id_connect_provider(
        Url=f"https://{host}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["a" * 40], Tags=TAGS
    )["OpenIDConnectProviderArn"]
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["Url"], found["Tags"]) == (host, TAGS)
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=arn, ThumbprintList=["b" * 40])
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="other")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID="sts.amazonaws.com")
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=["Name"])
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    assert (found["ClientIDList"], found["ThumbprintList"], found["Tags"]) == (["other"], ["b" * 40], [])
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    with refused("NoSuchEntity", status=404):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)


def test_aws_iam_group_membership(iam: Any, group: str) -> None:
    users = [fresh_name("tf-member") for _ in range(2)]
    for user in users:
        iam.create_user(UserName=user)
        iam.add_user_to_group(GroupName=group, UserName=user)
    assert sorted(each["UserName"] for each in iam.get_group(GroupName=group)["Users"]) == users
    iam.remove_user_from_group(GroupName=group, UserName=users[0])
    iam.delete_user(UserName=users[0])
    assert [each["UserName"] for each in iam.get_group(GroupName=group)["Users"]] == users[1:]
