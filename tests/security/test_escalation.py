"""Attempts of somebody with few rights in IAM to get more: each test's name says what was tried."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import Person, allow, deny, document
from tests.integration.aws.errors import each, refused

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
READ = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
EVERYTHING = document(allow("*"))


@pytest.fixture
def root(server: MoorageServer, account: KeyPair) -> Any:
    """IAM as the account's root."""
    return server.client("iam", key=account)


def iam_of(person: Person) -> Any:
    return person.server.client("iam", key=person.key)


def may_create_repositories(person: Person) -> bool:
    """What nobody here was given: whether the attempt was worth it."""
    try:
        person.ecr.create_repository(repositoryName=fresh_name("loot"))
    except person.ecr.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDeniedException"
        return False
    return True


def test_any_change_of_oneself_without_the_right(server: MoorageServer, account: KeyPair, root: Any) -> None:
    admin = Person(server, account, allow("*"))
    root.create_login_profile(UserName=admin.name, Password="long-Enough-2-be-good")
    person = Person(server, account, allow("ecr:GetAuthorizationToken"), allow("iam:Get*", "iam:List*"))
    group = fresh_name("group")
    root.create_group(GroupName=group)
    root.attach_group_policy(GroupName=group, PolicyArn=ADMIN)
    iam, me = iam_of(person), person.name
    attempts: dict[str, Callable[[], Any]] = {
        "attach": lambda: iam.attach_user_policy(UserName=me, PolicyArn=ADMIN),
        "put": lambda: iam.put_user_policy(UserName=me, PolicyName="x", PolicyDocument=EVERYTHING),
        "join": lambda: iam.add_user_to_group(GroupName=group, UserName=me),
        "attach to group": lambda: iam.attach_group_policy(GroupName=group, PolicyArn=ADMIN),
        "put on group": lambda: iam.put_group_policy(GroupName=group, PolicyName="x", PolicyDocument=EVERYTHING),
        "key of another": lambda: iam.create_access_key(UserName=admin.name),
        "key of oneself": iam.create_access_key,
        "key of root": lambda: iam.create_access_key(UserName="root"),
        "enable a key": lambda: iam.update_access_key(
            UserName=admin.name, AccessKeyId=admin.key.access_key_id, Status="Inactive"
        ),
        "password of admin": lambda: iam.update_login_profile(UserName=admin.name, Password="another-Good-1-here"),
        "password of one without": lambda: iam.create_login_profile(UserName=me, Password="another-Good-1-here"),
        "rename": lambda: iam.update_user(UserName=me, NewUserName=fresh_name("admin")),
        "path": lambda: iam.update_user(UserName=me, NewPath="/admins/"),
        "delete admin": lambda: iam.delete_user(UserName=admin.name),
        "tag": lambda: iam.tag_user(UserName=me, Tags=[{"Key": "role", "Value": "admin"}]),
        "user": lambda: iam.create_user(UserName=fresh_name("new")),
        "role": lambda: iam.create_role(RoleName=fresh_name("new"), AssumeRolePolicyDocument=EVERYTHING),
        "policy": lambda: iam.create_policy(PolicyName=fresh_name("new"), PolicyDocument=EVERYTHING),
        "provider": lambda: iam.create_open_id_connect_provider(Url="https://evil.example"),
        "boundary": lambda: iam.delete_user_permissions_boundary(UserName=me),
        "password rules": lambda: iam.update_account_password_policy(MinimumPasswordLength=6),
        "alias": lambda: iam.create_account_alias(AccountAlias="mine-now"),
    }
    for name, attempt in attempts.items():
        with refused("AccessDenied", status=403) as answer:
            attempt()
        assert f"User: {person.arn} is not authorized to perform: iam:" in answer["Error"]["Message"], name
    assert not may_create_repositories(person)


def test_attaching_another_policy_than_the_one_that_may_be_attached(server: MoorageServer, account: KeyPair, root: Any) -> None:
    person = Person(server, account)
    condition = {"ArnEquals": {"iam:PolicyARN": READ}}
    person.may(allow("iam:AttachUserPolicy", "iam:DetachUserPolicy", resource=person.arn, Condition=condition))
    iam = iam_of(person)
    for arn in (ADMIN, ADMIN.replace("aws:policy", "aws:policy/"), f"{ADMIN}?", ADMIN.lower()):
        with refused("AccessDenied", status=403):
            iam.attach_user_policy(UserName=person.name, PolicyArn=arn)
    iam.attach_user_policy(UserName=person.name, PolicyArn=READ)
    with refused("AccessDenied", status=403):
        iam.attach_role_policy(RoleName="any", PolicyArn=READ)
    assert not may_create_repositories(person)


