"""Principals by their ARNs, and the ids that trust policies are bound to."""

from __future__ import annotations

import json

import pytest

from moorage.metadata.identity import identities
from moorage.operations.identity import entities, groups, roles, users
from moorage.operations.identity.principals import unique_id_of
from moorage.operations.identity.roles import RoleRequest
from tests.integration.iam.documents import TRUST, text, trusting
from tests.unit.operations.identity.conftest import ACCOUNT, OTHER, World

IAM, STS = f"arn:aws:iam::{ACCOUNT}:", f"arn:aws:sts::{ACCOUNT}:"


def test_who_is_meant(world: World) -> None:
    user = world.write(users.create_user, world.caller, "Bob", "/a/", None, []).identity
    role = world.write(roles.create_role, world.caller, RoleRequest("Ci", TRUST, "/b/")).identity
    world.write(groups.create_group, world.caller, "Staff", "/")
    for arn, expected in {
        IAM + "user/a/Bob": user.id,
        IAM + "role/b/Ci": role.id,
        STS + "assumed-role/Ci/session": role.id,
        ACCOUNT: ACCOUNT,
        OTHER: OTHER,
        IAM + "root": ACCOUNT,
        STS + "federated-user/anybody": f"{ACCOUNT}:anybody",
    }.items():
        assert world.read(unique_id_of, arn) == expected


@pytest.mark.parametrize(
    "arn",
    [
        IAM + "user/Bob",
        IAM + "user/a/bob",
        IAM + "user/a/Bob ",
        IAM + "user/a/Bob\n",
        IAM + "user/a/*",
        IAM + "role/Ci",
        IAM + "group/Staff",
        STS + "assumed-role/ci/session",
        STS + "assumed-role/Ci/s",
        STS + "assumed-role/b/Ci/session",
        f"arn:aws:iam::{OTHER}:user/a/Bob",
        "333333333333",
        "arn:aws:iam::333333333333:root",
        "arn:aws-cn:iam::111111111111:root",
        "arn:aws:iam:us-east-1:111111111111:root",
        "arn:aws:iam::aws:root",
        "arn:aws:sts::333333333333:federated-user/anybody",
        "11111111111",
        "\uff11" * 12,
        "*",
        "",
        "x" * 100_000,
    ],
)
def test_who_is_nobody(world: World, arn: str) -> None:
    world.write(users.create_user, world.caller, "Bob", "/a/", None, [])
    world.write(roles.create_role, world.caller, RoleRequest("Ci", TRUST, "/b/"))
    world.write(groups.create_group, world.caller, "Staff", "/")
    assert world.read(unique_id_of, arn) is None


def test_trust_is_bound_to_who_it_was(world: World) -> None:
    first = world.write(users.create_user, world.caller, "bob", "/", None, []).identity
    document = text(trusting(AWS=[first.arn, OTHER, "*"], Service="ecs.amazonaws.com"))
    made = world.write(roles.create_role, world.caller, RoleRequest("r", document)).identity
    world.write(entities.delete_identity, world.caller, "user", "bob")
    second = world.write(users.create_user, world.caller, "bob", "/", None, []).identity
    role = world.read(identities.find_by_id, made.id)
    assert role is not None
    assert json.loads(role.trust_bindings or "") == {first.arn: first.id}
    shown = world.read(entities.get_identity, world.caller, "role", "r").identity.trust_policy
    assert json.loads(shown or "") == trusting(AWS=[first.id, OTHER, "*"], Service="ecs.amazonaws.com")
    world.write(roles.update_assume_role_policy, world.caller, "r", document)
    role = world.read(identities.find_by_id, made.id)
    assert role is not None
    assert json.loads(role.trust_bindings or "")[second.arn] == second.id
