"""Users who are no administrators: what they may do to themselves, and what keeps them from becoming more."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from moorage.auth.totp import code_at, step_at
from moorage.testing.server import KeyPair, MoorageServer
from tests.integration.access.people import Person, allow, deny, document, fresh
from tests.integration.aws.errors import refused
from tests.integration.iam.documents import ADMINISTRATOR, POLICY, READ_ONLY, TRUST

OWN = "arn:aws:iam::*:user/${aws:username}"


def client(person: Person, service: str = "iam") -> Any:
    """boto3 with the user's key."""
    return person.server.client(service, key=person.key)


def denied(person: Person, action: str, resource: str) -> str:
    """The text of an implicit denial."""
    why = f"because no identity-based policy allows the iam:{action} action"
    return f"User: {person.arn} is not authorized to perform: iam:{action} on resource: {resource} {why}"


@pytest.fixture
def person(server: MoorageServer, account: KeyPair) -> Person:
    return Person(server, account)


def test_by_default_not_even_oneself(person: Person) -> None:
    iam = client(person)
    with refused("AccessDenied", denied(person, "GetUser", person.arn), 403):
        iam.get_user()
    with refused("AccessDenied", denied(person, "ListAccessKeys", person.arn), 403):
        iam.list_access_keys()
    users = f"arn:aws:iam::{person.account.account_id}:user/"
    with refused("AccessDenied", denied(person, "ListUsers", users), 403):
        iam.list_users()
    for name in ("nobody", fresh("free")):
        with refused("AccessDenied", denied(person, "GetUser", users + name), 403):
            iam.get_user(UserName=name)
    assert client(person, "sts").get_caller_identity()["Arn"] == person.arn


def test_keys_of_ones_own(person: Person) -> None:
    person.may(allow("iam:*AccessKey*", "iam:GetUser", resource=OWN))
    iam = client(person)
    assert iam.get_user()["User"]["UserName"] == person.name
    second = iam.create_access_key()["AccessKey"]
    assert second["UserName"] == person.name
    assert len(iam.list_access_keys()["AccessKeyMetadata"]) == 2
    used = iam.get_access_key_last_used(AccessKeyId=person.key.access_key_id)
    assert used["UserName"] == person.name
    other = fresh("other")
    person.iam.create_user(UserName=other)
    with refused("AccessDenied", status=403):
        iam.create_access_key(UserName=other)
    iam.update_access_key(AccessKeyId=person.key.access_key_id, Status="Inactive")
    with refused("InvalidClientTokenId", status=403):
        iam.get_user()


def test_a_password_of_ones_own(person: Person) -> None:
    old, new = "correct Horse 1", "battery Staple 2"
    person.iam.create_login_profile(UserName=person.name, Password=old, PasswordResetRequired=True)
    iam = client(person)
    with refused("AccessDenied", denied(person, "ChangePassword", person.arn), 403):
        iam.change_password(OldPassword=old, NewPassword=new)
    person.may(allow("iam:ChangePassword", resource=OWN))
    with refused("AccessDenied", "The old password was incorrect.", 403):
        iam.change_password(OldPassword="wrong", NewPassword=new)
    with refused("PasswordPolicyViolation"):
        iam.change_password(OldPassword=old, NewPassword="short")
    iam.change_password(OldPassword=old, NewPassword=new)
    assert person.iam.get_login_profile(UserName=person.name)["LoginProfile"]["PasswordResetRequired"] is False
    with refused("AccessDenied", "The old password was incorrect.", 403):
        iam.change_password(OldPassword=old, NewPassword=new)
    for _ in range(4):
        with refused("AccessDenied", status=403):
            iam.change_password(OldPassword="wrong", NewPassword=old)
    with refused("EntityTemporarilyUnmodifiable", status=409):
        iam.change_password(OldPassword=new, NewPassword=old)


def test_the_account_lets_users_change_their_passwords(person: Person) -> None:
    person.iam.create_login_profile(UserName=person.name, Password="correct Horse 1")
    person.iam.update_account_password_policy(AllowUsersToChangePassword=True)
    client(person).change_password(OldPassword="correct Horse 1", NewPassword="simple")
    person.may(deny("iam:ChangePassword"))
    with refused("AccessDenied", status=403):
        client(person).change_password(OldPassword="simple", NewPassword="simpler")


def test_a_device_of_ones_own(person: Person) -> None:
    person.may(
        allow("iam:CreateVirtualMFADevice", resource="arn:aws:iam::*:mfa/${aws:username}"),
        allow("iam:EnableMFADevice", "iam:ListMFADevices", "iam:ResyncMFADevice", resource=OWN),
    )
    iam = client(person)
    with refused("AccessDenied", status=403):
        iam.create_virtual_mfa_device(VirtualMFADeviceName="elses")
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName=person.name)["VirtualMFADevice"]
    seed, step = base64.b32decode(made["Base32StringSeed"]), step_at(time.time())
    codes = {"AuthenticationCode1": code_at(seed, step - 1), "AuthenticationCode2": code_at(seed, step)}
    iam.enable_mfa_device(UserName=person.name, SerialNumber=made["SerialNumber"], **codes)
    assert [each["SerialNumber"] for each in iam.list_mfa_devices()["MFADevices"]] == [made["SerialNumber"]]
    with refused("AccessDenied", status=403):
        iam.deactivate_mfa_device(UserName=person.name, SerialNumber=made["SerialNumber"])