def test_a_policys_versions_swapped(server: MoorageServer, account: KeyPair, root: Any) -> None:
    """CreatePolicyVersion with SetAsDefault, and SetDefaultPolicyVersion to an older wider one."""
    made = root.create_policy(PolicyName=fresh_name("policy"), PolicyDocument=EVERYTHING)["Policy"]["Arn"]
    root.create_policy_version(PolicyArn=made, PolicyDocument=document(allow("ecr:GetAuthorizationToken")), SetAsDefault=True)
    person = Person(server, account, allow("iam:Get*", "iam:List*"))
    root.attach_user_policy(UserName=person.name, PolicyArn=made)
    iam = iam_of(person)
    for attempt in each(
        lambda: iam.create_policy_version(PolicyArn=made, PolicyDocument=EVERYTHING, SetAsDefault=True),
        lambda: iam.create_policy_version(PolicyArn=made, PolicyDocument=EVERYTHING),
        lambda: iam.set_default_policy_version(PolicyArn=made, VersionId="v1"),
        lambda: iam.delete_policy_version(PolicyArn=made, VersionId="v1"),
        lambda: iam.delete_policy(PolicyArn=made),
    ):
        with refused("AccessDenied", status=403):
            attempt()
    # Who may add versions may not choose one; who may choose one is limited by what others have left there.
    person.may(allow("iam:CreatePolicyVersion"))
    iam.create_policy_version(PolicyArn=made, PolicyDocument=EVERYTHING)
    assert not may_create_repositories(person)
    with refused("AccessDenied", status=403):
        iam.set_default_policy_version(PolicyArn=made, VersionId="v1")
    assert not may_create_repositories(person)
    aws = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    person.may(allow("iam:*"))
    for attempt in each(
        lambda: iam.create_policy_version(PolicyArn=aws, PolicyDocument=EVERYTHING, SetAsDefault=True),
        lambda: iam.delete_policy(PolicyArn=aws),
    ):
        with refused("UnmodifiableEntity"):
            attempt()


def test_ones_own_boundary_removed_or_replaced(server: MoorageServer, account: KeyPair, root: Any) -> None:
    limits = document(
        allow("ecr:GetAuthorizationToken", "iam:*"),
        deny("iam:DeleteUserPermissionsBoundary", "iam:PutUserPermissionsBoundary", "iam:CreatePolicyVersion"),
    )
    boundary = root.create_policy(PolicyName=fresh_name("limits"), PolicyDocument=limits)["Policy"]["Arn"]
    person = Person(server, account, allow("*"))
    root.put_user_permissions_boundary(UserName=person.name, PermissionsBoundary=boundary)
    iam = iam_of(person)
    for attempt in each(
        lambda: iam.delete_user_permissions_boundary(UserName=person.name),
        lambda: iam.put_user_permissions_boundary(UserName=person.name, PermissionsBoundary=ADMIN),
        lambda: iam.put_user_permissions_boundary(UserName=person.name.upper(), PermissionsBoundary=ADMIN),
        lambda: iam.create_policy_version(PolicyArn=boundary, PolicyDocument=EVERYTHING, SetAsDefault=True),
    ):
        with refused("AccessDenied", status=403) as answer:
            attempt()
        assert "with an explicit deny in a permissions boundary" in answer["Error"]["Message"]
    with refused("DeleteConflict", status=409):
        iam.delete_policy(PolicyArn=boundary)
    iam.attach_user_policy(UserName=person.name, PolicyArn=ADMIN)  # what is beyond the boundary helps nobody
    assert not may_create_repositories(person)


