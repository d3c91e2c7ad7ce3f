"""Managed policies and their versions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import fresh_name
from tests.integration.aws.errors import each, refused
from tests.integration.iam.documents import ADMINISTRATOR, POLICY, READ_ONLY, allowing, arn, of_size, text

VERSIONS = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version."
MORE = (
    "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default "
    "version is deleted with the policy."
)


@pytest.fixture
def policy(iam: Any) -> str:
    return str(iam.create_policy(PolicyName=fresh_name("policy"), PolicyDocument=POLICY)["Policy"]["Arn"])


def test_create(iam: Any) -> None:
    name = fresh_name("Policy")
    made = iam.create_policy(
        PolicyName=name, Path="/a/", PolicyDocument=POLICY, Description="reads", Tags=[{"Key": "k", "Value": "v"}]
    )["Policy"]
    assert made["PolicyId"].startswith("ANPA")
    assert made == {
        "PolicyName": name,
        "PolicyId": made["PolicyId"],
        "Arn": arn("policy", f"a/{name}"),
        "Path": "/a/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 0,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "Description": "reads",
        "CreateDate": made["CreateDate"],
        "UpdateDate": made["CreateDate"],
        "Tags": [{"Key": "k", "Value": "v"}],
    }
    assert iam.get_policy(PolicyArn=made["Arn"])["Policy"] == made
    with refused("EntityAlreadyExists", f"A policy called {name.upper()} already exists. Duplicate names are not allowed.", 409):
        iam.create_policy(PolicyName=name.upper(), PolicyDocument=POLICY)


def test_the_document_comes_back_as_it_was_given(iam: Any) -> None:
    document = '{ "Version":"2012-10-17",\n\t"Statement":[{"Sid":"A1","Effect":"Allow","Action":"ecr:*","Resource":"*"}] }'
    made = iam.create_policy(PolicyName=fresh_name("p"), PolicyDocument=document)["Policy"]["Arn"]
    version = iam.get_policy_version(PolicyArn=made, VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(document)


def test_sizes_do_not_count_white_space(iam: Any) -> None:
    iam.create_policy(PolicyName=fresh_name("p"), PolicyDocument=of_size(6144))
    with refused("LimitExceeded", "Cannot exceed quota for PolicySize: 6144", 409):
        iam.create_policy(PolicyName=fresh_name("p"), PolicyDocument=of_size(6145))
    with refused("ValidationError"):
        iam.create_policy(PolicyName=fresh_name("p"), PolicyDocument=" " * 131_073)


def test_unknown(iam: Any, own: Any, policy: str) -> None:
    missing = arn("policy", "nothing")
    text = f"Policy {missing} was not found."
    for call in each(
        lambda: iam.get_policy(PolicyArn=missing),
        lambda: iam.delete_policy(PolicyArn=missing),
        lambda: iam.list_policy_versions(PolicyArn=missing),
        lambda: iam.create_policy_version(PolicyArn=missing, PolicyDocument=POLICY),
        lambda: iam.list_entities_for_policy(PolicyArn=missing),
        lambda: iam.tag_policy(PolicyArn=missing, Tags=[]),
    ):
        with refused("NoSuchEntity", text, 404):
            call()
    for other in (policy.upper().replace("ARN:AWS:IAM", "arn:aws:iam"), policy + "x"):
        with refused("NoSuchEntity" if other.endswith("x") else "InvalidInput", status=404 if other.endswith("x") else 400):
            iam.get_policy(PolicyArn=other)
    with refused("InvalidInput", "ARN arn:aws:iam::aws:thing/x is not valid."):
        iam.get_policy(PolicyArn="arn:aws:iam::aws:thing/x")
    with refused("NoSuchEntity", f"Policy {policy} was not found.", 404):
        own.get_policy(PolicyArn=policy)


def test_versions(iam: Any, policy: str) -> None:
    for number in range(2, 6):
        made = iam.create_policy_version(PolicyArn=policy, PolicyDocument=text(allowing(f"ecr:A{number}")))["PolicyVersion"]
        assert (made["VersionId"], made["IsDefaultVersion"]) == (f"v{number}", False)
    with refused("LimitExceeded", VERSIONS, 409):
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=POLICY)
    iam.set_default_policy_version(PolicyArn=policy, VersionId="v3")
    found = iam.get_policy_version(PolicyArn=policy, VersionId="v3")["PolicyVersion"]
    assert (found["IsDefaultVersion"], found["Document"]) == (True, allowing("ecr:A3"))
    assert iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"] == "v3"
    with refused("DeleteConflict", "Cannot delete the default version of a policy.", 409):
        iam.delete_policy_version(PolicyArn=policy, VersionId="v3")
    iam.delete_policy_version(PolicyArn=policy, VersionId="v5")
    # A number is never used twice.
    again = iam.create_policy_version(PolicyArn=policy, PolicyDocument=POLICY, SetAsDefault=True)["PolicyVersion"]
    assert (again["VersionId"], again["IsDefaultVersion"]) == ("v6", True)
    pages = list(iam.get_paginator("list_policy_versions").paginate(PolicyArn=policy, PaginationConfig={"PageSize": 2}))
    listed = [(version["VersionId"], version["IsDefaultVersion"]) for page in pages for version in page["Versions"]]
    assert listed == [("v6", True), ("v4", False), ("v3", False), ("v2", False), ("v1", False)]
    with refused("DeleteConflict", MORE, 409):
        iam.delete_policy(PolicyArn=policy)
    for number in (1, 2, 3, 4):
        iam.delete_policy_version(PolicyArn=policy, VersionId=f"v{number}")
    iam.delete_policy(PolicyArn=policy)


@pytest.mark.parametrize("version", ["v2", "v999999999", "v99999999999999999999", "v1.x"])
def test_unknown_versions(iam: Any, policy: str, version: str) -> None:
    message = f"Policy {policy} version {version} does not exist or is not attachable."
    for call in (iam.get_policy_version, iam.delete_policy_version, iam.set_default_policy_version):
        with refused("NoSuchEntity", message, 404):
            call(PolicyArn=policy, VersionId=version)


def test_a_policy_in_use_stays(iam: Any, policy: str, user: str, role: str) -> None:
    iam.attach_user_policy(UserName=user, PolicyArn=policy)
    with refused("DeleteConflict", "Cannot delete a policy attached to entities.", 409):
        iam.delete_policy(PolicyArn=policy)
    iam.detach_user_policy(UserName=user, PolicyArn=policy)
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=policy)
    with refused("DeleteConflict", "Cannot delete a policy attached to entities.", 409):
        iam.delete_policy(PolicyArn=policy)
    iam.delete_role_permissions_boundary(RoleName=role)
    iam.delete_policy(PolicyArn=policy)
    with refused("NoSuchEntity", f"Policy {policy} was not found.", 404):
        iam.get_policy(PolicyArn=policy)


def test_policies_of_aws(iam: Any) -> None:
    found = iam.get_policy(PolicyArn=ADMINISTRATOR)["Policy"]
    assert (found["PolicyName"], found["Arn"], found["IsAttachable"]) == ("AdministratorAccess", ADMINISTRATOR, True)
    version = iam.get_policy_version(PolicyArn=ADMINISTRATOR, VersionId=found["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"]["Statement"][0]["Effect"] == "Allow"
    assert len(iam.list_policy_versions(PolicyArn=ADMINISTRATOR)["Versions"]) >= 1
    message = f"Cannot perform the operation on the protected policy {ADMINISTRATOR}: it is managed by AWS"
    for call in each(
        lambda: iam.delete_policy(PolicyArn=ADMINISTRATOR),
        lambda: iam.create_policy_version(PolicyArn=ADMINISTRATOR, PolicyDocument=POLICY),
        lambda: iam.set_default_policy_version(PolicyArn=ADMINISTRATOR, VersionId="v1"),
        lambda: iam.delete_policy_version(PolicyArn=ADMINISTRATOR, VersionId="v1"),
        lambda: iam.tag_policy(PolicyArn=ADMINISTRATOR, Tags=[{"Key": "a", "Value": "b"}]),
    ):
        with refused("UnmodifiableEntity", message):
            call()


def test_list(own: Any) -> None:
    for name in ("c", "B", "a"):
        own.create_policy(PolicyName=name, Path="/x/" if name == "c" else "/", PolicyDocument=POLICY)
    own.create_user(UserName="u")
    own.attach_user_policy(UserName="u", PolicyArn=READ_ONLY)
    (b,) = [entry["Arn"] for entry in own.list_policies(Scope="Local")["Policies"] if entry["PolicyName"] == "B"]
    own.attach_user_policy(UserName="u", PolicyArn=b)
    own.put_user_permissions_boundary(UserName="u", PermissionsBoundary=ADMINISTRATOR)

    def names(**chosen: Any) -> list[str]:
        pages = own.get_paginator("list_policies").paginate(**chosen, PaginationConfig={"PageSize": 2})
        return [entry["PolicyName"] for page in pages for entry in page["Policies"]]

    assert names(Scope="Local") == ["a", "B", "c"]
    everything = names()
    assert everything[:3] == ["a", "B", "c"]
    assert "AdministratorAccess" in everything
    assert names(Scope="AWS") == everything[3:]
    assert names(Scope="Local", PathPrefix="/x/") == ["c"]
    assert names(OnlyAttached=True) == ["B", "AmazonEC2ContainerRegistryReadOnly"]
    assert names(PolicyUsageFilter="PermissionsBoundary") == ["AdministratorAccess"]
    counted = {entry["PolicyName"]: entry for entry in own.list_policies()["Policies"]}
    assert counted["B"]["AttachmentCount"] == counted["AmazonEC2ContainerRegistryReadOnly"]["AttachmentCount"] == 1
    assert counted["AdministratorAccess"]["PermissionsBoundaryUsageCount"] == 1


def test_bad_paths(iam: Any) -> None:
    for path in ("/a", "a/", "/a//b/", "/ä/"):
        with refused("ValidationError"):
            iam.create_policy(PolicyName="p", Path=path, PolicyDocument=POLICY)
