"""The policy simulator, through boto3, beside live calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import Person, allow, deny, document, grant, repository_arn
from tests.integration.aws.errors import refused

PULL, PUSH = "ecr:BatchGetImage", "ecr:PutImage"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
APP = "arn:aws:ecr:us-east-1:111111111111:repository/app"


def custom(iam: Any, *statements: dict[str, Any], **asked: Any) -> list[dict[str, Any]]:
    """The results of SimulateCustomPolicy for one policy."""
    given = {"ActionNames": [PULL], "PolicyInputList": [document(*statements)], **asked}
    found: list[dict[str, Any]] = iam.simulate_custom_policy(**given)["EvaluationResults"]
    return found


def one(iam: Any, *statements: dict[str, Any], **asked: Any) -> str:
    """The only decision."""
    (result,) = custom(iam, *statements, **asked)
    return str(result["EvalDecision"])


def entry(name: str, *values: str, kind: str = "string") -> dict[str, Any]:
    return {"ContextKeyName": name, "ContextKeyValues": list(values), "ContextKeyType": kind}


def test_every_action_on_every_resource(iam: Any) -> None:
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Sid": "Pull", **allow("ecr:Batch*", resource=APP)},
                {"Sid": "Never", **deny(PUSH)},
            ],
        },
        indent=2,
    )
    results = iam.simulate_custom_policy(
        PolicyInputList=[text], ActionNames=[PULL, "ECR:putimage"], ResourceArns=[APP, f"{APP}2", "*"]
    )["EvaluationResults"]
    assert [(found["EvalActionName"], found["EvalResourceName"], found["EvalDecision"]) for found in results] == [
        (PULL, APP, "allowed"),
        (PULL, f"{APP}2", "implicitDeny"),
        (PULL, "*", "implicitDeny"),
        ("ECR:putimage", APP, "explicitDeny"),
        ("ECR:putimage", f"{APP}2", "explicitDeny"),
        ("ECR:putimage", "*", "explicitDeny"),
    ]
    (matched,) = results[0]["MatchedStatements"]
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines, 1) if '"Sid": "Pull"' in line) - 1
    last = next(number for number, line in enumerate(lines, 1) if number > first and line.strip() == "},")
    assert matched == {
        "SourcePolicyId": "PolicyInputList.1",
        "SourcePolicyType": "none",
        "StartPosition": {"Line": first, "Column": 5},
        "EndPosition": {"Line": last, "Column": 6},
    }
    assert results[1]["MatchedStatements"] == []
    specific = results[0]["ResourceSpecificResults"]
    assert [(each["EvalResourceName"], each["EvalResourceDecision"]) for each in specific] == [(APP, "allowed")]
    assert results[0]["EvalDecisionDetails"] == {}
    assert "EvalDecisionDetails" not in results[2]
    assert "ResourceSpecificResults" not in results[2]


def test_context_and_what_is_missing_of_it(iam: Any) -> None:
    here = allow(PULL, Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "Bool": {"aws:SecureTransport": "true"}})
    (result,) = custom(iam, here)
    assert result["EvalDecision"] == "implicitDeny"
    assert result["MissingContextValues"] == ["aws:SecureTransport", "aws:SourceIp"]
    (result,) = custom(iam, here, ResourceArns=[APP])
    assert result["MissingContextValues"] == []
    assert result["ResourceSpecificResults"][0]["MissingContextValues"] == ["aws:SecureTransport", "aws:SourceIp"]
    inside = [entry("AWS:sourceip", "10.1.2.3", kind="ip"), entry("aws:SecureTransport", "true", kind="boolean")]
    assert one(iam, here, ContextEntries=inside) == "allowed"
    outside = [entry("aws:SourceIp", "192.0.2.1", kind="ip"), entry("aws:SecureTransport", "true", kind="boolean")]
    assert one(iam, here, ContextEntries=outside) == "implicitDeny"
    keys = allow("ecr:TagResource", Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "env"]}})
    several = [entry("aws:TagKeys", "team", "cost", kind="stringList")]
    assert one(iam, keys, ActionNames=["ecr:TagResource"], ContextEntries=several) == "implicitDeny"
    mine = allow(PULL, resource="arn:aws:ecr:*:*:repository/${aws:username}")
    named = [entry("aws:username", "app")]
    assert one(iam, mine, ResourceArns=[APP], ContextEntries=named) == "allowed"
    caller = "arn:aws:iam::111111111111:user/team/app"
    assert one(iam, mine, ResourceArns=[APP], CallerArn=caller) == "allowed"
    assert one(iam, mine, ResourceArns=[APP]) == "implicitDeny"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"ActionNames": ["ecr:Nothing"]}, "Invalid action name: ecr:Nothing"),
        ({"ActionNames": ["ecr:*"]}, "Invalid action name: ecr:*"),
        ({"ResourceArns": ["app"]}, "ResourceNames are not in a valid ARN format: app."),
        ({"ResourceOwner": "someone"}, "'someone' is not a valid as a Resource Owner."),
        ({"CallerArn": "arn:aws:iam::111111111111:role/r"}, "Invalid Caller Arn: arn:aws:iam::111111111111:role/r"),
        ({"PolicyInputList": ["{}"]}, "Syntax errors in policy."),
        ({"PermissionsBoundaryPolicyInputList": [document(), document()]}, "Only one permissions boundary can be given."),
        ({"ContextEntries": [entry("aws:SourceIp", "here", kind="ip")]}, None),
        ({"ContextEntries": [entry("aws:SourceIp", "10.0.0.1", "10.0.0.2", kind="ip")]}, None),
        ({"ContextEntries": [entry("aws:TagKeys", "a"), entry("AWS:tagkeys", "b")]}, None),
        ({"ContextEntries": [{"ContextKeyName": "aws:TagKeys"}]}, None),
        ({"ResourcePolicy": document(grant("*", PULL))}, "CallerArn has to name a user when a ResourcePolicy is given."),
        ({"ResourcePolicy": "{}", "CallerArn": "arn:aws:iam::111111111111:user/u"}, None),
    ],
)
def test_what_cannot_be_simulated(iam: Any, asked: dict[str, Any], message: str | None) -> None:
    with refused("InvalidInput", message):
        custom(iam, allow(PULL), **asked)


def test_boundaries_and_organizations(iam: Any) -> None:
    boundary = [document(allow(PULL))]
    (result,) = custom(iam, allow("ecr:*"), ActionNames=[PUSH], PermissionsBoundaryPolicyInputList=boundary)
    assert result["EvalDecision"] == "implicitDeny"
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    (result,) = custom(iam, allow("ecr:*"), PermissionsBoundaryPolicyInputList=boundary)
    assert (result["EvalDecision"], result["PermissionsBoundaryDecisionDetail"]) == (
        "allowed",
        {"AllowedByPermissionsBoundary": True},
    )
    levels = [
        {"ServiceControlPolicyInputList": [document(allow("*"))]},
        {"ServiceControlPolicyInputList": [document(allow(PULL))]},
    ]
    (result,) = custom(iam, allow("ecr:*"), ActionNames=[PUSH], OrderedOrganizationPolicyInputList=levels)
    assert (result["EvalDecision"], result["OrganizationsDecisionDetail"]) == ("implicitDeny", {"AllowedByOrganizations": False})
    (result,) = custom(iam, allow("ecr:*"), OrderedOrganizationPolicyInputList=levels)
    assert (result["EvalDecision"], result["OrganizationsDecisionDetail"]) == ("allowed", {"AllowedByOrganizations": True})


def test_resource_policies_across_accounts(iam: Any) -> None:
    theirs, mine = "arn:aws:iam::222222222222:user/u", "arn:aws:iam::111111111111:user/u"
    named = document(grant({"AWS": [theirs, mine]}, PULL))
    asked = {"ResourceArns": [APP], "ResourcePolicy": named}
    (result,) = custom(iam, allow(PUSH), CallerArn=mine, **asked)
    assert (result["EvalDecision"], result["EvalDecisionDetails"]) == ("allowed", {})
    assert [each["SourcePolicyId"] for each in result["MatchedStatements"]] == ["ResourcePolicy"]
    (result,) = custom(iam, allow(PUSH), CallerArn=theirs, **asked)
    assert result["EvalDecision"] == "implicitDeny"
    assert result["EvalDecisionDetails"] == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}
    (result,) = custom(iam, allow(PULL), CallerArn=theirs, **asked)
    assert result["EvalDecision"] == "allowed"
    assert result["EvalDecisionDetails"] == {"IAM Policy": "allowed", "Resource Policy": "allowed"}
    (result,) = custom(iam, allow(PULL), CallerArn=theirs, ResourceArns=[APP])
    assert result["EvalDecisionDetails"] == {"IAM Policy": "allowed", "Resource Policy": "implicitDeny"}
    bucket = "arn:aws:ecr:us-east-1::thing/x"
    (result,) = custom(iam, allow(PULL), CallerArn=theirs, ResourceArns=[bucket], ResourceOwner="arn:aws:iam::111111111111:root")
    assert result["EvalDecision"] == "implicitDeny"
    assert one(iam, allow(PULL), CallerArn=theirs, ResourceArns=[bucket]) == "allowed"


def test_pages(iam: Any) -> None:
    actions, resources = [PULL, PUSH, "ecr:ListImages"], [f"{APP}{number}" for number in range(7)]
    asked = {"PolicyInputList": [document(allow(PULL))], "ActionNames": actions, "ResourceArns": resources}
    seen = []
    for page in iam.get_paginator("simulate_custom_policy").paginate(**asked, PaginationConfig={"PageSize": 4}):
        assert len(page["EvaluationResults"]) <= 4
        seen += [(found["EvalActionName"], found["EvalResourceName"]) for found in page["EvaluationResults"]]
    assert seen == [(action, resource) for action in actions for resource in resources]
    first = iam.simulate_custom_policy(**asked, MaxItems=4)
    with refused("ValidationError", "Invalid Marker."):
        iam.simulate_custom_policy(**{**asked, "ActionNames": [PULL]}, Marker=first["Marker"])


def test_long_policies_give_short_pages(iam: Any) -> None:
    many = document(*(allow(f"ecr:Batch*{number}") for number in range(1200)))
    answer = iam.simulate_custom_policy(
        PolicyInputList=[many], ActionNames=[PULL], ResourceArns=[f"{APP}{number}" for number in range(400)], MaxItems=1000
    )
    assert answer["IsTruncated"] is True
    assert 0 < len(answer["EvaluationResults"]) < 400


def principal(iam: Any, arn: str, *actions: str, resources: list[str] | None = None, **asked: Any) -> list[dict[str, Any]]:
    """The results of SimulatePrincipalPolicy."""
    if resources:
        asked["ResourceArns"] = resources
    found: list[dict[str, Any]] = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=list(actions), **asked)[
        "EvaluationResults"
    ]
    return found


def test_a_principals_own_policies(server: MoorageServer, account: KeyPair, own: Any) -> None:
    person = Person(server, account, allow(PULL, resource="arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}/*"))
    own.tag_user(UserName=person.name, Tags=[{"Key": "team", "Value": "a"}])
    group = fresh_name("group")
    own.create_group(GroupName=group)
    own.put_group_policy(GroupName=group, PolicyName="g", PolicyDocument=document(allow(PUSH)))
    own.add_user_to_group(GroupName=group, UserName=person.name)
    own.attach_user_policy(UserName=person.name, PolicyArn=READ_ONLY)
    repository = repository_arn(account, "a/app")
    pull, push, delete = principal(own, person.arn, PULL, PUSH, "ecr:DeleteRepository", resources=[repository])
    assert [each["EvalDecision"] for each in (pull, push, delete)] == ["allowed", "allowed", "implicitDeny"]
    assert {(each["SourcePolicyId"], each["SourcePolicyType"]) for each in pull["MatchedStatements"]} == {
        ("own", "user"),
        ("AmazonEC2ContainerRegistryReadOnly", "aws-managed"),
    }
    assert [(each["SourcePolicyId"], each["SourcePolicyType"]) for each in push["MatchedStatements"]] == [("g", "group")]
    own_policy = own.create_policy(PolicyName=fresh_name("limit"), PolicyDocument=document(allow(PULL)))["Policy"]["Arn"]
    own.put_user_permissions_boundary(UserName=person.name, PermissionsBoundary=own_policy)
    (push,) = principal(own, person.arn, PUSH, resources=[repository])
    assert (push["EvalDecision"], push["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]) == (
        "implicitDeny",
        False,
    )
    wider = [document(allow("ecr:*"))]
    (push,) = principal(own, person.arn, PUSH, resources=[repository], PermissionsBoundaryPolicyInputList=wider)
    assert push["EvalDecision"] == "allowed"
    (more,) = principal(own, person.arn, "ecr:DeleteRepository", PolicyInputList=wider)
    assert more["EvalDecision"] == "implicitDeny"
    exclude: list[dict[str, Any]] = [{"PolicyType": "permission-boundary"}]
    (more,) = principal(own, person.arn, "ecr:DeleteRepository", PolicyInputList=wider, PolicyExclusionList=exclude)
    assert more["EvalDecision"] == "allowed"
    exclude = [
        {"PolicyArn": READ_ONLY},
        {"InlinePolicyIdentifier": {"PolicyName": "own", "AttachmentType": "user", "AttachmentName": person.name}},
    ]
    (pull,) = principal(own, person.arn, PULL, resources=[repository], PolicyExclusionList=exclude)
    assert pull["EvalDecision"] == "implicitDeny"
    of_group = own.get_group(GroupName=group)["Group"]["Arn"]
    push, pull = principal(own, of_group, PUSH, PULL)
    assert [each["EvalDecision"] for each in (push, pull)] == ["allowed", "implicitDeny"]


def test_roles_and_callers(server: MoorageServer, account: KeyPair, own: Any) -> None:
    role = own.create_role(
        RoleName=fresh_name("role"),
        AssumeRolePolicyDocument=document(
            {"Effect": "Allow", "Principal": {"AWS": account.account_id}, "Action": "sts:AssumeRole"}
        ),
    )["Role"]
    own.put_role_policy(RoleName=role["RoleName"], PolicyName="p", PolicyDocument=document(allow(PULL)))
    (found,) = principal(own, role["Arn"], PULL)
    assert (found["EvalDecision"], found["MatchedStatements"][0]["SourcePolicyType"]) == ("allowed", "role")
    with refused("InvalidInput"):
        principal(own, role["Arn"], PULL, ResourcePolicy=document(grant("*", PULL)))
    person = Person(server, account)
    (found,) = principal(own, role["Arn"], PUSH, CallerArn=person.arn, ResourcePolicy=document(grant({"AWS": person.arn}, PUSH)))
    assert found["EvalDecision"] == "allowed"


def test_who_may_simulate_whom(server: MoorageServer, account: KeyPair, own: Any, stranger: KeyPair) -> None:
    person, other = Person(server, account), Person(server, account, allow("ecr:*"))
    mine = server.client("iam", key=person.key)
    with refused("AccessDenied", status=403):
        principal(mine, other.arn, PULL)
    with refused("AccessDenied", status=403):
        custom(mine, allow(PULL))
    person.may(allow("iam:SimulatePrincipalPolicy", resource=person.arn), allow("iam:GetContextKeysForPrincipalPolicy"))
    assert principal(mine, person.arn, PULL)[0]["EvalDecision"] == "implicitDeny"
    with refused("AccessDenied", status=403):
        principal(mine, other.arn, PULL)
    with refused("InvalidInput", f"Invalid Entity Arn: {person.arn}"):
        principal(server.client("iam", key=stranger), person.arn, PULL)
    for arn in (f"arn:aws:sts::{account.account_id}:assumed-role/r/s", f"arn:aws:iam::{account.account_id}:root"):
        with refused("InvalidInput", f"Invalid Entity Arn: {arn}"):
            principal(own, arn, PULL)
    with refused("NoSuchEntity", "The user with name nobody cannot be found.", 404):
        principal(own, f"arn:aws:iam::{account.account_id}:user/nobody", PULL)


def test_context_keys(server: MoorageServer, account: KeyPair, own: Any) -> None:
    asks = allow(PULL, resource="arn:aws:ecr:*:*:repository/${aws:username}", Condition={"Bool": {"aws:SecureTransport": "true"}})
    again = allow(PUSH, Condition={"BoolIfExists": {"aws:securetransport": "true"}, "StringEquals": {"aws:PrincipalTag/x": "y"}})
    names = own.get_context_keys_for_custom_policy(PolicyInputList=[document(asks), document(again)])["ContextKeyNames"]
    assert names == ["aws:PrincipalTag/x", "aws:SecureTransport", "aws:username"]
    person = Person(server, account, asks)
    names = own.get_context_keys_for_principal_policy(PolicySourceArn=person.arn, PolicyInputList=[document(again)])
    assert names["ContextKeyNames"] == ["aws:PrincipalTag/x", "aws:SecureTransport", "aws:username"]
    with refused("InvalidInput"):
        own.get_context_keys_for_custom_policy(PolicyInputList=["{"])
    with refused("NoSuchEntity", status=404):
        own.get_context_keys_for_principal_policy(PolicySourceArn=f"arn:aws:iam::{account.account_id}:role/none")


def test_simulated_as_it_is_decided(server: MoorageServer, account: KeyPair, own: Any) -> None:
    """What the simulator says of a user is what happens when the user calls."""
    root = server.client(key=account)
    names = ["team/a", "team/b", "other"]
    for name in names:
        root.create_repository(repositoryName=name)
    policies = [
        [allow("ecr:*")],
        [allow("ecr:*"), deny("ecr:ListImages", resource=repository_arn(account, "team/*"))],
        [allow("ecr:List*", resource=repository_arn(account, "team/?"))],
        [{"Effect": "Allow", "NotAction": "ecr:DescribeImages", "Resource": repository_arn(account, "other")}],
        [allow("ecr:*", Condition={"StringEquals": {"aws:username": "${aws:username}"}})],
        [allow("ecr:*", Condition={"Null": {"aws:TokenIssueTime": "false"}})],
    ]
    person = Person(server, account)
    calls = {"ecr:ListImages": person.ecr.list_images, "ecr:DescribeImages": person.ecr.describe_images}
    arns = [repository_arn(account, name) for name in names]
    for statements in policies:
        person.may(*statements)
        simulated = {
            (found["EvalActionName"], found["EvalResourceName"]): found["EvalDecision"]
            for found in principal(own, person.arn, *calls, resources=arns)
        }
        for action, call in calls.items():
            for name, arn in zip(names, arns, strict=True):
                try:
                    call(repositoryName=name)
                    happened = "allowed"
                except person.ecr.exceptions.ClientError as error:
                    is_explicit = "explicit deny" in error.response["Error"]["Message"]
                    happened = "explicitDeny" if is_explicit else "implicitDeny"
                assert simulated[action, arn] == happened, (statements, action, name)
