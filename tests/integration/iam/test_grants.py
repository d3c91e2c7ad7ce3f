"""What users, groups and roles may do: inline policies, attachments, boundaries."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.iam.documents import ADMINISTRATOR, POLICY, READ_ONLY, TRUST, allowing, arn, of_size, text


@dataclass(frozen=True)
class Entity:
    """A user, a group or a role, called alike."""

    iam: Any
    kind: str
    name: str

    def call(self, method: str, **arguments: Any) -> Any:
        """``call("put_{}_policy")`` is ``put_user_policy(UserName=...)`` for a user."""
        return getattr(self.iam, method.format(self.kind))(**{f"{self.kind.capitalize()}Name": self.name}, **arguments)


@pytest.fixture(params=["user", "group", "role"])
def entity(request: pytest.FixtureRequest, iam: Any) -> Entity:
    name = fresh_name(request.param)
    create: dict[str, Callable[[], Any]] = {
        "user": lambda: iam.create_user(UserName=name),
        "group": lambda: iam.create_group(GroupName=name),
        "role": lambda: iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST),
    }
    create[request.param]()
    return Entity(iam, request.param, name)


@pytest.fixture(params=["user", "role"])
def bounded(request: pytest.FixtureRequest, iam: Any) -> Entity:
    name = fresh_name(request.param)
    if request.param == "user":
        iam.create_user(UserName=name, PermissionsBoundary=READ_ONLY)
    else:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, PermissionsBoundary=READ_ONLY)
    return Entity(iam, request.param, name)


def test_inline_policies(entity: Entity) -> None:
    names = ["b", "A", "c"]
    for name in names:
        entity.call("put_{}_policy", PolicyName=name, PolicyDocument=POLICY)
    pages = [entity.call("list_{}_policies", MaxItems=2)]
    pages.append(entity.call("list_{}_policies", MaxItems=2, Marker=pages[0]["Marker"]))
    assert [page["PolicyNames"] for page in pages] == [["A", "b"], ["c"]]
    entity.call("put_{}_policy", PolicyName="b", PolicyDocument=text(allowing("ecr:Other")))
    found = entity.call("get_{}_policy", PolicyName="b")
    assert found[f"{entity.kind.capitalize()}Name"] == entity.name
    assert (found["PolicyName"], found["PolicyDocument"]) == ("b", allowing("ecr:Other"))
    entity.call("delete_{}_policy", PolicyName="b")
    message = f"The {entity.kind} policy with name b cannot be found."
    for method in ("get_{}_policy", "delete_{}_policy"):
        with refused("NoSuchEntity", message, 404):
            entity.call(method, PolicyName="b")


def test_inline_policies_share_a_quota(entity: Entity) -> None:
    limit = {"user": 2048, "group": 5120, "role": 10240}[entity.kind]
    entity.call("put_{}_policy", PolicyName="a", PolicyDocument=of_size(limit - 200))
    entity.call("put_{}_policy", PolicyName="b", PolicyDocument=of_size(200))
    message = f"Maximum policy size of {limit} bytes exceeded for {entity.kind} {entity.name}"
    with refused("LimitExceeded", message, 409):
        entity.call("put_{}_policy", PolicyName="b", PolicyDocument=of_size(201))
    entity.call("put_{}_policy", PolicyName="a", PolicyDocument=of_size(limit - 201))
    entity.call("put_{}_policy", PolicyName="b", PolicyDocument=of_size(201))


def test_attachments(entity: Entity) -> None:
    for _ in range(2):
        entity.call("attach_{}_policy", PolicyArn=ADMINISTRATOR)
    entity.call("attach_{}_policy", PolicyArn=READ_ONLY)
    first = entity.call("list_attached_{}_policies", MaxItems=1)
    assert first["AttachedPolicies"] == [{"PolicyName": "AdministratorAccess", "PolicyArn": ADMINISTRATOR}]
    rest = entity.call("list_attached_{}_policies", MaxItems=1, Marker=first["Marker"])
    assert [entry["PolicyArn"] for entry in rest["AttachedPolicies"]] == [READ_ONLY]
    assert rest["IsTruncated"] is False
    assert entity.call("list_attached_{}_policies", PathPrefix="/service-role/")["AttachedPolicies"] == []
    entity.call("detach_{}_policy", PolicyArn=ADMINISTRATOR)
    with refused("NoSuchEntity", f"Policy {ADMINISTRATOR} was not found.", 404):
        entity.call("detach_{}_policy", PolicyArn=ADMINISTRATOR)


def test_what_cannot_be_attached(entity: Entity, own: Any) -> None:
    foreign = own.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    for missing in (arn("policy", "nothing"), "arn:aws:iam::aws:policy/Nothing", foreign):
        with refused("NoSuchEntity", f"Policy {missing} does not exist or is not attachable.", 404):
            entity.call("attach_{}_policy", PolicyArn=missing)
    for wrong in (arn("role", "r"), "arn:aws:s3:::bucket/object", "x" * 20):
        with refused("InvalidInput", f"ARN {wrong} is not valid."):
            entity.call("attach_{}_policy", PolicyArn=wrong)


def test_policies_of_services_are_not_attached_by_users(entity: Entity) -> None:
    policy = "arn:aws:iam::aws:policy/aws-service-role/ECRReplicationServiceRolePolicy"
    assert entity.iam.get_policy(PolicyArn=policy)["Policy"]["IsAttachable"] is False
    with refused("PolicyNotAttachable", "Cannot attach a Service Role Policy to a Customer Role."):
        entity.call("attach_{}_policy", PolicyArn=policy)
    if entity.kind != "group":
        with refused("PolicyNotAttachable"):
            entity.call("put_{}_permissions_boundary", PermissionsBoundary=policy)


def test_ten_attachments_are_enough(entity: Entity) -> None:
    arns = [entity.iam.create_policy(PolicyName=fresh_name("p"), PolicyDocument=POLICY)["Policy"]["Arn"] for _ in range(11)]
    for each in arns[:10]:
        entity.call("attach_{}_policy", PolicyArn=each)
    with refused("LimitExceeded", f"Cannot exceed quota for PoliciesPer{entity.kind.capitalize()}: 10", 409):
        entity.call("attach_{}_policy", PolicyArn=arns[10])
    entity.call("attach_{}_policy", PolicyArn=arns[0])


def test_unknown_entities(iam: Any) -> None:
    for kind in ("user", "group", "role"):
        nobody = Entity(iam, kind, "nobody")
        message = f"The {kind} with name nobody cannot be found."
        for method, arguments in (
            ("put_{}_policy", {"PolicyName": "p", "PolicyDocument": POLICY}),
            ("get_{}_policy", {"PolicyName": "p"}),
            ("delete_{}_policy", {"PolicyName": "p"}),
            ("list_{}_policies", {}),
            ("attach_{}_policy", {"PolicyArn": ADMINISTRATOR}),
            ("detach_{}_policy", {"PolicyArn": ADMINISTRATOR}),
            ("list_attached_{}_policies", {}),
        ):
            with refused("NoSuchEntity", message, 404):
                nobody.call(method, **arguments)


def test_boundaries(bounded: Entity, iam: Any) -> None:
    def boundary() -> Any:
        return bounded.call("get_{}")[bounded.kind.capitalize()].get("PermissionsBoundary")

    assert boundary() == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": READ_ONLY}
    policy = iam.create_policy(PolicyName=fresh_name("boundary"), PolicyDocument=POLICY)["Policy"]["Arn"]
    bounded.call("put_{}_permissions_boundary", PermissionsBoundary=policy)
    assert boundary()["PermissionsBoundaryArn"] == policy
    counted = iam.get_policy(PolicyArn=policy)["Policy"]
    assert (counted["AttachmentCount"], counted["PermissionsBoundaryUsageCount"]) == (0, 1)
    listed = iam.list_entities_for_policy(PolicyArn=policy, PolicyUsageFilter="PermissionsBoundary")
    assert [entry[f"{bounded.kind.capitalize()}Name"] for entry in listed[f"Policy{bounded.kind.capitalize()}s"]] == [
        bounded.name
    ]
    assert iam.list_entities_for_policy(PolicyArn=policy, PolicyUsageFilter="PermissionsPolicy")["PolicyRoles"] == []
    for wrong in (arn("role", "some-role"), "no arn but long enough"):
        with refused("ValidationError", f"Value ({wrong}) for parameter PermissionsBoundary is invalid."):
            bounded.call("put_{}_permissions_boundary", PermissionsBoundary=wrong)
    missing = arn("policy", "nothing")
    with refused("NoSuchEntity", f"Policy {missing} does not exist or is not attachable.", 404):
        bounded.call("put_{}_permissions_boundary", PermissionsBoundary=missing)
    bounded.call("delete_{}_permissions_boundary")
    assert boundary() is None
    with refused("NoSuchEntity", status=404):
        bounded.call("delete_{}_permissions_boundary")


def test_a_boundary_must_exist_at_creation(iam: Any) -> None:
    name, missing = fresh_name("u"), arn("policy", "nothing")
    with refused("NoSuchEntity", f"Policy {missing} does not exist or is not attachable.", 404):
        iam.create_user(UserName=name, PermissionsBoundary=missing)
    with refused("ValidationError", f"Value ({arn('user', 'name')}) for parameter PermissionsBoundary is invalid."):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, PermissionsBoundary=arn("user", "name"))
    with refused("NoSuchEntity", status=404):
        iam.get_user(UserName=name)


def test_entities_for_policy(own: Any) -> None:
    policy = own.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    for number in range(3):
        own.create_user(UserName=f"u{number}", Path="/x/")
        own.attach_user_policy(UserName=f"u{number}", PolicyArn=policy)
    own.create_group(GroupName="g")
    own.attach_group_policy(GroupName="g", PolicyArn=policy)
    own.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=policy)
    own.create_role(RoleName="other", AssumeRolePolicyDocument=TRUST)
    pages = list(own.get_paginator("list_entities_for_policy").paginate(PolicyArn=policy, PaginationConfig={"PageSize": 2}))
    assert len(pages) == 3
    found = {
        noun: [entry[f"{noun}Name"] for page in pages for entry in page[f"Policy{noun}s"]] for noun in ("User", "Group", "Role")
    }
    assert found == {"User": ["u0", "u1", "u2"], "Group": ["g"], "Role": ["r"]}
    only = own.list_entities_for_policy(PolicyArn=policy, EntityFilter="Group")
    assert (only["PolicyUsers"], [entry["GroupName"] for entry in only["PolicyGroups"]]) == ([], ["g"])
    assert len(own.list_entities_for_policy(PolicyArn=policy, PathPrefix="/x/")["PolicyUsers"]) == 3
    assert own.list_entities_for_policy(PolicyArn=policy, PathPrefix="/x/")["PolicyGroups"] == []
    assert own.get_policy(PolicyArn=policy)["Policy"]["AttachmentCount"] == 4


def test_attachments_of_other_accounts_do_not_count(iam: Any, own: Any, user: str) -> None:
    iam.attach_user_policy(UserName=user, PolicyArn=ADMINISTRATOR)
    assert own.get_policy(PolicyArn=ADMINISTRATOR)["Policy"]["AttachmentCount"] == 0
    listed = own.list_entities_for_policy(PolicyArn=ADMINISTRATOR)
    assert (listed["PolicyUsers"], listed["PolicyGroups"], listed["PolicyRoles"]) == ([], [], [])
    assert own.list_policies(OnlyAttached=True)["Policies"] == []


def test_documents_are_checked(entity: Entity) -> None:
    for document in ("{", "[]", "5", json.dumps({"Version": "2012-10-17"})):
        with refused("MalformedPolicyDocument"):
            entity.call("put_{}_policy", PolicyName="p", PolicyDocument=document)
    with refused("ValidationError"):
        entity.call("put_{}_policy", PolicyName="p", PolicyDocument="\U0001f600")