def test_users_and_roles_without_the_boundary_that_they_must_have(server: MoorageServer, account: KeyPair, root: Any) -> None:
    limits = root.create_policy(PolicyName=fresh_name("limits"), PolicyDocument=document(allow("ecr:*")))["Policy"]["Arn"]
    bounded = {"StringEquals": {"iam:PermissionsBoundary": limits}}
    person = Person(
        server,
        account,
        allow("iam:CreateUser", "iam:CreateRole", "iam:AttachUserPolicy", "iam:PutUserPolicy", Condition=bounded),
        allow("iam:CreateAccessKey", "iam:UpdateUser"),
    )
    iam, trust = iam_of(person), document({"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "sts:AssumeRole"})
    for attempt in each(
        lambda: iam.create_user(UserName=fresh_name("new")),
        lambda: iam.create_user(UserName=fresh_name("new"), PermissionsBoundary=ADMIN),
        lambda: iam.create_role(RoleName=fresh_name("new"), AssumeRolePolicyDocument=trust),
        lambda: iam.create_role(RoleName=fresh_name("new"), AssumeRolePolicyDocument=trust, PermissionsBoundary=ADMIN),
        lambda: iam.attach_user_policy(UserName=person.name, PolicyArn=ADMIN),  # who has no boundary
        lambda: iam.put_user_policy(UserName=person.name, PolicyName="x", PolicyDocument=EVERYTHING),
        lambda: iam.create_user(UserName=fresh_name("new"), PermissionsBoundary=limits, Tags=[{"Key": "a", "Value": "b"}]),
    ):
        with refused("AccessDenied", status=403):
            attempt()
    created = fresh_name("new")
    iam.create_user(UserName=created, PermissionsBoundary=limits)
    iam.attach_user_policy(UserName=created, PolicyArn=ADMIN)
    with refused("AccessDenied", status=403):
        iam.delete_user_permissions_boundary(UserName=created)
    key = iam.create_access_key(UserName=created)["AccessKey"]
    theirs = server.client("iam", key=KeyPair(account.account_id, key["AccessKeyId"], key["SecretAccessKey"]))
    with refused("AccessDenied", status=403):
        theirs.list_users()


def test_letting_oneself_into_a_role(server: MoorageServer, account: KeyPair, root: Any) -> None:
    name = fresh_name("admins")
    nobody = document({"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"})
    role = root.create_role(RoleName=name, AssumeRolePolicyDocument=nobody)["Role"]["Arn"]
    root.attach_role_policy(RoleName=name, PolicyArn=ADMIN)
    person = Person(server, account, allow("sts:AssumeRole"), allow("iam:UpdateRole", "iam:UpdateRoleDescription"))
    mine = document({"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "sts:AssumeRole"})
    iam, sts = iam_of(person), server.client("sts", key=person.key)
    with refused("AccessDenied", status=403):
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=mine)
    iam.update_role(RoleName=name, Description=mine)
    with refused("AccessDenied", status=403):
        iam.put_role_policy(RoleName=name, PolicyName="x", PolicyDocument=EVERYTHING)
    with refused("AccessDenied", status=403):
        sts.assume_role(RoleArn=role, RoleSessionName="me")


def test_passing_a_role_to_a_machine_without_pass_role(server: MoorageServer, account: KeyPair, root: Any) -> None:
    powerful, humble, profile = fresh_name("admins"), fresh_name("humble"), fresh_name("profile")
    trust = document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
    for name in (powerful, humble):
        root.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    root.create_instance_profile(InstanceProfileName=profile)
    person = Person(server, account, allow("iam:AddRoleToInstanceProfile"))
    iam = iam_of(person)
    with refused("AccessDenied", status=403) as answer:
        iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=powerful)
    assert "iam:PassRole" in answer["Error"]["Message"]
    humble_arn = root.get_role(RoleName=humble)["Role"]["Arn"]
    elsewhere = {"StringEquals": {"iam:PassedToService": "ecs.amazonaws.com"}}
    person.may(allow("iam:AddRoleToInstanceProfile"), allow("iam:PassRole", resource=humble_arn, Condition=elsewhere))
    for name in (powerful, humble):
        with refused("AccessDenied", status=403):
            iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=name)
    person.may(allow("iam:AddRoleToInstanceProfile"), allow("iam:PassRole", resource=humble_arn))
    with refused("AccessDenied", status=403):
        iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=powerful)
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=humble)


def test_the_second_factor_of_somebody_taken_away(server: MoorageServer, account: KeyPair, root: Any) -> None:
    admin, person = Person(server, account, allow("*")), Person(server, account)
    own = f"arn:aws:iam::{account.account_id}:mfa/{admin.name}"
    root.create_virtual_mfa_device(VirtualMFADeviceName=admin.name)
    person.may(allow("iam:*MFADevice", resource=[person.arn, f"arn:aws:iam::{account.account_id}:mfa/{person.name}"]))
    iam = iam_of(person)
    for attempt in each(
        lambda: iam.deactivate_mfa_device(UserName=admin.name, SerialNumber=own),
        lambda: iam.delete_virtual_mfa_device(SerialNumber=own),
        lambda: iam.resync_mfa_device(
            UserName=admin.name, SerialNumber=own, AuthenticationCode1="000000", AuthenticationCode2="000000"
        ),
        lambda: iam.enable_mfa_device(
            UserName=admin.name, SerialNumber=own, AuthenticationCode1="000000", AuthenticationCode2="000000"
        ),
    ):
        with refused("AccessDenied", status=403):
            attempt()


