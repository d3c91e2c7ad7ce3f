"""GetScopedCredentials: credentials of the same session that may do less, for less time."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from moorage.operations.sts.web_identity import SOURCE_IDENTITY
from moorage.testing import builders
from moorage.wire.aws.models import service_plan
from moorage.wire.aws.shapes import StringShape
from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.sts.conftest import ALLOW_ALL, Account, allow, trust

_PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability")


def session_of(home: Account, policy: dict[str, Any] = ALLOW_ALL, **options: Any) -> Any:
    """STS for a role's session."""
    user = home.user(ALLOW_ALL)
    role = home.role(trust(user.arn, actions=("sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession")), policy)
    made = home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="job", **options)
    return home.using(made["Credentials"])


def expires(made: dict[str, Any]) -> float:
    seconds: float = made["Credentials"]["Expiration"].timestamp()
    return seconds


def test_a_session_that_may_pull_one_repository_and_no_other(home: Account) -> None:
    ecr = home.server.client("ecr", key=home.root)
    one, other = (ecr.create_repository(repositoryName=fresh_name())["repository"] for _ in range(2))
    built = builders.image(5)
    with home.server.registry(key=home.root) as pusher:
        for repository in (one, other):
            pusher.push_image(repository["repositoryName"], built, "v1")
    policy = allow(*_PULL, resource=one["repositoryArn"])
    policy["Statement"].append({"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"})
    wide = session_of(home)
    made = wide.get_scoped_credentials(Policy=json.dumps(policy), ScopedSessionDescription="pull one")
    whoami, before = home.using(made["Credentials"]).get_caller_identity(), wide.get_caller_identity()
    assert {key: whoami[key] for key in ("UserId", "Arn", "Account")} == {
        key: before[key] for key in ("UserId", "Arn", "Account")
    }
    assert made["SessionInfo"] == {"ScopedSessionId": before["UserId"], "Arn": before["Arn"]}
    assert made["ScopedPoliciesCount"] == 1
    assert made["SessionTokenSize"] == len(made["Credentials"]["SessionToken"])
    scoped = home.using(made["Credentials"], "ecr")
    scoped.batch_get_image(repositoryName=one["repositoryName"], imageIds=[{"imageTag": "v1"}])
    with refused("AccessDeniedException"):
        scoped.batch_get_image(repositoryName=other["repositoryName"], imageIds=[{"imageTag": "v1"}])
    with refused("AccessDeniedException"):
        scoped.put_image_tag_mutability(repositoryName=one["repositoryName"], imageTagMutability="IMMUTABLE")
    token = scoped.get_authorization_token()["authorizationData"][0]
    password = base64.b64decode(token["authorizationToken"]).decode().partition(":")[2]
    # The token of docker ends with the credentials that asked for it.
    assert abs(token["expiresAt"].timestamp() - expires(made)) <= 1
    with home.server.registry(key=home.root) as plain, plain.other(password) as docker:
        docker.require_image(one["repositoryName"], built, "v1")
        assert docker.get(f"/v2/{other['repositoryName']}/manifests/v1").status == 403
        assert docker.request("POST", f"/v2/{one['repositoryName']}/blobs/uploads/").status == 403


def test_what_a_resource_grants_by_name_is_within_the_scope_as_well(home: Account) -> None:
    ecr = home.server.client("ecr", key=home.root)
    name = ecr.create_repository(repositoryName=fresh_name())["repository"]["repositoryName"]
    session = session_of(home, allow("ecr:DescribeRegistry"))
    grant = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": session.get_caller_identity()["Arn"]},
                "Action": "ecr:DescribeImages",
            }
        ],
    }
    ecr.set_repository_policy(repositoryName=name, policyText=json.dumps(grant))
    by_time = session.get_scoped_credentials(DurationSeconds=60)["Credentials"]
    home.using(by_time, "ecr").describe_images(repositoryName=name)
    by_policy = session.get_scoped_credentials(Policy=json.dumps(allow("ecr:ListImages")))["Credentials"]
    with refused("AccessDeniedException"):
        home.using(by_policy, "ecr").describe_images(repositoryName=name)


def test_layers_narrow_each_other_and_there_are_three(home: Account) -> None:
    session = session_of(home)
    policies = [
        allow("ecr:DescribeRegistry", "ecr:DescribeRepositories", "ecr:GetRegistryPolicy"),
        allow("ecr:DescribeRegistry", "ecr:DescribeRepositories"),
        allow("ecr:DescribeRegistry", "ecr:GetRegistryPolicy"),
    ]
    for count, policy in enumerate(policies, 1):
        made = session.get_scoped_credentials(Policy=json.dumps(policy))
        assert made["ScopedPoliciesCount"] == count
        session = home.using(made["Credentials"])
    ecr = home.using(made["Credentials"], "ecr")
    ecr.describe_registry()
    for act in (ecr.describe_repositories, ecr.get_registry_policy):
        with refused("AccessDeniedException"):
            act()
    with refused("AccessDenied", status=403):
        session.get_scoped_credentials(Policy=json.dumps(ALLOW_ALL))
    assert session.get_scoped_credentials(DurationSeconds=30)["ScopedPoliciesCount"] == 3


