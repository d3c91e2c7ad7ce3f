"""Every change of who may do what raises the account's epoch, in its own account only; reads never do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from moorage.metadata.identity import identities
from moorage.metadata.identity import policies as identity_policies
from moorage.model.identity_errors import EntityNotFound
from moorage.operations.identity import (
    access_keys,
    attachments,
    boundaries,
    entities,
    groups,
    inline_policies,
    managed_policies,
    policy_versions,
    providers,
    roles,
    tags,
    users,
)
from moorage.operations.identity.roles import RoleRequest
from tests.integration.iam.documents import ADMINISTRATOR, POLICY, TRUST, allowing, text
from tests.unit.operations.identity.conftest import ACCOUNT, OTHER, ROOT_KEY, World

OIDC = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example"
P = f"arn:aws:iam::{ACCOUNT}:policy/p"


def changes(world: World) -> list[Callable[[], Any]]:
    """A life of changes, each of which somebody's rights may hang on."""
    w, c = world.write, world.caller
    other = text(allowing("ecr:Other"))
    return [
        lambda: w(users.create_user, c, "u", "/", None, []),
        lambda: w(groups.create_group, c, "g", "/"),
        lambda: w(roles.create_role, c, RoleRequest("r", TRUST)),
        lambda: w(groups.add_user_to_group, c, "g", "u"),
        lambda: w(managed_policies.create_policy, c, "p", "/", POLICY, None, []),
        lambda: w(policy_versions.create_policy_version, c, P, other, set_as_default=True),
        lambda: w(policy_versions.set_default_policy_version, c, P, "v1"),
        lambda: w(policy_versions.delete_policy_version, c, P, "v2"),
        lambda: w(attachments.attach_policy, c, "group", "g", P),
        lambda: w(inline_policies.put_policy, c, "user", "u", "i", POLICY),
        lambda: w(boundaries.put_permissions_boundary, c, "user", "u", ADMINISTRATOR),
        lambda: w(tags.tag, c, "User", "u", [("a", "b")]),
        lambda: w(tags.untag, c, "User", "u", ["a"]),
        lambda: w(roles.update_assume_role_policy, c, "r", TRUST),
        lambda: w(roles.update_role, c, "r", roles.RoleChange("d", 7200), "UpdateRole"),
        lambda: w(providers.create_open_id_connect_provider, c, "https://issuer.example", ["a"], [], []),
        lambda: w(providers.add_client_id, c, OIDC, "b"),
        lambda: w(providers.remove_client_id, c, OIDC, "a"),
        lambda: w(providers.delete_provider, c, "oidc", OIDC),
        lambda: w(access_keys.create_access_key, ROOT_KEY, c, "u"),
        lambda: w(access_keys.update_access_key, c, "u", only_key(world), "Inactive"),
        lambda: w(access_keys.delete_access_key, c, "u", only_key(world)),
        lambda: w(entities.update_identity, c, "user", "u", "u2", None),
        lambda: w(boundaries.delete_permissions_boundary, c, "user", "u2"),
        lambda: w(inline_policies.delete_policy, c, "user", "u2", "i"),
        lambda: w(groups.remove_user_from_group, c, "g", "u2"),
        lambda: w(attachments.detach_policy, c, "group", "g", P),
        lambda: w(managed_policies.delete_policy, c, P),
        lambda: w(entities.delete_identity, c, "user", "u2"),
        lambda: w(entities.delete_identity, c, "group", "g"),
        lambda: w(entities.delete_identity, c, "role", "r"),
    ]


def only_key(world: World) -> str:
    (key,) = world.read(access_keys.list_access_keys, world.caller, "u", (), 10)[1].items
    return key.id


def test_changes_raise_it_and_reads_do_not(world: World) -> None:
    for change in changes(world):
        before = world.epoch()
        world.read(entities.list_identities, world.caller, "user", "/", (), 10)
        world.read(managed_policies.list_policies, world.caller, managed_policies.PolicyFilter(), (), 10)
        assert world.epoch() == before
        change()
        assert world.epoch() == before + 1
    assert world.epoch(OTHER) == 0


def test_what_fails_does_not_raise_it(world: World) -> None:
    before = world.epoch()
    with pytest.raises(EntityNotFound):
        world.write(attachments.attach_policy, world.caller, "user", "nobody", ADMINISTRATOR)
    world.write(users.create_user, world.caller, "u", "/", None, [])
    with pytest.raises(EntityNotFound):
        world.write(attachments.attach_policy, world.caller, "user", "u", P)
    assert world.epoch() == before + 1


def test_standing(world: World) -> None:
    made = world.write(users.create_user, world.caller, "u", "/", None, []).identity
    key = world.write(access_keys.create_access_key, ROOT_KEY, world.caller, "u")
    assert world.read(identities.credential_status, ACCOUNT, key.id) == (2, (ACCOUNT, made.id, "Active"))
    assert world.read(identities.credential_status, ACCOUNT, "ASIAUNKNOWN") == (2, None)
    assert world.read(identities.credential_status, OTHER, key.id) == (0, (ACCOUNT, made.id, "Active"))
    assert world.read(identities.credential_status, "333333333333", key.id) == (-1, None)


def test_policies_of(world: World) -> None:
    w, c = world.write, world.caller
    w(managed_policies.create_policy, c, "p", "/", POLICY, None, [])
    w(policy_versions.create_policy_version, c, P, text(allowing("ecr:Other")), set_as_default=False)
    user = w(users.create_user, c, "u", "/", P, [("Team", "red")]).identity
    group = w(groups.create_group, c, "g", "/").identity
    stranger = w(groups.create_group, c, "stranger", "/").identity
    w(groups.add_user_to_group, c, "g", "u")
    for kind, name in (("user", "u"), ("group", "g"), ("group", "stranger")):
        w(inline_policies.put_policy, c, kind, name, f"inline-{name}", POLICY)  # type: ignore[arg-type]
    w(attachments.attach_policy, c, "user", "u", ADMINISTRATOR)
    w(attachments.attach_policy, c, "group", "g", P)
    w(attachments.attach_policy, c, "group", "stranger", P)
    found = world.read(identity_policies.policies_of, user.id)
    assert found is not None
    assert found.identity == world.read(identities.find, ACCOUNT, "user", "u")
    assert found.tags == {"Team": "red"}
    assert {(policy.owner_id, policy.name, policy.document) for policy in found.inline} == {
        (user.id, "inline-u", POLICY),
        (group.id, "inline-g", POLICY),
    }
    assert {(policy.owner_id, policy.arn, policy.document) for policy in found.attached} == {
        (user.id, ADMINISTRATOR, None),
        (group.id, P, POLICY),
    }
    assert found.boundary is not None
    assert (found.boundary.arn, found.boundary.document) == (P, POLICY)
    assert stranger.id not in {policy.owner_id for policy in found.inline}
    w(policy_versions.set_default_policy_version, c, P, "v2")
    changed = world.read(identity_policies.policies_of, user.id)
    assert changed is not None
    assert changed.boundary is not None
    assert changed.boundary.document == text(allowing("ecr:Other"))
    assert world.read(identity_policies.policies_of, "AIDAGONE") is None