def test_tags_set_on_oneself_to_match_a_condition(server: MoorageServer, account: KeyPair, root: Any) -> None:
    by_tag = allow("ecr:CreateRepository", Condition={"StringEquals": {"aws:PrincipalTag/role": "admin"}})
    person = Person(server, account, by_tag)
    iam = iam_of(person)
    assert not may_create_repositories(person)
    with refused("AccessDenied", status=403):
        iam.tag_user(UserName=person.name, Tags=[{"Key": "role", "Value": "admin"}])
    harmless = {"ForAllValues:StringEquals": {"aws:TagKeys": ["nick"]}, "Null": {"aws:TagKeys": "false"}}
    person.may(by_tag, allow("iam:TagUser", "iam:UntagUser", resource=person.arn, Condition=harmless))
    iam.tag_user(UserName=person.name, Tags=[{"Key": "nick", "Value": "admin"}])
    for tags in (
        [{"Key": "role", "Value": "admin"}],
        [{"Key": "nick", "Value": "a"}, {"Key": "role", "Value": "admin"}],
        [{"Key": "Role", "Value": "admin"}],
    ):
        with refused("AccessDenied", status=403):
            iam.tag_user(UserName=person.name, Tags=tags)
    assert not may_create_repositories(person)
    # A second tag whose key differs in case must not outvote the first one.
    root.tag_user(UserName=person.name, Tags=[{"Key": "role", "Value": "guest"}])
    root.tag_user(UserName=person.name, Tags=[{"Key": "ROLE", "Value": "admin"}])
    kept = {tag["Key"].lower(): tag["Value"] for tag in root.list_user_tags(UserName=person.name)["Tags"]}
    assert len(root.list_user_tags(UserName=person.name)["Tags"]) == len(kept)


def test_a_path_that_looks_like_a_group_or_another_name(server: MoorageServer, account: KeyPair, root: Any) -> None:
    """Rights on ``user/admins/*`` are about paths, not about members; names in paths are nobody's names."""
    admin = Person(server, account, allow("*"))
    team = f"arn:aws:iam::{account.account_id}:user/team/*"
    person = Person(server, account, allow("iam:*AccessKey*", "iam:UpdateUser", "iam:CreateUser", resource=team))
    iam = iam_of(person)
    with refused("AccessDenied", status=403):
        iam.create_access_key(UserName=admin.name)
    with refused("AccessDenied", status=403):  # moving somebody else into one's own reach
        iam.update_user(UserName=admin.name, NewPath="/team/")
    iam.create_user(UserName=fresh_name("mate"), Path="/team/")
    with refused("AccessDenied", status=403):
        iam.create_user(UserName=fresh_name("mate"), Path="/other/team/")
    climbing = iam.create_user(UserName=fresh_name("mate"), Path="/team/../")["User"]  # to the letter, below /team/
    assert "/team/../" in climbing["Arn"]
    mate = fresh_name("mate")
    iam.create_user(UserName=mate, Path="/team/")
    with refused("AccessDenied", status=403):  # and out of it
        iam.update_user(UserName=mate, NewPath="/")


