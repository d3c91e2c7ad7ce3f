"""What use cases ask of the authoriser: the right action on the right ARN, with all facts, before anything is disclosed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from moorage.metadata.identity import identities
from moorage.model.errors import AccessDenied
from moorage.model.identity import Kind
from moorage.model.identity_errors import EntityNotFound, RequestInvalid
from moorage.model.principal import Caller, Session
from moorage.operations.identity import (
    access_keys,
    attachments,
    boundaries,
    entities,
    groups,
    inline_policies,
    instance_profiles,
    last_accessed,
    login_profiles,
    managed_policies,
    mfa_devices,
    providers,
    roles,
    service_linked_roles,
    tags,
    users,
)
from moorage.operations.identity.paging import Page
from moorage.operations.identity.roles import RoleRequest
from tests.integration.iam.documents import ADMINISTRATOR, POLICY, TRUST
from tests.unit.operations.identity.conftest import ACCOUNT, ROOT_KEY, World
from tests.unit.operations.identity.rights import Right, Value

ARN = f"arn:aws:iam::{ACCOUNT}:"
BOUND = ADMINISTRATOR


@pytest.fixture
def filled(world: World) -> World:
    """With a user, a group and a role below paths, each with what it can have."""
    caller = world.caller
    world.write(users.create_user, caller, "Bob", "/a/", BOUND, [("team", "red")])
    world.write(groups.create_group, caller, "Staff", "/g/")
    request = RoleRequest("Ci", TRUST, "/r/", boundary=BOUND, tags=[("team", "blue")])
    world.write(roles.create_role, caller, request)
    world.write(managed_policies.create_policy, caller, "P", "/p/", POLICY, None, [("team", "green")])
    world.write(instance_profiles.create_instance_profile, caller, "I", "/i/", [("team", "grey")])
    for kind, name in (("user", "Bob"), ("group", "Staff"), ("role", "Ci")):
        world.write(inline_policies.put_policy, caller, kind, name, "inline", POLICY)  # type: ignore[arg-type]
        world.write(attachments.attach_policy, caller, kind, name, ADMINISTRATOR)  # type: ignore[arg-type]
    return world


def takes(world: World, call: Callable[[Caller], Any], *rights: Right, who: Caller | None = None) -> Any:
    """Make sure that a call takes just these rights, asked for in this order; return what it answers.

    It is made by a user without rights of its own, or by `who`; it is refused for want of each right in turn and for each right
    that misses the question in one point, and passes with all of them.
    """
    caller = who or world.user("clerk")
    for position, right in enumerate(rights):
        for instead in ([], *([miss] for miss in right.misses())):
            world.let(caller, *rights[:position], *instead)
            with pytest.raises(AccessDenied) as denied:
                call(caller)
            assert (denied.value.action, denied.value.principal_arn) == (right.action, caller.arn)
    world.let(caller, *rights)
    return call(caller)


def tagged(team: str) -> dict[str, Value]:
    """The facts about something that has a tag."""
    return {"aws:ResourceTag/team": team, "iam:ResourceTag/team": team}


def test_creation(world: World) -> None:
    pairs = [("team", "red"), ("env", "a")]
    facts: dict[str, Value] = {
        "aws:RequestTag/team": "red",
        "aws:RequestTag/env": "a",
        "aws:TagKeys": ("team", "env"),
        "iam:PermissionsBoundary": BOUND,
    }
    takes(
        world,
        lambda caller: world.write(users.create_user, caller, "bob", "/a/", BOUND, pairs),
        Right("iam:CreateUser", ARN + "user/a/bob", facts),
        Right("iam:TagUser", ARN + "user/a/bob", facts),
    )


def test_creation_without_tags_and_boundary(world: World) -> None:
    takes(
        world,
        lambda caller: world.write(roles.create_role, caller, RoleRequest("r", TRUST)),
        Right("iam:CreateRole", ARN + "role/r"),
    )


def test_reading(filled: World) -> None:
    takes(
        filled,
        lambda caller: filled.read(entities.get_identity, caller, "user", "bob"),
        Right("iam:GetUser", ARN + "user/a/Bob", tagged("red")),
    )


def test_attaching(filled: World) -> None:
    takes(
        filled,
        lambda caller: filled.write(attachments.attach_policy, caller, "role", "Ci", ADMINISTRATOR),
        Right(
            "iam:AttachRolePolicy",
            ARN + "role/r/Ci",
            {"iam:PolicyARN": ADMINISTRATOR, "iam:PermissionsBoundary": BOUND, **tagged("blue")},
        ),
    )


def test_boundaries(filled: World) -> None:
    """To put one is asked about with the one that will be, to take one away with the one that is."""
    other = ARN + "policy/p/P"
    takes(
        filled,
        lambda caller: filled.write(boundaries.put_permissions_boundary, caller, "user", "Bob", other),
        Right("iam:PutUserPermissionsBoundary", ARN + "user/a/Bob", {"iam:PermissionsBoundary": other, **tagged("red")}),
    )
    takes(
        filled,
        lambda caller: filled.write(boundaries.delete_permissions_boundary, caller, "user", "Bob"),
        Right("iam:DeleteUserPermissionsBoundary", ARN + "user/a/Bob", {"iam:PermissionsBoundary": other, **tagged("red")}),
        who=filled.user("second"),
    )


def test_renaming_takes_both_names(filled: World) -> None:
    takes(
        filled,
        lambda caller: filled.write(entities.update_identity, caller, "user", "Bob", "Eve", "/b/"),
        Right("iam:UpdateUser", ARN + "user/a/Bob", tagged("red")),
        Right("iam:UpdateUser", ARN + "user/b/Eve"),
    )


def test_passing_a_role_to_a_machine(filled: World) -> None:
    takes(
        filled,
        lambda caller: filled.write(instance_profiles.add_role_to_instance_profile, caller, "I", "Ci"),
        Right("iam:AddRoleToInstanceProfile", ARN + "instance-profile/i/I", tagged("grey")),
        Right("iam:PassRole", ARN + "role/r/Ci", {"iam:PassedToService": "ec2.amazonaws.com", **tagged("blue")}),
    )


def test_service_linked_roles(world: World) -> None:
    service = "replication.ecr.amazonaws.com"
    name = "AWSServiceRoleForECRReplication"
    resource, facts = ARN + f"role/aws-service-role/{service}/{name}", {"iam:AWSServiceName": service}
    takes(
        world,
        lambda caller: world.write(service_linked_roles.create_service_linked_role, caller, service, None, None),
        Right("iam:CreateServiceLinkedRole", resource, {**facts}),
    )
    takes(
        world,
        lambda caller: world.write(service_linked_roles.delete_service_linked_role, caller, name),
        Right("iam:DeleteServiceLinkedRole", resource, {**facts}),
        who=world.user("second"),
    )


def test_tagging(filled: World) -> None:
    takes(
        filled,
        lambda caller: filled.write(tags.tag, caller, "Policy", ARN + "policy/p/P", [("env", "x")]),
        Right("iam:TagPolicy", ARN + "policy/p/P", {**tagged("green"), "aws:RequestTag/env": "x", "aws:TagKeys": ("env",)}),
    )
    takes(
        filled,
        lambda caller: filled.write(tags.untag, caller, "InstanceProfile", "I", ["team"]),
        Right("iam:UntagInstanceProfile", ARN + "instance-profile/i/I", {**tagged("grey"), "aws:TagKeys": ("team",)}),
        who=filled.user("second"),
    )


def named_calls(world: World, caller: Caller, name: str) -> list[Callable[[], Any]]:
    """Calls about a user, group or role of a name: each as one who may do nothing makes it."""
    calls: list[Callable[[], Any]] = []
    kind: Kind
    for kind in ("user", "group", "role"):
        calls += [
            partial(world.write, entities.delete_identity, caller, kind, name),
            partial(world.write, inline_policies.put_policy, caller, kind, name, "p", "{"),
            partial(world.read, inline_policies.get_policy, caller, kind, name, "p"),
            partial(world.read, inline_policies.list_policies, caller, kind, name, (), 10),
            partial(world.write, inline_policies.delete_policy, caller, kind, name, "p"),
            partial(world.write, attachments.attach_policy, caller, kind, name, "no arn"),
            partial(world.write, attachments.detach_policy, caller, kind, name, "no arn"),
            partial(world.read, attachments.list_attached_policies, caller, kind, name, "/", (), 10),
        ]
    for kind in ("user", "role"):
        calls += [
            partial(world.read, entities.get_identity, caller, kind, name),
            partial(world.write, boundaries.put_permissions_boundary, caller, kind, name, "x"),
            partial(world.write, boundaries.delete_permissions_boundary, caller, kind, name),
            partial(world.write, tags.tag, caller, kind.capitalize(), name, [("aws:x", "")]),
            partial(world.read, tags.list_tags, caller, kind.capitalize(), name, (), 10),
        ]
    calls += [
        lambda: world.write(entities.update_identity, caller, "user", name, None, "/b/"),
        lambda: world.write(access_keys.create_access_key, ROOT_KEY, caller, name),
        lambda: world.read(access_keys.list_access_keys, caller, name, (), 10),
        lambda: world.write(access_keys.delete_access_key, caller, name, "AKIAX"),
        lambda: world.read(login_profiles.get_login_profile, caller, name),
        lambda: world.read(login_profiles.check_new_password, caller, "CreateLoginProfile", name, "x"),
        lambda: world.write(mfa_devices.enable_mfa_device, ROOT_KEY, caller, name, "s", "1", "2"),
        lambda: world.read(groups.get_group, caller, name, (), 10),
        lambda: world.write(groups.add_user_to_group, caller, name, "anybody"),
        lambda: world.read(groups.list_groups_for_user, caller, name, (), 10),
        lambda: world.write(roles.update_assume_role_policy, caller, name, "{"),
        lambda: world.write(roles.update_role, caller, name, roles.RoleChange(), "UpdateRole"),
        lambda: world.read(instance_profiles.get_instance_profile, caller, name),
        lambda: world.write(instance_profiles.delete_instance_profile, caller, name),
        lambda: world.read(last_accessed.list_policies_granting_service_access, caller, f"{ARN}user/{name}", []),
    ]
    return calls


def test_a_refusal_tells_nothing_of_what_exists(filled: World) -> None:
    """The same words for a name that is taken, below a path or not, and for one that is free."""
    caller = filled.caller
    filled.write(users.create_user, caller, "taken", "/deep/", BOUND, [("a", "b")])
    filled.write(groups.create_group, caller, "taken", "/deep/")
    filled.write(roles.create_role, caller, RoleRequest("taken", TRUST, "/deep/"))
    filled.write(instance_profiles.create_instance_profile, caller, "taken", "/deep/", [])
    nobody = filled.user("nobody")
    for of_taken, of_free in zip(named_calls(filled, nobody, "taken"), named_calls(filled, nobody, "free"), strict=True):
        with pytest.raises(AccessDenied) as taken:
            of_taken()
        with pytest.raises(AccessDenied) as free:
            of_free()
        assert str(taken.value).replace("taken", "free") == str(free.value)
        assert "deep" not in str(taken.value)


def test_a_refusal_changes_nothing(filled: World) -> None:
    nobody = filled.user("nobody")
    before = filled.epoch()
    for call in named_calls(filled, nobody, "Bob"):
        with pytest.raises((AccessDenied, EntityNotFound)):
            call()
    assert filled.epoch() == before


def test_without_a_name_it_is_the_caller(world: World) -> None:
    bob = world.user("Bob")
    identity = world.read(identities.find, ACCOUNT, "user", "bob")
    assert identity is not None
    world.write(access_keys.delete_access_key, world.caller, "Bob", bob.access_key_id)
    bob = replace(bob, access_key_id=world.write(access_keys.create_access_key, ROOT_KEY, world.caller, "Bob").id)

    def on_itself(action: str, call: Callable[[Caller], Any]) -> Any:
        return takes(world, call, Right(f"iam:{action}", identity.arn), who=bob)

    found = on_itself("GetUser", lambda caller: world.read(users.get_user, caller, None))
    assert found.identity == identity
    key = on_itself("CreateAccessKey", lambda caller: world.write(access_keys.create_access_key, ROOT_KEY, caller, None))
    assert key.user_name == "Bob"
    name, page = on_itself("ListAccessKeys", lambda caller: world.read(access_keys.list_access_keys, caller, None, (), 10))
    assert (name, {each.id for each in page.items}) == ("Bob", {bob.access_key_id, key.id})
    on_itself("UpdateAccessKey", lambda caller: world.write(access_keys.update_access_key, caller, None, key.id, "Inactive"))
    on_itself("DeleteAccessKey", lambda caller: world.write(access_keys.delete_access_key, caller, None, key.id))
    devices = on_itself("ListMFADevices", lambda caller: world.read(mfa_devices.list_mfa_devices, caller, None, (), 10))
    assert devices == ("Bob", Page([], None))


def test_a_role_has_no_name_of_its_own(filled: World) -> None:
    role = filled.read(identities.find, ACCOUNT, "role", "ci")
    assert role is not None
    seconds = int(filled.now[0])
    session = Session("AssumedRole", "s", seconds, seconds + 3600)
    caller = Caller("ASIA", ACCOUNT, role.id, f"arn:aws:sts::{ACCOUNT}:assumed-role/Ci/s", session=session)
    for call in (
        lambda: filled.read(users.get_user, caller, None),
        lambda: filled.write(access_keys.create_access_key, ROOT_KEY, caller, None),
    ):
        with pytest.raises(RequestInvalid, match="Must specify userName when calling with non-User credentials"):
            call()


def test_whose_key_it_is_is_not_told(filled: World) -> None:
    key = filled.write(access_keys.create_access_key, ROOT_KEY, filled.caller, "Bob")
    nobody = filled.user("nobody")
    texts = []
    for key_id in (key.id, "AKIAUNKNOWNUNKNOWN00"):
        with pytest.raises(AccessDenied) as denied:
            filled.read(access_keys.get_access_key_last_used, nobody, key_id)
        texts.append(str(denied.value))
    assert texts[0] == texts[1]
    takes(
        filled,
        lambda caller: filled.read(access_keys.get_access_key_last_used, caller, key.id),
        Right("iam:GetAccessKeyLastUsed", ARN + "user/a/Bob"),
        who=nobody,
    )


def test_lists_are_asked_below_their_prefix(world: World) -> None:
    takes(
        world,
        lambda caller: world.read(entities.list_identities, caller, "role", "/ci/", (), 10),
        Right("iam:ListRoles", ARN + "role/ci/"),
    )
    takes(
        world,
        lambda caller: world.read(providers.list_providers, caller, "oidc"),
        Right("iam:ListOpenIDConnectProviders", ARN + "oidc-provider/*"),
        who=world.user("second"),
    )
