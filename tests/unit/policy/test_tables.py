"""The tables of actions and managed policies against their sources, and findings about documents."""

from __future__ import annotations

import json
from typing import Any

import botocore.loaders
import pytest

from moorage.policy import actions, managed
from moorage.policy.action_names import OPERATIONS, PERMISSIONS_ONLY
from moorage.policy.actions import DESCRIBED, NAMES, Level
from moorage.policy.compile import PolicySet, Source, compile_policy
from moorage.policy.document import Kind
from moorage.policy.evaluate import V1_ACTIONS
from moorage.policy.findings import Code, findings
from moorage.policy.parse import parse
from moorage.policy.sizes import MANAGED, counted_size
from tests.unit.policy.builders import PULL, A, R, U, allow, ask, deny, document, identity, repository


def operations(service: str) -> set[str]:
    """The operations of a service's model."""
    return set(botocore.loaders.Loader().load_service_model(service, "service-2")["operations"])


@pytest.mark.parametrize("service", sorted(OPERATIONS))
def test_names_are_those_of_the_model(service: str) -> None:
    assert set(OPERATIONS[service]) == operations(service)
    assert len(set(OPERATIONS[service])) == len(OPERATIONS[service])
    assert not set(PERMISSIONS_ONLY.get(service, ())) & operations(service)


def test_ecrs_actions_are_its_operations_and_permissions() -> None:
    described = {action.name.partition(":")[2] for action in DESCRIBED.values() if action.name.startswith("ecr:")}
    borrowed = {name.partition(":")[2] for name in actions.BORROWED}
    assert described == operations("ecr") - borrowed | set(actions.ECR_PERMISSIONS_ONLY)
    assert not set(actions.ECR_PERMISSIONS_ONLY) & operations("ecr")
    public = {action.name.partition(":")[2] for action in DESCRIBED.values() if action.name.startswith("ecr-public:")}
    assert public == operations("ecr-public")


def test_what_actions_need_and_where() -> None:
    levels = {level: {a.name for a in DESCRIBED.values() if a.level is level and a.name.startswith("ecr:")} for level in Level}
    assert levels[Level.PERMISSIONS] == {
        "ecr:SetRepositoryPolicy",
        "ecr:DeleteRepositoryPolicy",
        "ecr:PutRegistryPolicy",
        "ecr:DeleteRegistryPolicy",
    }
    assert levels[Level.TAGGING] == {"ecr:TagResource", "ecr:UntagResource"}
    assert {"ecr:ListImages", "ecr:DescribeImages", "ecr:DescribePullThroughCacheRules"} <= levels[Level.LIST]
    assert {"ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:ValidatePullThroughCacheRule"} <= levels[Level.READ]
    assert {"ecr:PutImage", "ecr:BatchDeleteImage", "ecr:ReplicateImage"} <= levels[Level.WRITE]
    create = DESCRIBED["ecr:createrepository"]
    assert create.dependent == ("ecr:TagResource",)
    assert set(create.keys) == {
        "aws:ResourceTag/${TagKey}",
        "ecr:ResourceTag/${TagKey}",
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
    }
    assert DESCRIBED["ecr:getauthorizationtoken"].resource == "*"
    assert DESCRIBED["ecr:getauthorizationtoken"].keys == ()
    assert DESCRIBED["ecr-public:describeregistries"].resource == "registry"
    assert all(each.lower() in NAMES for action in DESCRIBED.values() for each in action.dependent)
    assert set(NAMES) >= V1_ACTIONS


def test_each_action_alone_grants_that_action_and_no_other() -> None:
    for name in DESCRIBED.values():
        policies = identity(allow(name.name, "*"))
        granted = [each for each in NAMES if ask(U, each, identity=policies).allowed]
        assert granted == [name.name.lower(), "sts:getcalleridentity", "sts:getsessiontoken"]


@pytest.mark.parametrize("policy", managed.MANAGED.values(), ids=lambda policy: policy.name)
def test_managed_policies_are_valid(policy: managed.ManagedPolicy) -> None:
    parsed = parse(policy.document, Kind.IDENTITY)
    assert parsed.version == "2012-10-17"
    assert counted_size(policy.document, Kind.IDENTITY) <= MANAGED
    for statement in parsed.statements:
        known = [action for action in statement.actions if "*" not in action and not action.startswith("account:")]
        assert {action.lower() for action in known} <= set(NAMES)
    assert managed.find_managed(policy.arn()) is policy
    assert managed.find_managed(policy.arn("aws-cn")) is policy
    assert policy.arn().endswith(policy.name)
    assert len(policy.policy_id) == 21