def test_the_name_of_somebody_who_is_gone(server: MoorageServer, account: KeyPair, root: Any) -> None:
    """Trust policies and grants are bound to ids: a new user of the old name is a stranger."""
    person, name = Person(server, account), fresh_name("role")
    trust = document({"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "sts:AssumeRole"})
    role = root.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    server.client("sts", key=person.key).assume_role(RoleArn=role, RoleSessionName="me")
    repository = fresh_name("repo")
    ecr = server.client(key=account)
    ecr.create_repository(repositoryName=repository)
    granting = {"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "ecr:ListImages"}
    ecr.set_repository_policy(repositoryName=repository, policyText=document(granting))
    person.ecr.list_images(repositoryName=repository)
    root.delete_access_key(UserName=person.name, AccessKeyId=person.key.access_key_id)
    root.delete_user(UserName=person.name)
    assert root.create_user(UserName=person.name)["User"]["Arn"] == person.arn
    key = root.create_access_key(UserName=person.name)["AccessKey"]
    heir = KeyPair(account.account_id, key["AccessKeyId"], key["SecretAccessKey"])
    with refused("AccessDenied", status=403):
        server.client("sts", key=heir).assume_role(RoleArn=role, RoleSessionName="me")
    with refused("AccessDeniedException"):
        server.client(key=heir).list_images(repositoryName=repository)
    shown = json.loads(ecr.get_repository_policy(repositoryName=repository)["policyText"])
    assert shown["Statement"][0]["Principal"]["AWS"] == person.id


@pytest.mark.parametrize("change", ["name", "path"])
def test_another_name_to_get_out_of_a_deny(server: MoorageServer, account: KeyPair, root: Any, change: str) -> None:
    """A policy that names a user means that user, under whatever name it goes later: its Denies and its Allows stay."""
    person, other = Person(server, account, allow("ecr:*", "iam:UpdateUser", "sts:*")), Person(server, account)
    repository, ecr = fresh_name("repo"), server.client(key=account)
    ecr.create_repository(repositoryName=repository)
    denying = {"Effect": "Deny", "Principal": {"AWS": person.arn}, "Action": "ecr:ListImages"}
    granting = {"Effect": "Allow", "Principal": {"AWS": [person.arn, other.arn]}, "Action": "ecr:DescribeImages"}
    ecr.set_repository_policy(repositoryName=repository, policyText=document(denying, granting))
    role, name = fresh_name("role"), fresh_name("renamed")
    trust = document(
        {"Effect": "Allow", "Principal": {"AWS": account.account_id}, "Action": "sts:AssumeRole"},
        {"Effect": "Deny", "Principal": {"AWS": person.arn}, "Action": "sts:AssumeRole"},
    )
    arn = root.create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    with refused("AccessDeniedException"):
        person.ecr.list_images(repositoryName=repository)
    iam_of(person).update_user(
        UserName=person.name, **({"NewUserName": name} if change == "name" else {"NewPath": "/elsewhere/"})
    )
    with refused("AccessDeniedException"):
        person.ecr.list_images(repositoryName=repository)
    person.ecr.describe_images(repositoryName=repository)
    with refused("AccessDenied", status=403):
        server.client("sts", key=person.key).assume_role(RoleArn=arn, RoleSessionName="me")
    now = root.get_user(UserName=name if change == "name" else person.name)["User"]["Arn"]
    shown = json.loads(ecr.get_repository_policy(repositoryName=repository)["policyText"])["Statement"]
    assert (shown[0]["Principal"]["AWS"], shown[1]["Principal"]["AWS"]) == (now, [now, other.arn])
    if change == "name":  # who takes the old name is not meant
        root.create_user(UserName=person.name)
        key = root.create_access_key(UserName=person.name)["AccessKey"]
        heir = server.client(key=KeyPair(account.account_id, key["AccessKeyId"], key["SecretAccessKey"]))
        with refused("AccessDeniedException") as answer:
            heir.describe_images(repositoryName=repository)
        assert "no identity-based policy" in answer["Error"]["Message"]


def test_policies_of_another_account_put_on_oneself(
    server: MoorageServer, account: KeyPair, stranger: KeyPair, root: Any
) -> None:
    theirs = server.client("iam", key=stranger).create_policy(PolicyName=fresh_name("wide"), PolicyDocument=EVERYTHING)
    wide, none = theirs["Policy"]["Arn"], f"arn:aws:iam::{stranger.account_id}:policy/none"
    person = Person(server, account, allow("iam:*"))
    iam = iam_of(person)
    for call in (iam.attach_user_policy, iam.put_user_permissions_boundary, iam.get_policy, iam.delete_policy):
        texts = []
        for arn in (wide, none):
            given = {"PermissionsBoundary" if call == iam.put_user_permissions_boundary else "PolicyArn": arn}
            if call in {iam.attach_user_policy, iam.put_user_permissions_boundary}:
                given["UserName"] = person.name
            with refused("NoSuchEntity", status=404) as answer:
                call(**given)
            texts.append(answer["Error"]["Message"].replace(arn, ""))
        assert texts[0] == texts[1]
    assert not may_create_repositories(person)


def test_accounts_made_by_somebody_who_is_not_the_management_account(server: MoorageServer, stranger: KeyPair) -> None:
    theirs = server.client("organizations", key=stranger)
    for call in each(
        lambda: theirs.create_account(AccountName="mine", Email=f"{fresh_name('m')}@example.com"),
        theirs.list_accounts,
        lambda: theirs.close_account(AccountId="000000000000"),
        lambda: theirs.describe_account(AccountId="000000000000"),
    ):
        with pytest.raises(theirs.exceptions.ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] in {
            "AccessDeniedException",
            "AWSOrganizationsNotInUseException",
            "UnknownOperationException",
        }
