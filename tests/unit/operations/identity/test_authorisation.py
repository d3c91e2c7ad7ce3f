"""What is asked of the authoriser: the right action on the right ARN, with all facts, before anything is disclosed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from moorage.metadata import identities
from moorage.model.errors import AccessDenied
from moorage.model.identity import Kind
from moorage.model.identity_errors import EntityNotFound, RequestInvalid
from moorage.model.principal import Caller
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
    world.asked.clear()
    return world


def question(world: World, call: Callable[[], Any]) -> tuple[str, str, dict[str, Any]]:
    """The one thing that was asked: action, resource and further facts."""
    call()
    (asked,) = world.asked
    return asked.action, asked.resource, dict(asked.facts.extra)


def test_creation(world: World) -> None:
    pairs = [("team", "red"), ("env", "a")]
    world.write(users.create_user, world.caller, "bob", "/a/", BOUND, pairs)
    first, second = world.asked
    assert [(each.action, each.resource) for each in world.asked] == [
        ("iam:CreateUser", ARN + "user/a/bob"),
        ("iam:TagUser", ARN + "user/a/bob"),
    ]
    assert first.facts == second.facts
    assert first.facts.request_tags == dict(pairs)
    assert first.facts.tag_keys == ["team", "env"]
    assert first.facts.extra == {"iam:permissionsboundary": BOUND}
    assert not first.facts.resource_tags
    world.asked.clear()
    world.write(roles.create_role, world.caller, RoleRequest("r", TRUST))
    (asked,) = world.asked
    assert (asked.action, asked.resource, asked.facts.extra) == ("iam:CreateRole", ARN + "role/r", {})
    assert asked.facts.tag_keys is None


def test_facts_of_what_exists(filled: World) -> None:
    caller = filled.caller
    filled.read(entities.get_identity, caller, "user", "bob")
    (asked,) = filled.asked
    assert (asked.action, asked.resource) == ("iam:GetUser", ARN + "user/a/Bob")
    assert asked.facts.resource_tags == {"team": "red"}
    assert asked.facts.extra == {}
    filled.asked.clear()
    attach = question(filled, lambda: filled.write(attachments.attach_policy, caller, "role", "Ci", ADMINISTRATOR))
    facts = {"iam:policyarn": ADMINISTRATOR, "iam:permissionsboundary": BOUND}
    assert attach == ("iam:AttachRolePolicy", ARN + "role/r/Ci", facts)
    filled.asked.clear()
    put = question(filled, lambda: filled.write(boundaries.put_permissions_boundary, caller, "user", "Bob", ADMINISTRATOR))
    assert put == ("iam:PutUserPermissionsBoundary", ARN + "user/a/Bob", {"iam:permissionsboundary": ADMINISTRATOR})
    filled.asked.clear()
    drop = question(filled, lambda: filled.write(boundaries.delete_permissions_boundary, caller, "user", "Bob"))
    assert drop == ("iam:DeleteUserPermissionsBoundary", ARN + "user/a/Bob", {"iam:permissionsboundary": ADMINISTRATOR})


def test_renaming_takes_both_names(filled: World) -> None:
    filled.write(entities.update_identity, filled.caller, "user", "Bob", "Eve", "/b/")
    assert [(each.action, each.resource) for each in filled.asked] == [
        ("iam:UpdateUser", ARN + "user/a/Bob"),
        ("iam:UpdateUser", ARN + "user/b/Eve"),
    ]


def test_passing_a_role_to_a_machine(filled: World) -> None:
    filled.write(instance_profiles.add_role_to_instance_profile, filled.caller, "I", "Ci")
    add, passing = filled.asked
    assert (add.action, add.resource) == ("iam:AddRoleToInstanceProfile", ARN + "instance-profile/i/I")
    assert (passing.action, passing.resource) == ("iam:PassRole", ARN + "role/r/Ci")
    assert passing.facts.extra == {"iam:passedtoservice": "ec2.amazonaws.com"}


def test_service_linked_roles(world: World) -> None:
    service = "replication.ecr.amazonaws.com"
    made = question(
        world, lambda: world.write(service_linked_roles.create_service_linked_role, world.caller, service, None, None)
    )
    name = "AWSServiceRoleForECRReplication"
    resource = ARN + f"role/aws-service-role/{service}/{name}"
    assert made == ("iam:CreateServiceLinkedRole", resource, {"iam:awsservicename": service})
    world.asked.clear()
    ended = question(world, lambda: world.write(service_linked_roles.delete_service_linked_role, world.caller, name))
    assert ended == ("iam:DeleteServiceLinkedRole", resource, {"iam:awsservicename": service})


def test_tagging(filled: World) -> None:
    filled.write(tags.tag, filled.caller, "Policy", ARN + "policy/p/P", [("env", "x")])
    filled.write(tags.untag, filled.caller, "InstanceProfile", "I", ["team"])
    first, second = filled.asked
    assert (first.action, first.resource) == ("iam:TagPolicy", ARN + "policy/p/P")
    assert (first.facts.resource_tags, first.facts.request_tags) == ({"team": "green"}, {"env": "x"})
    assert (second.action, second.resource) == ("iam:UntagInstanceProfile", ARN + "instance-profile/i/I")
    assert (second.facts.resource_tags, second.facts.tag_keys) == ({"team": "grey"}, ["team"])


def named_calls(world: World, name: str) -> list[Callable[[], Any]]:
    """Calls about a user, group or role of a name: each as one who may not do it makes it."""
    caller = Caller("AKIA", ACCOUNT, "AIDANOBODY", f"{ARN}user/nobody")
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
        lambda: world.write(roles.update_role, caller, name, None, None, "UpdateRole"),
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
    filled.may = lambda _: False
    for of_taken, of_free in zip(named_calls(filled, "taken"), named_calls(filled, "free"), strict=True):
        with pytest.raises(AccessDenied) as taken:
            of_taken()
        with pytest.raises(AccessDenied) as free:
            of_free()
        assert str(taken.value).replace("taken", "free") == str(free.value)
        assert "deep" not in str(taken.value)


def test_a_refusal_changes_nothing(filled: World) -> None:
    filled.may = lambda _: False
    before = filled.epoch()
    for call in named_calls(filled, "Bob"):
        with pytest.raises((AccessDenied, EntityNotFound)):
            call()
    assert filled.epoch() == before


def test_without_a_name_it_is_the_caller(filled: World) -> None:
    bob = filled.read(identities.find, ACCOUNT, "user", "bob")
    assert bob is not None
    caller = filled.as_user("a/Bob", bob.id)
    found = filled.read(users.get_user, caller, None)
    assert not isinstance(found, int)
    assert found.identity == bob
    key = filled.write(access_keys.create_access_key, ROOT_KEY, caller, None)
    assert key.user_name == "Bob"
    name, page = filled.read(access_keys.list_access_keys, caller, None, (), 10)
    assert (name, [each.id for each in page.items]) == ("Bob", [key.id])
    filled.write(access_keys.update_access_key, caller, None, key.id, "Inactive")
    filled.write(access_keys.delete_access_key, caller, None, key.id)
    assert filled.read(mfa_devices.list_mfa_devices, caller, None, (), 10) == ("Bob", Page([], None))
    assert {each.resource for each in filled.asked} == {bob.arn}


def test_a_role_has_no_name_of_its_own(filled: World) -> None:
    role = filled.read(identities.find, ACCOUNT, "role", "ci")
    assert role is not None
    caller = Caller("ASIA", ACCOUNT, role.id, f"arn:aws:sts::{ACCOUNT}:assumed-role/Ci/s")
    for call in (
        lambda: filled.read(users.get_user, caller, None),
        lambda: filled.write(access_keys.create_access_key, ROOT_KEY, caller, None),
    ):
        with pytest.raises(RequestInvalid, match="Must specify userName when calling with non-User credentials"):
            call()


def test_whose_key_it_is_is_not_told(filled: World) -> None:
    key = filled.write(access_keys.create_access_key, ROOT_KEY, filled.caller, "Bob")
    filled.may = lambda _: False
    texts = []
    for key_id in (key.id, "AKIAUNKNOWNUNKNOWN00"):
        with pytest.raises(AccessDenied) as denied:
            filled.read(access_keys.get_access_key_last_used, filled.caller, key_id)
        texts.append(str(denied.value))
    assert texts[0] == texts[1]
    assert filled.asked[-2].resource == ARN + "user/a/Bob"


def test_lists_are_asked_below_their_prefix(world: World) -> None:
    world.read(entities.list_identities, world.caller, "role", "/ci/", (), 10)
    world.read(providers.list_providers, world.caller, "oidc")
    assert [(each.action, each.resource) for each in world.asked] == [
        ("iam:ListRoles", ARN + "role/ci/"),
        ("iam:ListOpenIDConnectProviders", ARN + "oidc-provider/*"),
    ]
