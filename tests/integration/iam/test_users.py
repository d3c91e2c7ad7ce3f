"""Users: Create, Get, List, Update, Delete."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.iam.documents import ACCOUNT, ADMINISTRATOR, POLICY, arn


def test_create(iam: Any) -> None:
    name = fresh_name("User")
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2)
    made = iam.create_user(UserName=name, Path="/team/a/", Tags=[{"Key": "Team", "Value": "red"}])["User"]
    assert before <= made["CreateDate"] <= dt.datetime.now(dt.UTC)
    assert len(made["UserId"]) == 21
    assert made["UserId"].startswith("AIDA")
    assert made == {
        "Path": "/team/a/",
        "UserName": name,
        "UserId": made["UserId"],
        "Arn": arn("user", f"team/a/{name}"),
        "CreateDate": made["CreateDate"],
        "Tags": [{"Key": "Team", "Value": "red"}],
    }
    assert iam.get_user(UserName=name)["User"] == made
    assert iam.get_user(UserName=name.upper())["User"] == made


def test_a_name_is_taken_whatever_its_case_and_path(iam: Any) -> None:
    name = fresh_name("User")
    iam.create_user(UserName=name)
    for other in (name, name.upper(), name.lower()):
        with refused("EntityAlreadyExists", f"User with name {other} already exists.", 409):
            iam.create_user(UserName=other, Path="/elsewhere/")


@pytest.mark.parametrize("name", ["a b", "ä", "a/b", "a:b", "a\n", "a\u202eb", "\u0430dmin", "a" * 65])
def test_bad_names(iam: Any, name: str) -> None:
    with refused("ValidationError"):
        iam.create_user(UserName=name)


@pytest.mark.parametrize("path", ["a", "/a", "a/", "//x", "/ä/", "/a b/"])
def test_bad_paths(iam: Any, path: str) -> None:
    with refused("ValidationError"):
        iam.create_user(UserName="fine", Path=path)


def test_nobody(iam: Any) -> None:
    text = "The user with name nobody cannot be found."
    for call in (iam.get_user, iam.delete_user, iam.list_user_tags, iam.list_access_keys, iam.create_access_key):
        with refused("NoSuchEntity", text, 404):
            call(UserName="nobody")
    with refused("NoSuchEntity", text, 404):
        iam.update_user(UserName="nobody", NewPath="/x/")


def test_root(iam: Any) -> None:
    found = iam.get_user()["User"]
    assert (found["UserId"], found["Arn"]) == (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
    assert "UserName" not in found


def test_rename_keeps_the_id(iam: Any) -> None:
    name, new = fresh_name("old"), fresh_name("new")
    made = iam.create_user(UserName=name, Tags=[{"Key": "a", "Value": "b"}])["User"]
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=POLICY)
    iam.update_user(UserName=name, NewUserName=new, NewPath="/moved/")
    moved = iam.get_user(UserName=new)["User"]
    assert moved == made | {"UserName": new, "Path": "/moved/", "Arn": arn("user", f"moved/{new}")}
    assert iam.list_user_policies(UserName=new)["PolicyNames"] == ["p"]
    with refused("NoSuchEntity", status=404):
        iam.get_user(UserName=name)
    other = fresh_name("other")
    iam.create_user(UserName=other)
    with refused("EntityAlreadyExists", f"User with name {other.upper()} already exists.", 409):
        iam.update_user(UserName=new, NewUserName=other.upper())


def test_pages(own: Any) -> None:
    names = [f"u{number:02}" for number in range(7)]
    for name in reversed(names):
        own.create_user(UserName=name, Path="/a/" if name < "u04" else "/b/")
    pages = list(own.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 3}))
    assert [[user["UserName"] for user in page["Users"]] for page in pages] == [names[:3], names[3:6], names[6:]]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    assert [user["UserName"] for user in own.list_users(PathPrefix="/a/")["Users"]] == names[:4]
    assert "Tags" not in own.list_users()["Users"][0]
    marker = own.list_users(MaxItems=3)["Marker"]
    own.delete_user(UserName="u03")
    own.create_user(UserName="u00b")
    assert [user["UserName"] for user in own.list_users(Marker=marker)["Users"]] == names[4:]


def test_bad_markers(iam: Any, server: MoorageServer, account: KeyPair) -> None:
    iam.create_user(UserName=fresh_name("u"))
    iam.create_user(UserName=fresh_name("u"))
    marker = iam.list_users(MaxItems=1)["Marker"]
    with refused("ValidationError", "Invalid Marker."):
        iam.list_users(Marker="x")
    with refused("ValidationError", "Invalid Marker."):
        iam.list_roles(Marker=marker)
    with refused("ValidationError", "Invalid Marker."):
        iam.list_users(Marker=marker, PathPrefix="/a/")
    with refused("ValidationError", "Invalid Marker."):
        server.client("iam", key=account).list_users(Marker=marker)
    with refused("ValidationError"):
        iam.list_users(MaxItems=1001)


def test_what_a_user_has_must_go_first(iam: Any, user: str, group: str) -> None:
    iam.attach_user_policy(UserName=user, PolicyArn=ADMINISTRATOR)
    iam.put_user_policy(UserName=user, PolicyName="inline", PolicyDocument=POLICY)
    key = iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    iam.create_login_profile(UserName=user, Password="correct Horse 1")
    iam.add_user_to_group(GroupName=group, UserName=user)
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("detach all policies", lambda: iam.detach_user_policy(UserName=user, PolicyArn=ADMINISTRATOR)),
        ("delete policies", lambda: iam.delete_user_policy(UserName=user, PolicyName="inline")),
        ("delete access keys", lambda: iam.delete_access_key(UserName=user, AccessKeyId=key)),
        ("delete login profile", lambda: iam.delete_login_profile(UserName=user)),
        ("remove users from group", lambda: iam.remove_user_from_group(GroupName=group, UserName=user)),
    ]
    for what, undo in steps:
        with refused("DeleteConflict", f"Cannot delete entity, must {what} first.", 409):
            iam.delete_user(UserName=user)
        undo()
    iam.delete_user(UserName=user)
    with refused("NoSuchEntity", status=404):
        iam.delete_user(UserName=user)


def test_a_name_that_is_used_again_is_another_user(iam: Any) -> None:
    name = fresh_name("again")
    first = iam.create_user(UserName=name, Tags=[{"Key": "a", "Value": "b"}])["User"]
    iam.delete_user(UserName=name)
    second = iam.create_user(UserName=name)["User"]
    assert first["UserId"] != second["UserId"]
    assert "Tags" not in iam.get_user(UserName=name)["User"]


def test_accounts_do_not_see_each_other(iam: Any, own: Any, user: str) -> None:
    assert own.list_users()["Users"] == []
    with refused("NoSuchEntity", status=404):
        own.get_user(UserName=user)
    own.create_user(UserName=user)
    own.delete_user(UserName=user)
    assert iam.get_user(UserName=user)["User"]["UserName"] == user


def test_the_same_name_in_another_case_is_taken(iam: Any) -> None:
    """Names are one whatever their case, also for whoever has the name."""
    name = fresh_name("Case")
    iam.create_user(UserName=name)
    iam.create_group(GroupName=name)
    with refused("EntityAlreadyExists", status=409):
        iam.update_user(UserName=name, NewUserName=name.lower())
    with refused("EntityAlreadyExists", status=409):
        iam.update_group(GroupName=name, NewGroupName=name.lower())
    iam.update_user(UserName=name, NewUserName=name)
    iam.update_user(UserName=name, NewPath="/other/")
