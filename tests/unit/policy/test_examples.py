"""Worked examples: policies, a request, the verdict. Each row is one rule of evaluation."""

# ruff: noqa: E501 - one case to a line
from __future__ import annotations

from collections.abc import Callable

import pytest

from moorage.policy.compile import PolicySet, Source, compile_policy
from moorage.policy.document import Kind
from moorage.policy.evaluate import Decision
from moorage.policy.managed import MANAGED
from moorage.policy.parse import parse
from moorage.policy.principals import Principal
from tests.unit.policy.builders import (
    BU,
    PULL,
    R_ARN,
    RB,
    ROOT_A,
    S_ARN,
    U_ARN,
    A,
    B,
    R,
    S,
    U,
    V,
    allow,
    ask,
    boundary,
    deny,
    identity,
    on_registry,
    on_repository,
    repository,
    session,
    trust,
    verdict,
)

TOKEN = "ecr:GetAuthorizationToken"
TEAM_MATCHES = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
ORG = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
NOT_ORG = {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}
NOT_ORG_IF_EXISTS = {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}
NET = {"aws:SourceIp": "10.0.0.0/8"}
MFA = "aws:MultiFactorAuthPresent"
S3_ONLY = boundary(allow("s3:*", "*"))
TEAM_A = allow("ecr:CreateRepository", "*", condition={"StringEquals": {"aws:RequestTag/team": "a"}})
SOME_KEYS = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "env"]}}
TEAM_KEY = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
ALL = allow("ecr:*", "*")
ROLE = f"arn:aws:iam::{A}:role/r"
ROLE_B = f"arn:aws:iam::{B}:role/r"
LAMBDA = Principal.service("lambda.amazonaws.com")
BY_FUNCTION = {"StringLike": {"aws:SourceArn": f"arn:aws:lambda:us-east-1:{A}:function:*"}}
FUNCTION = {"aws:SourceArn": f"arn:aws:lambda:us-east-1:{A}:function:f"}
OIDC = f"arn:aws:iam::{A}:oidc-provider/token.example.com"
WEB = Principal.web_identity(OIDC)
ASSUME, WITH_WEB = "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"
PULL_ONLY = PolicySet(
    [compile_policy(parse(MANAGED["/AmazonEC2ContainerRegistryPullOnly"].document, Kind.IDENTITY), Source("p"))]
)


def aws(name: str) -> dict[str, str]:
    """A principal of the kind AWS."""
    return {"AWS": name}


def tagged_team_a(action: str, *, may_tag: bool) -> Decision:
    """Create a repository with the tag team=a: also needs to tag."""
    extra = [allow("ecr:TagResource", "*")] if may_tag else []
    return ask(U, action, identity=identity(TEAM_A, *extra), request_tags={"team": "a"})