def test_which_managed_policies_there_are() -> None:
    by_arn = {policy.arn(): policy for policy in managed.MANAGED.values()}
    linked = {policy.name for policy in by_arn.values() if not policy.is_attachable}
    assert linked == {
        "AWSECRPullThroughCache_ServiceRolePolicy",
        "ECRReplicationServiceRolePolicy",
        "ECRTemplateServiceRolePolicy",
    }
    for name, version, count in [
        ("AmazonEC2ContainerRegistryPowerUser", "v3", 16),
        ("AmazonEC2ContainerRegistryReadOnly", "v3", 12),
        ("AmazonEC2ContainerRegistryPullOnly", "v1", 4),
        ("AmazonElasticContainerRegistryPublicReadOnly", "v1", 10),
        ("AmazonElasticContainerRegistryPublicPowerUser", "v1", 14),
        ("AdministratorAccess", "v1", 1),
    ]:
        policy = by_arn[f"arn:aws:iam::aws:policy/{name}"]
        listed = json.loads(policy.document)["Statement"][0]["Action"]
        assert (policy.version_id, len([listed] if isinstance(listed, str) else listed)) == (version, count)
    for arn in ("arn:aws:iam::aws:policy/Nothing", f"arn:aws:iam::{A}:policy/AdministratorAccess", "AdministratorAccess"):
        assert managed.find_managed(arn) is None


def may(name: str, action: str, resource: str = R, **facts: Any) -> bool:
    """Whether a user with nothing but a managed policy may do something."""
    policy = next(each for each in managed.MANAGED.values() if each.name == name)
    compiled = compile_policy(parse(policy.document, Kind.IDENTITY), Source(policy.arn(), is_managed=True))
    return ask(U, action, resource, identity=PolicySet([compiled]), **facts).allowed


def test_what_managed_policies_allow() -> None:
    assert may("AmazonEC2ContainerRegistryFullAccess", "ecr:DeleteRepository")
    assert not may("AmazonEC2ContainerRegistryFullAccess", "iam:CreateServiceLinkedRole")
    replication = {"iam:AWSServiceName": "replication.ecr.amazonaws.com"}
    assert may("AmazonEC2ContainerRegistryFullAccess", "iam:CreateServiceLinkedRole", keys=replication)
    assert may("AmazonEC2ContainerRegistryPowerUser", "ecr:PutImage")
    assert not may("AmazonEC2ContainerRegistryPowerUser", "ecr:BatchDeleteImage")
    for action in NAMES.values():
        reads = not action.partition(":")[2].startswith(("Put", "Create", "Delete", "Update", "Start", "Tag", "Attach", "Assume"))
        assert reads or not may("ReadOnlyAccess", action)
    assert not may("ReadOnlyAccess", "secretsmanager:GetSecretValue", "*")
    assert may("PowerUserAccess", "ecr:DeleteRepository")
    assert may("PowerUserAccess", "iam:ListRoles", "*")
    assert not may("PowerUserAccess", "iam:CreateUser", f"arn:aws:iam::{A}:user/x")
    assert may("IAMReadOnlyAccess", "iam:GetUser", f"arn:aws:iam::{A}:user/x")
    assert not may("IAMReadOnlyAccess", "iam:PassRole", f"arn:aws:iam::{A}:role/x")
    secret = f"arn:aws:secretsmanager:us-east-1:{A}:secret:ecr-pullthroughcache/x"
    pull_through = "AWSECRPullThroughCache_ServiceRolePolicy"
    assert may(pull_through, "secretsmanager:GetSecretValue", secret, keys={"aws:ResourceAccount": A})
    assert not may(pull_through, "secretsmanager:GetSecretValue", secret, keys={"aws:ResourceAccount": "222222222222"})


