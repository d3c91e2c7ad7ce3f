"""Groups and their members."""

from __future__ import annotations

from typing import Any

from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.iam.documents import POLICY, arn


def test_create_and_rename(iam: Any) -> None:
    name = fresh_name("Group")
    made = iam.create_group(GroupName=name, Path="/a/")["Group"]
    assert made["GroupId"].startswith("AGPA")
    assert (made["GroupName"], made["Path"], made["Arn"]) == (name, "/a/", arn("group", f"a/{name}"))
    with refused("EntityAlreadyExists", f"Group with name {name.upper()} already exists.", 409):
        iam.create_group(GroupName=name.upper())
    iam.update_group(GroupName=name, NewGroupName=f"{name}-2", NewPath="/")
    found = iam.get_group(GroupName=f"{name}-2")
    assert found["Group"]["GroupId"] == made["GroupId"]
    assert found["Users"] == []
    with refused("NoSuchEntity", f"The group with name {name} cannot be found.", 404):
        iam.get_group(GroupName=name)


def test_members(iam: Any, group: str) -> None:
    names = sorted(fresh_name("member") for _ in range(3))
    for name in names:
        iam.create_user(UserName=name)
        for _ in range(2):
            iam.add_user_to_group(GroupName=group, UserName=name)
    pages = list(iam.get_paginator("get_group").paginate(GroupName=group, PaginationConfig={"PageSize": 2}))
    assert sorted(user["UserName"] for page in pages for user in page["Users"]) == names
    assert [entry["GroupName"] for entry in iam.list_groups_for_user(UserName=names[0])["Groups"]] == [group]
    with refused("DeleteConflict", "Cannot delete entity, must remove users from group first.", 409):
        iam.delete_group(GroupName=group)
    for name in names:
        iam.remove_user_from_group(GroupName=group, UserName=name)
        with refused("NoSuchEntity", f"The user with name {name} is not in the group with name {group}.", 404):
            iam.remove_user_from_group(GroupName=group, UserName=name)
    iam.put_group_policy(GroupName=group, PolicyName="p", PolicyDocument=POLICY)
    with refused("DeleteConflict", "Cannot delete entity, must delete policies first.", 409):
        iam.delete_group(GroupName=group)
    iam.delete_group_policy(GroupName=group, PolicyName="p")
    iam.delete_group(GroupName=group)


def test_unknown(iam: Any, group: str, user: str) -> None:
    with refused("NoSuchEntity", "The user with name nobody cannot be found.", 404):
        iam.add_user_to_group(GroupName=group, UserName="nobody")
    with refused("NoSuchEntity", "The group with name nowhere cannot be found.", 404):
        iam.add_user_to_group(GroupName="nowhere", UserName=user)
    with refused("NoSuchEntity", "The user with name nobody cannot be found.", 404):
        iam.list_groups_for_user(UserName="nobody")


def test_ten_groups_are_enough(iam: Any, user: str) -> None:
    groups = [fresh_name("g") for _ in range(11)]
    for name in groups:
        iam.create_group(GroupName=name)
    for name in groups[:10]:
        iam.add_user_to_group(GroupName=name, UserName=user)
    with refused("LimitExceeded", "Cannot exceed quota for GroupsPerUser: 10", 409):
        iam.add_user_to_group(GroupName=groups[10], UserName=user)
    pages = list(iam.get_paginator("list_groups_for_user").paginate(UserName=user, PaginationConfig={"PageSize": 4}))
    assert [entry["GroupName"] for page in pages for entry in page["Groups"]] == sorted(groups[:10])


def test_list(own: Any) -> None:
    for name in ("b", "A", "c"):
        own.create_group(GroupName=name, Path="/x/" if name == "c" else "/")
    assert [entry["GroupName"] for entry in own.list_groups()["Groups"]] == ["A", "b", "c"]
    assert [entry["GroupName"] for entry in own.list_groups(PathPrefix="/x")["Groups"]] == ["c"]