CASES: list[tuple[str, str, Callable[[], Decision]]] = [
    ("1", "implicit deny (identity)", lambda: ask(U, PULL)),
    ("2", "allow", lambda: ask(U, PULL, identity=identity(allow(PULL, R)))),
    ("3", "implicit deny (identity)", lambda: ask(U, TOKEN, "*", identity=identity(allow("ecr:*", R)))),
    ("4", "allow", lambda: ask(U, TOKEN, "*", identity=identity(allow(TOKEN, "*")))),
    ("5", "allow", lambda: ask(U, PULL, identity=identity(allow("ECR:batchgetimage", R)))),
    ("6", "implicit deny (identity)", lambda: ask(U, PULL, identity=identity(allow(PULL, repository("APP"))))),
    ("7", "allow", lambda: ask(U, "ecr:BatchDeleteImage", repository("team/x"), identity=identity(allow("ecr:Batch*", repository("*"))))),
    ("8", "implicit deny (identity)", lambda: ask(U, PULL, repository("team"), identity=identity(allow(PULL, repository("team/*"))))),
    ("9", "explicit deny (identity)", lambda: ask(U, PULL, identity=identity(ALL, deny(PULL, R)))),
    ("10", "explicit deny (resource)", lambda: ask(U, PULL, identity=identity(ALL), resource_policy=on_repository(deny(PULL, principal="*")))),
    ("11", "allow", lambda: ask(U, PULL, resource_policy=on_repository(allow(PULL, principal=aws(U_ARN))))),
    ("12", "implicit deny (identity)", lambda: ask(U, PULL, resource_policy=on_repository(allow(PULL, principal=aws(ROOT_A))))),
    ("13", "allow", lambda: ask(U, PULL, identity=identity(allow(PULL, R)), resource_policy=on_repository(allow(PULL, principal=aws(ROOT_A))))),
    ("14", "allow", lambda: ask(U, PULL, resource_policy=on_repository(allow(PULL, principal="*")))),
    ("15", "implicit deny (identity)", lambda: ask(Principal.anonymous(), PULL, resource_policy=on_repository(allow(PULL, principal="*")))),
    ("16", "allow", lambda: ask(U, PULL, boundary=S3_ONLY, resource_policy=on_repository(allow(PULL, principal=aws(U_ARN))))),
    ("17", "implicit deny (boundary)", lambda: ask(S, PULL, boundary=S3_ONLY, resource_policy=on_repository(allow(PULL, principal=aws(R_ARN))))),
    ("18", "allow", lambda: ask(S, PULL, boundary=S3_ONLY, resource_policy=on_repository(allow(PULL, principal=aws(S_ARN))))),
    ("19", "implicit deny (session)", lambda: ask(S, PULL, session=session(allow("ecr:DescribeImages", "*")), resource_policy=on_repository(allow(PULL, principal=aws(R_ARN))))),
    ("20", "implicit deny (boundary)", lambda: ask(U, "ecr:PutImage", identity=identity(ALL), boundary=boundary(allow(PULL, "*")))),
    ("21", "explicit deny (boundary)", lambda: ask(U, PULL, identity=identity(allow(PULL, R)), boundary=boundary(deny(PULL, "*")))),
    ("22", "implicit deny (identity)", lambda: ask(U, PULL, boundary=boundary(allow("*", "*")))),
    ("23", "implicit deny (session)", lambda: ask(S, "ecr:PutImage", identity=identity(ALL), session=session(allow(PULL, "*")))),
    ("24", "implicit deny (identity)", lambda: ask(S, "ecr:PutImage", identity=identity(allow(PULL, "*")), session=session(ALL))),
    ("25", "implicit deny (resource)", lambda: ask(U, PULL, RB, identity=identity(allow(PULL, RB)))),
    ("26", "implicit deny (identity)", lambda: ask(U, PULL, RB, resource_policy=on_repository(allow(PULL, principal=aws(U_ARN))))),
    ("27", "allow", lambda: ask(U, PULL, RB, identity=identity(allow(PULL, RB)), resource_policy=on_repository(allow(PULL, principal=aws(A))))),
    ("28", "implicit deny (resource)", lambda: ask(U, PULL, RB, identity=identity(allow(PULL, RB)), resource_policy=on_repository(allow(PULL, principal="*", condition=ORG)))),
    ("29", "explicit deny (resource)", lambda: ask(U, PULL, RB, identity=identity(allow(PULL, RB)), resource_policy=on_repository(deny(PULL, principal="*", condition=NOT_ORG)))),
    ("30", "explicit deny (resource)", lambda: ask(U, PULL, RB, identity=identity(allow(PULL, RB)), resource_policy=on_repository(deny(PULL, principal="*", condition=NOT_ORG_IF_EXISTS)))),
    ("31", "implicit deny (identity)", lambda: ask(U, PULL, identity=identity(allow(PULL, "*", condition={"IpAddress": NET})), keys={"aws:SourceIp": "192.0.2.1"})),
    ("32", "allow", lambda: ask(U, PULL, identity=identity(ALL, deny("ecr:*", "*", condition={"NotIpAddress": NET})), keys={"aws:SourceIp": "10.1.2.3"})),
    ("33", "allow", lambda: tagged_team_a("ecr:CreateRepository", may_tag=True)),
    ("33, tagging", "allow", lambda: tagged_team_a("ecr:TagResource", may_tag=True)),
    ("34", "implicit deny (identity)", lambda: tagged_team_a("ecr:TagResource", may_tag=False)),
    ("35", "implicit deny (identity)", lambda: ask(U, "ecr:CreateRepository", identity=identity(TEAM_A))),
    ("36", "implicit deny (identity)", lambda: ask(U, "ecr:TagResource", identity=identity(allow("ecr:TagResource", "*", condition=SOME_KEYS)), request_tags={"cost": "1"})),
    ("37", "allow", lambda: ask(U, "ecr:CreateRepository", identity=identity(allow("ecr:CreateRepository", "*", condition=TEAM_KEY)))),
    ("38", "implicit deny (identity)", lambda: ask(U, "ecr:CreateRepository", identity=identity(allow("ecr:CreateRepository", "*", condition={**TEAM_KEY, "Null": {"aws:TagKeys": "false"}})))),
    ("39", "explicit deny (identity)", lambda: ask(U, "ecr:TagResource", identity=identity(ALL, deny("ecr:TagResource", "*", condition={"ForAnyValue:StringEquals": {"aws:TagKeys": ["owner"]}})), request_tags={"owner": "x", "a": "b"})),
    ("40", "allow", lambda: ask(U, PULL, identity=identity(allow("ecr:*", "*", condition=TEAM_MATCHES)), resource_tags={"team": "a"}, principal_tags={"team": "a"})),
    ("41", "implicit deny (identity)", lambda: ask(U, PULL, identity=identity(allow("ecr:*", "*", condition=TEAM_MATCHES)), resource_tags={"team": "a"})),
    ("42", "implicit deny (identity)", lambda: ask(U, PULL, identity=identity(allow("ecr:*", "*", condition=TEAM_MATCHES), version="2008-10-17"), resource_tags={"team": "a"}, principal_tags={"team": "a"})),
    ("43", "allow", lambda: ask(Principal.user(f"arn:aws:iam::{A}:user/bob", "AIDA1"), PULL, repository("bob/x"), identity=identity(allow("ecr:*", repository("${aws:username}/*"))))),
    ("44", "implicit deny (identity)", lambda: ask(S, PULL, repository("bob/x"), identity=identity(allow("ecr:*", repository("${aws:username}/*"))))),
    ("45", "implicit deny (identity)", lambda: ask(U, "ecr:DeleteRepository", identity=identity(allow(None, "*", NotAction="ecr:Delete*")))),
    ("46", "allow", lambda: ask(U, "ecr:DeleteRepository", identity=identity(allow(None, "*", NotAction="ecr:Delete*"), allow("ecr:DeleteRepository", R)))),
    ("47", "explicit deny (identity)", lambda: ask(U, ASSUME, ROLE, identity=identity(allow("*", "*"), deny(None, "*", NotAction="ecr:*")))),
    ("48", "implicit deny (identity)", lambda: ask(U, "ecr:PutImage", repository("prod/x"), identity=identity(allow("ecr:*", None, NotResource=repository("prod/*"))))),
    ("49", "allow", lambda: ask(U, TOKEN, "*", identity=identity(allow("ecr:*", None, NotResource=repository("prod/*"))))),
    ("50", "explicit deny (resource)", lambda: ask(V, PULL, identity=identity(ALL), resource_policy=on_repository(deny("ecr:*", NotPrincipal=aws(U_ARN))))),
    ("51", "allow", lambda: ask(U, PULL, identity=identity(ALL), resource_policy=on_repository(deny("ecr:*", NotPrincipal=aws(U_ARN))))),
    ("52", "explicit deny (resource)", lambda: ask(U, PULL, identity=identity(ALL), boundary=boundary(allow("*", "*")), resource_policy=on_repository(deny("ecr:*", NotPrincipal=aws(U_ARN))))),
    ("53", "implicit deny (identity)", lambda: ask(U, PULL, identity=identity(allow("ecr:*", "*", condition={"Bool": {MFA: "true"}})))),
    ("54", "explicit deny (identity)", lambda: ask(U, PULL, identity=identity(ALL, deny("ecr:*", "*", condition={"BoolIfExists": {MFA: "false"}})))),
    ("55", "allow", lambda: ask(U, PULL, identity=identity(ALL, deny("ecr:*", "*", condition={"Bool": {MFA: "false"}})))),
    ("56", "implicit deny (identity)", lambda: ask(U, PULL, identity=identity(allow("ecr:*", "*", condition={"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}})), keys={"aws:CurrentTime": "2025-06-01T12:00:00Z"})),
    ("57", "allow", lambda: ask(Principal.session(f"arn:aws:iam::{A}:role/ci-x", "AROA1", "s"), PULL, identity=identity(allow("ecr:*", "*", condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/ci-*"}})))),
    ("58", "implicit deny (resource)", lambda: ask(BU, PULL, identity=identity(allow(PULL, R)), registry=on_registry(allow(PULL, repository("*"), principal=aws(B))), scope="V1")),
    ("59", "allow", lambda: ask(BU, PULL, identity=identity(allow(PULL, R)), registry=on_registry(allow(PULL, repository("*"), principal=aws(B))), scope="V2")),
    ("60, replicate", "allow", lambda: ask(Principal.root(B), "ecr:ReplicateImage", registry=on_registry(allow("ecr:ReplicateImage", repository("*"), principal=aws(B))), scope="V1")),
    ("60", "implicit deny (resource)", lambda: ask(Principal.root(B), "ecr:CreateRepository", registry=on_registry(allow("ecr:ReplicateImage", repository("*"), principal=aws(B))), scope="V1")),
    ("61", "explicit deny (resource)", lambda: ask(Principal.root(A), PULL, resource_policy=on_repository(deny("ecr:*", principal="*")))),
    ("61, rescue", "allow", lambda: ask(Principal.root(A), "ecr:SetRepositoryPolicy", resource_policy=on_repository(deny("ecr:*", principal="*")))),
    ("61, rescue elsewhere", "explicit deny (resource)", lambda: ask(Principal.root(B), "ecr:SetRepositoryPolicy", resource_policy=on_repository(deny("ecr:*", principal="*")))),
    ("62", "allow", lambda: ask(Principal.root(A), PULL)),
    ("62, elsewhere", "implicit deny (resource)", lambda: ask(Principal.root(A), PULL, RB)),
    ("63", "allow", lambda: ask(LAMBDA, PULL, resource_policy=on_repository(allow(PULL, principal={"Service": LAMBDA.arn}, condition=BY_FUNCTION)), keys=FUNCTION)),
    ("63, other function", "implicit deny (resource)", lambda: ask(LAMBDA, PULL, resource_policy=on_repository(allow(PULL, principal={"Service": LAMBDA.arn}, condition=BY_FUNCTION)))),
    ("63, anybody", "implicit deny (resource)", lambda: ask(LAMBDA, PULL, resource_policy=on_repository(allow(PULL, principal="*")))),
    ("64", "allow", lambda: ask(U, PULL, identity=PolicySet([*identity().policies, *identity(allow(PULL, R)).policies]))),
    ("65", "allow", lambda: ask(U, "ecr:GetDownloadUrlForLayer", identity=PULL_ONLY)),
    ("65, push", "implicit deny (identity)", lambda: ask(U, "ecr:PutImage", identity=PULL_ONLY)),
    ("66", "allow", lambda: ask(U, ASSUME, ROLE_B, identity=identity(allow(ASSUME, ROLE_B)), resource_policy=trust(allow(ASSUME, principal=aws(ROOT_A))))),
    ("66, no identity", "implicit deny (identity)", lambda: ask(U, ASSUME, ROLE_B, resource_policy=trust(allow(ASSUME, principal=aws(ROOT_A))))),
    ("67", "allow", lambda: ask(U, ASSUME, ROLE, resource_policy=trust(allow(ASSUME, principal=aws(U_ARN))))),
    ("68", "implicit deny (identity)", lambda: ask(U, ASSUME, ROLE, resource_policy=trust(allow(ASSUME, principal=aws(ROOT_A))))),
    ("69", "implicit deny (resource)", lambda: ask(U, ASSUME, ROLE, identity=identity(allow("*", "*")), resource_policy=trust(allow(ASSUME, principal=aws(ROOT_A), condition={"StringEquals": {"sts:ExternalId": "x"}})))),
    ("69, with id", "allow", lambda: ask(U, ASSUME, ROLE, identity=identity(allow("*", "*")), resource_policy=trust(allow(ASSUME, principal=aws(ROOT_A), condition={"StringEquals": {"sts:ExternalId": "x"}})), keys={"sts:ExternalId": "x"})),
    ("70", "allow", lambda: ask(U, "sts:GetCallerIdentity", "*", identity=identity(deny("*", "*")))),
    ("web identity", "allow", lambda: ask(WEB, WITH_WEB, ROLE, resource_policy=trust(allow(WITH_WEB, principal={"Federated": OIDC}, condition={"StringEquals": {"token.example.com:aud": "sts"}})), keys={"token.example.com:aud": "sts"})),
    ("web identity, audience", "implicit deny (resource)", lambda: ask(WEB, WITH_WEB, ROLE, resource_policy=trust(allow(WITH_WEB, principal={"Federated": OIDC}, condition={"StringEquals": {"token.example.com:aud": "sts"}})), keys={"token.example.com:aud": "x"})),
    ("web identity, other provider", "implicit deny (resource)", lambda: ask(Principal.web_identity(OIDC + "/x"), WITH_WEB, ROLE, resource_policy=trust(allow(WITH_WEB, principal={"Federated": OIDC})))),
    ("trust of another service", "implicit deny (resource)", lambda: ask(LAMBDA, ASSUME, ROLE, resource_policy=trust(allow(ASSUME, principal={"Service": "ecs.amazonaws.com"})))),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "decision"), [pytest.param(wanted, run, id=name) for name, wanted, run in CASES])
def test_worked_examples(wanted: str, decision: Callable[[], Decision]) -> None:
    assert verdict(decision()) == wanted
