"""Instance profiles."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.iam.documents import TRUST, arn


@pytest.fixture
def profile(iam: Any) -> str:
    name = fresh_name("profile")
    iam.create_instance_profile(InstanceProfileName=name)
    return name


def test_life_of_a_profile(iam: Any, role: str) -> None:
    name = fresh_name("Profile")
    made = iam.create_instance_profile(InstanceProfileName=name, Path="/p/", Tags=[{"Key": "a", "Value": "b"}])["InstanceProfile"]
    assert made["InstanceProfileId"].startswith("AIPA")
    assert made == {
        "Path": "/p/",
        "InstanceProfileName": name,
        "InstanceProfileId": made["InstanceProfileId"],
        "Arn": arn("instance-profile", f"p/{name}"),
        "CreateDate": made["CreateDate"],
        "Roles": [],
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    assert iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"] == made
    with refused("EntityAlreadyExists", f"Instance Profile {name} already exists.", 409):
        iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    (held,) = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
    assert held["RoleName"] == role
    with refused("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", 409):
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    (listed,) = iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]
    assert (listed["InstanceProfileName"], listed["Roles"][0]["RoleName"]) == (name, role)
    with refused("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.", 409):
        iam.delete_instance_profile(InstanceProfileName=name)
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role)
    with refused("NoSuchEntity", status=404):
        iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role)
    iam.delete_instance_profile(InstanceProfileName=name)
    with refused("NoSuchEntity", f"Instance Profile {name} cannot be found.", 404):
        iam.get_instance_profile(InstanceProfileName=name)


def test_unknown(iam: Any, role: str, profile: str) -> None:
    with refused("NoSuchEntity", "Instance Profile nothing cannot be found.", 404):
        iam.add_role_to_instance_profile(InstanceProfileName="nothing", RoleName=role)
    with refused("NoSuchEntity", "The role with name nothing cannot be found.", 404):
        iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName="nothing")
    with refused("NoSuchEntity", "The role with name nothing cannot be found.", 404):
        iam.list_instance_profiles_for_role(RoleName="nothing")


def test_list(own: Any) -> None:
    own.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    for name in ("b", "A", "c"):
        own.create_instance_profile(InstanceProfileName=name, Path="/x/" if name == "A" else "/")
        own.add_role_to_instance_profile(InstanceProfileName=name, RoleName="r")
    for operation, arguments in (("list_instance_profiles", {}), ("list_instance_profiles_for_role", {"RoleName": "r"})):
        pages = list(own.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": 2}))
        names = [[entry["InstanceProfileName"] for entry in page["InstanceProfiles"]] for page in pages]
        assert names == [["A", "b"], ["c"]]
    assert [e["InstanceProfileName"] for e in own.list_instance_profiles(PathPrefix="/x/")["InstanceProfiles"]] == ["A"]
