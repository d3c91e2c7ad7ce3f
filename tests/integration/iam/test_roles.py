"""Roles and their trust policies."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from moorage.testing.server import MoorageServer, make_client
from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.iam.documents import ACCOUNT, POLICY, TRUST, arn, text, trusting


def test_create(iam: Any) -> None:
    name = fresh_name("Role")
    made = iam.create_role(
        RoleName=name,
        Path="/ci/",
        AssumeRolePolicyDocument=TRUST,
        Description="builds",
        MaxSessionDuration=7200,
        Tags=[{"Key": "a", "Value": ""}],
    )["Role"]
    assert made["RoleId"].startswith("AROA")
    assert made == {
        "Path": "/ci/",
        "RoleName": name,
        "RoleId": made["RoleId"],
        "Arn": arn("role", f"ci/{name}"),
        "CreateDate": made["CreateDate"],
        "AssumeRolePolicyDocument": json.loads(TRUST),
        "Description": "builds",
        "MaxSessionDuration": 7200,
        "Tags": [{"Key": "a", "Value": ""}],
    }
    assert iam.get_role(RoleName=name)["Role"] == made | {"RoleLastUsed": {}}
    with refused("EntityAlreadyExists", f"Role with name {name} already exists.", 409):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    with refused("NoSuchEntity", "The role with name nothing cannot be found.", 404):
        iam.get_role(RoleName="nothing")


def test_update(iam: Any, role: str) -> None:
    iam.update_role(RoleName=role, Description="new", MaxSessionDuration=43200)
    found = iam.get_role(RoleName=role)["Role"]
    assert (found["Description"], found["MaxSessionDuration"]) == ("new", 43200)
    iam.update_role(RoleName=role)
    assert iam.get_role(RoleName=role)["Role"]["Description"] == "new"
    changed = iam.update_role_description(RoleName=role, Description="")["Role"]
    assert "Description" not in changed
    with refused("ValidationError"):
        iam.update_role(RoleName=role, MaxSessionDuration=43201)


def test_trust_policy(iam: Any, role: str, user: str) -> None:
    """Principals are looked up when they are written down."""
    document = trusting(AWS=[ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", arn("user", user), arn("role", role)])
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=text(document))
    assert iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"] == document
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/session"
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=text(trusting(AWS=session)))
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=text(trusting(AWS="*")))


@pytest.mark.parametrize(
    "principal",
    [
        arn("user", "nobody"),
        arn("role", "nothing"),
        arn("group", "g"),
        "999999999999",
        "arn:aws:iam::999999999999:root",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/nothing/s",
        "AIDAJQABLZS4A3QDU576Q",
    ],
)
def test_unknown_principals(iam: Any, role: str, principal: str) -> None:
    message = f'Invalid principal in policy: "AWS":"{principal}"'
    with refused("MalformedPolicyDocument", message):
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=text(trusting(AWS=principal)))
    with refused("MalformedPolicyDocument", message):
        iam.create_role(RoleName=fresh_name("r"), AssumeRolePolicyDocument=text(trusting(AWS=[principal])))
    assert iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"] == json.loads(TRUST)


def test_principals_of_other_accounts(iam: Any, own: Any, role: str) -> None:
    made = own.create_user(UserName="remote", Path="/x/")["User"]
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=text(trusting(AWS=made["Arn"])))
    with refused("MalformedPolicyDocument"):
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=text(trusting(AWS=made["Arn"].replace("/x/", "/"))))


def test_documents_that_are_none(iam: Any, role: str) -> None:
    for document in ("{", "[]", "null", "x", "[" * 50_000):
        with refused("MalformedPolicyDocument"):
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=document)


def test_trust_policy_size(iam: Any, role: str) -> None:
    long = trusting(Service="ecs-tasks.amazonaws.com")
    long["Statement"][0]["Condition"] = {"StringEquals": {"aws:SourceAccount": ["0" * 12] * 200}}
    with refused("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048", 409):
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=text(long))
    padded = json.dumps(json.loads(TRUST), indent=200)
    assert len(padded) > 2048
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=padded)


def test_what_a_role_has_must_go_first(iam: Any, role: str) -> None:
    profile = fresh_name("profile")
    iam.create_instance_profile(InstanceProfileName=profile)
    iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=role)
    iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=POLICY)
    with refused("DeleteConflict", "Cannot delete entity, must delete policies first.", 409):
        iam.delete_role(RoleName=role)
    iam.delete_role_policy(RoleName=role, PolicyName="p")
    with refused("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.", 409):
        iam.delete_role(RoleName=role)
    iam.remove_role_from_instance_profile(InstanceProfileName=profile, RoleName=role)
    iam.delete_role(RoleName=role)


def test_list(own: Any) -> None:
    for name in ("b", "A"):
        own.create_role(RoleName=name, Path=f"/{name}/", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "k", "Value": "v"}])
    listed = own.list_roles()["Roles"]
    assert [entry["RoleName"] for entry in listed] == ["A", "b"]
    assert listed[0]["AssumeRolePolicyDocument"] == json.loads(TRUST)
    assert "Tags" not in listed[0]
    assert [entry["RoleName"] for entry in own.list_roles(PathPrefix="/b/")["Roles"]] == ["b"]


def test_how_long_a_sign_in_may_last(iam: Any, role: str, server: MoorageServer) -> None:
    def shown() -> Any:
        return iam.get_role(RoleName=role)["Role"].get("MaxSigninSessionDuration")

    assert shown() is None
    iam.update_role(RoleName=role, MaxSigninSessionDuration=7200)
    iam.update_role(RoleName=role, Description="d")
    assert shown() == 7200
    with refused("InvalidInput"):
        iam.update_role(RoleName=role, MaxSigninSessionDuration=7200, ResetMaxSigninSessionDuration=True)
    iam.update_role(RoleName=role, ResetMaxSigninSessionDuration=True)
    assert shown() is None
    unchecked = make_client(server.endpoint, "iam", server.root, parameter_validation=False)
    with refused("ValidationError"), contextlib.closing(unchecked):
        unchecked.update_role(RoleName=role, MaxSigninSessionDuration=60)
