"""Many at once: quotas hold, names are given once, nobody sees a fault of the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from tests.conftest import fresh_name
from tests.integration.iam.documents import ADMINISTRATOR, POLICY, READ_ONLY, TRUST


def outcomes(calls: list[Callable[[], Any]]) -> Counter[str]:
    """How often which code was answered to calls made together; an empty one for success."""

    def code_of(call: Callable[[], Any]) -> str:
        try:
            call()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    with ThreadPoolExecutor(len(calls)) as pool:
        return Counter(pool.map(code_of, calls))


def test_a_name_is_given_once(iam: Any) -> None:
    name = fresh_name("once")
    assert outcomes([lambda: iam.create_user(UserName=name)] * 8) == {"": 1, "EntityAlreadyExists": 7}
    assert outcomes([lambda: iam.create_policy(PolicyName=name, PolicyDocument=POLICY)] * 8) == {"": 1, "EntityAlreadyExists": 7}


def test_quotas_hold(iam: Any, user: str, group: str) -> None:
    assert outcomes([lambda: iam.create_access_key(UserName=user)] * 8) == {"": 2, "LimitExceeded": 6}
    policy = iam.create_policy(PolicyName=fresh_name("p"), PolicyDocument=POLICY)["Policy"]["Arn"]
    versions = outcomes([lambda: iam.create_policy_version(PolicyArn=policy, PolicyDocument=POLICY)] * 8)
    assert versions == {"": 4, "LimitExceeded": 4}
    assert outcomes([lambda: iam.attach_group_policy(GroupName=group, PolicyArn=policy)] * 8) == {"": 8}


def test_deleting_while_giving(iam: Any) -> None:
    """Either the user goes, or it has what it was given."""
    for _ in range(5):
        name = fresh_name("race")
        iam.create_user(UserName=name)
        calls: list[Callable[[], Any]] = [
            lambda name=name: iam.attach_user_policy(UserName=name, PolicyArn=ADMINISTRATOR),  # type: ignore[misc]
            lambda name=name: iam.delete_user(UserName=name),  # type: ignore[misc]
            lambda name=name: iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=POLICY),  # type: ignore[misc]
            lambda name=name: iam.create_access_key(UserName=name),  # type: ignore[misc]
        ]
        assert set(outcomes(calls)) <= {"", "NoSuchEntity", "DeleteConflict"}
        try:
            iam.get_user(UserName=name)
        except iam.exceptions.NoSuchEntityException:
            iam.create_user(UserName=name)
            assert iam.list_attached_user_policies(UserName=name)["AttachedPolicies"] == []
            assert iam.list_user_policies(UserName=name)["PolicyNames"] == []


def test_a_policy_is_not_deleted_under_an_attachment(iam: Any, role: str) -> None:
    for _ in range(5):
        policy = iam.create_policy(PolicyName=fresh_name("race"), PolicyDocument=POLICY)["Policy"]["Arn"]
        calls: list[Callable[[], Any]] = [
            lambda arn=policy: iam.delete_policy(PolicyArn=arn),  # type: ignore[misc]
            lambda arn=policy: iam.attach_role_policy(RoleName=role, PolicyArn=arn),  # type: ignore[misc]
        ]
        assert set(outcomes(calls)) <= {"", "NoSuchEntity", "DeleteConflict"}
        for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            assert iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["AttachmentCount"] == 1
            iam.detach_role_policy(RoleName=role, PolicyArn=attached["PolicyArn"])


def test_everything_of_one_account_at_once(own: Any) -> None:
    """Changes of one account take turns; none of them fails for that."""
    own.create_group(GroupName="g")
    calls: list[Callable[[], Any]] = []
    for number in range(6):
        calls += [
            lambda number=number: own.create_user(UserName=f"u{number}"),  # type: ignore[misc]
            lambda number=number: own.create_role(RoleName=f"r{number}", AssumeRolePolicyDocument=TRUST),  # type: ignore[misc]
            lambda: own.attach_group_policy(GroupName="g", PolicyArn=READ_ONLY),
            own.get_account_authorization_details,
        ]
    assert outcomes(calls) == {"": 24}
    assert len(own.list_users()["Users"]) == len(own.list_roles()["Roles"]) == 6