def test_who_makes_users_cannot_make_stronger_ones(person: Person) -> None:
    """The delegated administrator of the IAM guide: users only below a boundary, which it cannot change."""
    boundary = person.iam.create_policy(PolicyName="boundary", PolicyDocument=document(allow("ecr:*")))["Policy"]["Arn"]
    bounded = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": boundary}}}
    person.may(
        allow("iam:CreateUser", "iam:CreateRole", "iam:PutUserPermissionsBoundary", "iam:AttachUserPolicy", **bounded),
        allow("iam:PutUserPolicy", "iam:DetachUserPolicy", "iam:CreateAccessKey", **bounded),
        deny("iam:DeleteUserPermissionsBoundary", "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion"),
    )
    iam, name, free = client(person), fresh("bounded"), fresh("free")
    for arguments in ({}, {"PermissionsBoundary": ADMINISTRATOR}):
        with refused("AccessDenied", status=403):
            iam.create_user(UserName=name, **arguments)
        with refused("AccessDenied", status=403):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, **arguments)
    iam.create_user(UserName=name, PermissionsBoundary=boundary)
    iam.attach_user_policy(UserName=name, PolicyArn=ADMINISTRATOR)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=POLICY)
    with refused("AccessDenied", status=403):
        iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=ADMINISTRATOR)
    with refused("AccessDenied", status=403):
        iam.delete_user_permissions_boundary(UserName=name)
    with refused("AccessDenied", status=403):
        iam.create_policy_version(PolicyArn=boundary, PolicyDocument=document(allow("*")), SetAsDefault=True)
    person.iam.create_user(UserName=free)
    for call, arguments in (
        (iam.attach_user_policy, {"PolicyArn": ADMINISTRATOR}),
        (iam.put_user_policy, {"PolicyName": "p", "PolicyDocument": POLICY}),
        (iam.create_access_key, {}),
    ):
        with refused("AccessDenied", status=403):
            call(UserName=free, **arguments)


def test_only_some_policies_may_be_attached(person: Person) -> None:
    only = {"Condition": {"ArnEquals": {"iam:PolicyARN": READ_ONLY}}}
    person.may(allow("iam:AttachUserPolicy", "iam:DetachUserPolicy", **only))
    iam = client(person)
    iam.attach_user_policy(UserName=person.name, PolicyArn=READ_ONLY)
    with refused("AccessDenied", status=403):
        iam.attach_user_policy(UserName=person.name, PolicyArn=ADMINISTRATOR)
    iam.detach_user_policy(UserName=person.name, PolicyArn=READ_ONLY)


def test_tags_decide(person: Person) -> None:
    mine = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}}}
    person.may(
        allow("iam:UpdateRole", "iam:GetRole", **mine),
        allow("iam:CreateRole", Condition={"StringEquals": {"aws:RequestTag/team": "red"}}),
        allow("iam:TagRole", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}),
    )
    iam, red, blue = client(person), fresh("red"), fresh("blue")
    person.iam.create_role(RoleName=blue, AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "team", "Value": "blue"}])
    iam.create_role(RoleName=red, AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "team", "Value": "red"}])
    iam.update_role(RoleName=red, Description="mine")
    with refused("AccessDenied", status=403):
        iam.update_role(RoleName=blue, Description="mine")
    with refused("AccessDenied", status=403):
        iam.create_role(RoleName=fresh("x"), AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "team", "Value": "blue"}])
    extra = [{"Key": "team", "Value": "red"}, {"Key": "other", "Value": ""}]
    with refused("AccessDenied", status=403):
        iam.create_role(RoleName=fresh("x"), AssumeRolePolicyDocument=TRUST, Tags=extra)


def test_roles_are_passed_only_with_the_right_to(person: Person) -> None:
    person.may(allow("iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile"))
    iam, name = client(person), fresh("profile")
    role = person.iam.create_role(RoleName=fresh("role"), AssumeRolePolicyDocument=TRUST)["Role"]
    iam.create_instance_profile(InstanceProfileName=name)
    with refused("AccessDenied", denied(person, "PassRole", role["Arn"]), 403):
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])
    to_machines = {"Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}}
    person.may(allow("iam:PassRole", resource=role["Arn"], **to_machines), name="pass")
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role["RoleName"])


def test_a_user_that_is_gone_is_gone(person: Person) -> None:
    person.may(allow("iam:GetUser"))
    iam = client(person)
    assert iam.get_user()["User"]["UserId"] == person.id
    person.iam.delete_access_key(UserName=person.name, AccessKeyId=person.key.access_key_id)
    person.iam.delete_user_policy(UserName=person.name, PolicyName="own")
    person.iam.delete_user(UserName=person.name)
    with refused("InvalidClientTokenId", status=403):
        iam.get_user()


def test_a_rename_shows_at_once(person: Person) -> None:
    person.may(allow("iam:GetUser", resource=OWN))
    name = fresh("renamed")
    person.iam.update_user(UserName=person.name, NewUserName=name)
    assert client(person).get_user()["User"]["UserName"] == name
    assert client(person, "sts").get_caller_identity()["Arn"].endswith(f"/{name}")