ALLOW = {"Effect": "Allow", "Action": PULL, "Resource": "*"}
FINDINGS: list[tuple[Kind, str, list[Code]]] = [
    (Kind.IDENTITY, document(ALLOW), []),
    (Kind.IDENTITY, document(), [Code.NO_STATEMENTS]),
    (Kind.IDENTITY, document({**ALLOW, "Action": ["ecr:PutImages", "ecr:Putt*", "ecr:Put*", "*"]}), [Code.UNKNOWN_ACTION] * 2),
    (Kind.IDENTITY, document({**ALLOW, "Action": "s3:GetObject"}), [Code.UNKNOWN_SERVICE]),
    (Kind.IDENTITY, document(allow("ecr:GetAuthorizationToken", repository("*"))), [Code.RESOURCE_HAS_NO_EFFECT]),
    (Kind.IDENTITY, document(allow(None, "*", NotAction="ecr:*")), [Code.ALLOWS_ALL_OTHERS]),
    (Kind.IDENTITY, document(deny(None, "*", NotAction="ecr:*")), []),
    (Kind.IDENTITY, document(allow(PULL, repository("${aws:username}")), version=None), [Code.LITERAL_VARIABLE]),
    (Kind.IDENTITY, document(allow(PULL, repository("${aws:username}"))), []),
    (Kind.REPOSITORY, document(allow("ecr:GetAuthorizationToken", principal="*")), [Code.NEVER_IN_REPOSITORY_POLICY]),
    (Kind.REPOSITORY, document(allow(PULL, NotPrincipal={"AWS": A})), [Code.ALLOWS_ALL_OTHERS]),
    (Kind.TRUST, document(allow("sts:AssumeRole*", principal="*", condition={"Null": {"token.example.com:sub": "false"}})), []),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "codes"), FINDINGS)
def test_findings(kind: Kind, text: str, codes: list[Code]) -> None:
    assert [finding.code for finding in findings(parse(text, kind))] == codes


CONDITIONS: list[tuple[dict[str, Any], list[Code]]] = [
    ({"StringEquals": {"aws:SourceIP": "x", "aws:PrincipalTag/a": "b", "ecr:ResourceTag/a": "b", "kms:ViaService": "x"}}, []),
    ({"StringEquals": {"ecr:ImageTag": "x"}}, [Code.UNKNOWN_KEY]),
    ({"StringEquals": {"aws:ResourceTag/": "x"}}, [Code.UNKNOWN_KEY]),
    ({"StringEquals": {"token.example.com:sub": "x"}}, [Code.UNKNOWN_KEY]),
    ({"StringEquals": {"aws:username": []}}, [Code.EMPTY_VALUES]),
    ({"NumericEquals": {"aws:EpochTime": "ten"}}, [Code.UNREADABLE_VALUE]),
    ({"DateLessThan": {"aws:CurrentTime": ["never", "2025-01-01"]}}, [Code.UNREADABLE_VALUE]),
    ({"Bool": {"aws:SecureTransport": "yes"}}, [Code.UNREADABLE_VALUE]),
    ({"Null": {"aws:TagKeys": "maybe"}}, [Code.UNREADABLE_VALUE]),
    ({"IpAddress": {"aws:SourceIp": "10.0.0/8"}}, [Code.UNREADABLE_VALUE]),
    ({"ArnLike": {"aws:PrincipalArn": "arn:*"}}, [Code.UNREADABLE_VALUE]),
    ({"ArnLike": {"aws:PrincipalArn": ["*", "arn:aws:iam::*:role/*", "${aws:SourceArn}"]}}, []),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}, [Code.HOLDS_WITHOUT_KEY]),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}, "Null": {"AWS:TagKeys": "false"}}, []),
    ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}, [Code.HOLDS_WITHOUT_KEY]),
]


@pytest.mark.parametrize(("condition", "codes"), CONDITIONS)
def test_findings_about_conditions(condition: dict[str, Any], codes: list[Code]) -> None:
    found = findings(parse(document({**ALLOW, "Condition": condition}), Kind.IDENTITY))
    assert [finding.code for finding in found] == codes
    assert all(finding.statement == 0 and finding.detail for finding in found)


def test_literal_variables_in_conditions() -> None:
    text = document({**ALLOW, "Condition": {"StringEquals": {"aws:username": "${aws:x}"}}}, version="2008-10-17")
    assert [finding.code for finding in findings(parse(text, Kind.IDENTITY))] == [Code.LITERAL_VARIABLE]