def test_it_never_lasts_longer(home: Account) -> None:
    session = session_of(home, DurationSeconds=900)
    whole = session.get_scoped_credentials(Policy=json.dumps(ALLOW_ALL))
    assert expires(whole) <= datetime.now(UTC).timestamp() + 900
    with refused("InsufficientSessionLifetime"):
        session.get_scoped_credentials(DurationSeconds=1000)
    short = session.get_scoped_credentials(DurationSeconds=60)
    assert (short["ScopedPoliciesCount"], expires(short) <= datetime.now(UTC).timestamp() + 60) == (0, True)
    with refused("InsufficientSessionLifetime"):
        home.using(short["Credentials"]).get_scoped_credentials(DurationSeconds=120)
    token = home.using(short["Credentials"], "ecr").get_authorization_token()["authorizationData"][0]
    assert abs(token["expiresAt"].timestamp() - expires(short)) <= 1


def test_only_sessions_can_be_scoped(home: Account) -> None:
    user = home.user(ALLOW_ALL)
    for key in (user.key, home.root):
        with refused("InvalidSubjectCredentials"):
            home.sts(key).get_scoped_credentials(DurationSeconds=60)
    own = home.using(home.sts(user.key).get_session_token()["Credentials"])
    made = own.get_scoped_credentials(Policy=json.dumps(allow("ecr:DescribeRegistry")))
    assert made["SessionInfo"] == {"ScopedSessionId": user.unique_id, "Arn": user.arn}
    home.using(made["Credentials"], "ecr").describe_registry()
    with refused("AccessDeniedException"):
        home.using(made["Credentials"], "ecr").describe_repositories()
    root = home.using(home.sts(home.root).get_session_token()["Credentials"])
    made = root.get_scoped_credentials(Policy=json.dumps(allow("ecr:DescribeRegistry")))
    with refused("AccessDeniedException"):
        home.using(made["Credentials"], "ecr").describe_repositories()
    federated = home.sts(user.key).get_federation_token(Name="ann", Policy=json.dumps(ALLOW_ALL))
    made = home.using(federated["Credentials"]).get_scoped_credentials(Policy=json.dumps(allow("ecr:DescribeRegistry")))
    assert made["SessionInfo"]["Arn"] == federated["FederatedUser"]["Arn"]


def test_what_it_is_given(home: Account) -> None:
    session = session_of(home)
    with refused("ValidationError", "At least one of Policy and DurationSeconds must be specified."):
        session.get_scoped_credentials(ScopedSessionDescription="nothing")
    with refused("MalformedPolicyDocument"):
        session.get_scoped_credentials(Policy="{}")
    with refused("ValidationError"):
        session.get_scoped_credentials(DurationSeconds=129_601)


def test_a_deny_forbids_it(home: Account) -> None:
    policy = {**ALLOW_ALL, "Statement": [*ALLOW_ALL["Statement"], {"Effect": "Deny", "Action": "sts:*", "Resource": "*"}]}
    session = session_of(home, policy)
    with refused("AccessDenied", status=403):
        session.get_scoped_credentials(DurationSeconds=60)
    session_of(home, allow("ecr:DescribeRegistry")).get_scoped_credentials(DurationSeconds=60)


def test_a_scope_bounds_the_roles_that_can_be_assumed(home: Account) -> None:
    session = session_of(home)
    arn = session.get_caller_identity()["Arn"]
    role = home.role(trust(arn), allow("ecr:DescribeRegistry"))
    narrow = home.using(session.get_scoped_credentials(Policy=json.dumps(allow("ecr:*")))["Credentials"])
    with refused("AccessDenied", status=403):
        narrow.assume_role(RoleArn=role["Arn"], RoleSessionName="next")
    session.assume_role(RoleArn=role["Arn"], RoleSessionName="next")


def test_identity_tags_and_source_identity_stay(home: Account) -> None:
    source = "s" * 256
    session = session_of(home, SourceIdentity=source, Tags=[{"Key": "team", "Value": "blue"}])
    conditioned = allow("ecr:DescribeRegistry", StringEquals={"aws:PrincipalTag/team": "blue", "aws:SourceIdentity": source})
    made = session.get_scoped_credentials(Policy=json.dumps(conditioned))
    assert made["SourceIdentity"] == source
    home.using(made["Credentials"], "ecr").describe_registry()
    shape = service_plan("sts").operations["AssumeRole"].input.members["SourceIdentity"].shape
    assert isinstance(shape, StringShape)
    assert shape.max == SOURCE_IDENTITY


@pytest.mark.parametrize("size", [0, 2000, 4095, 4096])
def test_tokens_as_long_as_a_client_asks_for(home: Account, size: int) -> None:
    made = session_of(home).get_scoped_credentials(DurationSeconds=60, MinimumSessionTokenSize=size)
    assert made["SessionTokenSize"] == len(made["Credentials"]["SessionToken"])
    assert size <= made["SessionTokenSize"] <= max(size + 4, 1500)
    assert made["SessionTokenUtilization"] <= 100
    home.using(made["Credentials"]).get_caller_identity()
