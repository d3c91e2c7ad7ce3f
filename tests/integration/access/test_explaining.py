"""``moorage explain`` and ``moorage who-can`` beside a running server: what they say is what happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import LOGIN, PULL, PUSH, Person, allow, deny, document, grant, repository_arn
from tests.integration.sts.conftest import client

READ, WRITE = PULL[0], PUSH[-1]


def explain(server: MoorageServer, principal: str, action: str, resource: str = "*", *more: str) -> tuple[int, dict[str, Any]]:
    """Exit status and answer."""
    asked = ["--principal", principal, "--action", action, "--resource", resource, "--json", *more]
    done = server.run("explain", *asked, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture
def repository(server: MoorageServer, account: KeyPair) -> str:
    name = fresh_name("team/app")
    server.client(key=account).create_repository(repositoryName=name, tags=[{"Key": "team", "Value": "a"}])
    return name


def test_by_whose_statement(server: MoorageServer, account: KeyPair, repository: str) -> None:
    arn, iam = repository_arn(account, repository), server.client("iam", key=account)
    person = Person(server, account, {"Sid": "Mine", **allow(READ, resource=arn)})
    status, told = explain(server, person.arn, "ecr:batchgetimage", arn)
    assert (status, told["decision"], told["action"]) == (0, "allowed", READ)
    (by,) = told["matched"]
    assert (by["policy"], by["policyType"], by["sid"], by["start"]["line"]) == ("own", "user", "Mine", 1)
    group = fresh_name("group")
    iam.create_group(GroupName=group)
    iam.add_user_to_group(GroupName=group, UserName=person.name)
    iam.put_group_policy(GroupName=group, PolicyName="of-group", PolicyDocument=document(allow(WRITE)))
    status, told = explain(server, person.arn, WRITE, arn)
    assert (status, told["matched"][0]["policy"], told["matched"][0]["policyType"]) == (0, "of-group", "group")
    limit = iam.create_policy(PolicyName=fresh_name("limit"), PolicyDocument=document(allow(READ)))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=person.name, PermissionsBoundary=limit)
    status, told = explain(server, person.arn, WRITE, arn)
    assert (status, told["decision"], told["missing"]) == (1, "implicitDeny", "permissions boundary")
    assert told["allowedByBoundary"] is False
    iam.delete_user_permissions_boundary(UserName=person.name)
    server.client(key=account).set_repository_policy(
        repositoryName=repository, policyText=document(grant("*", WRITE, effect="Deny"))
    )
    status, told = explain(server, person.arn, WRITE, arn)
    assert (status, told["decision"], told["decidedBy"]) == (1, "explicitDeny", "resource-based policy")
    status, told = explain(server, account.account_id, WRITE, arn)
    assert (status, told["decision"]) == (1, "explicitDeny")
    status, told = explain(server, f"arn:aws:iam::{account.account_id}:root", "ecr:DeleteRepositoryPolicy", arn)
    assert (status, told["decidedBy"]) == (0, None)


def test_what_is_missing_and_what_nearly_did(server: MoorageServer, account: KeyPair, repository: str) -> None:
    arn = repository_arn(account, repository)
    condition = {"StringEquals": {"aws:ResourceTag/team": "b"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    person = Person(server, account, allow(READ, Condition=condition), allow(LOGIN))
    done = server.run("explain", "--principal", person.arn, "--action", READ, "--resource", arn, check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{person.arn} may not {READ} on {arn}",
        f"  no identity-based policy allows the {READ} action",
        "  nearly: statement 1 of identity-based policy own (line 1)",
        "    StringEquals aws:ResourceTag/team wants b, got a",
        "    IpAddress aws:SourceIp wants 10.0.0.0/8, got nothing",
        "  the request has no aws:SourceIp",
    ]
    told = explain(server, person.arn, READ, arn, "--context", "AWS:SourceIp=10.1.2.3")[1]
    assert [failure["key"] for failure in told["near"][0]["failures"]] == ["aws:ResourceTag/team"]
    server.client(key=account).tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "b"}])
    assert explain(server, person.arn, READ, arn, "--context", "aws:sourceip=10.1.2.3")[0] == 0
    assert explain(server, person.arn, LOGIN)[0] == 0
    mfa = Person(server, account, allow("ecr:*"), deny("ecr:*", Condition={"Bool": {"aws:SecureTransport": "false"}}))
    status, told = explain(server, mfa.arn, READ, arn)
    assert (status, told["missingContextKeys"]) == (0, ["aws:SecureTransport"])
    assert explain(server, mfa.arn, READ, arn, "--context", "aws:SecureTransport=false")[0] == 1


def test_roles_and_sessions(server: MoorageServer, account: KeyPair, repository: str, tmp_path: Path) -> None:
    iam, arn = server.client("iam", key=account), repository_arn(account, repository)
    person, name = Person(server, account), fresh_name("role")
    trust = document({"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "sts:AssumeRole"})
    role = iam.create_role(RoleName=name, Path="/ci/", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow("ecr:*")))
    session = f"arn:aws:sts::{account.account_id}:assumed-role/{name}/build"
    for principal in (role, session):
        assert explain(server, principal, WRITE, arn)[0] == 0
    server.client(key=account).set_repository_policy(
        repositoryName=repository, policyText=document(grant({"AWS": session}, WRITE, effect="Deny"))
    )
    assert [explain(server, principal, WRITE, arn)[0] for principal in (role, session)] == [0, 1]
    limit = tmp_path / "limit.json"
    limit.write_text(document(allow(READ)))
    status, told = explain(server, role, WRITE, arn, "--session-policy", str(limit))
    assert (status, told["missing"]) == (1, "session policy")
    status, told = explain(server, person.arn, "sts:AssumeRole", role)
    assert (status, told["decidedBy"]) == (0, "resource-based policy")
    status, told = explain(server, Person(server, account, allow("ecr:*")).arn, "sts:AssumeRole", role)
    assert (status, told["missing"]) == (1, "resource-based policy")


def test_federated_users(server: MoorageServer, account: KeyPair, repository: str, tmp_path: Path) -> None:
    """What is said of a session is what happens to it; what the ARN does not tell is assumed, and the answer says so."""
    arn, name = repository_arn(account, repository), fresh_name("fed")[:32]
    federated = f"arn:aws:sts::{account.account_id}:federated-user/{name}"
    person = Person(server, account, allow("ecr:*"), deny("ecr:BatchDeleteImage"), allow("sts:GetFederationToken"))
    limit = tmp_path / "limit.json"
    limit.write_text(document(allow("ecr:DescribeImages", "ecr:BatchDeleteImage", "ecr:CreateRepository")))
    told_all = ("--federated-by", person.arn, "--session-policy", str(limit))
    sts = server.client("sts", key=person.key)
    made = sts.get_federation_token(Name=name, Policy=limit.read_text())["Credentials"]
    ecr = client(server, made, "ecr")

    status, told = explain(server, federated, "ecr:DescribeImages", arn, *told_all)
    assert (status, told["principal"], told["decidedBy"], told["assumed"]) == (0, federated, "identity-based policy", [])
    assert not ecr.describe_images(repositoryName=repository)["imageDetails"]
    for action, missing, call in (
        ("ecr:ListImages", "session policy", ecr.list_images),
        ("ecr:BatchDeleteImage", None, lambda **where: ecr.batch_delete_image(imageIds=[{"imageTag": "x"}], **where)),
    ):
        status, told = explain(server, federated, action, arn, *told_all)
        assert (status, told["missing"], told["assumed"]) == (1, missing, [])
        with pytest.raises(ecr.exceptions.ClientError) as denied:
            call(repositoryName=repository)
        assert denied.value.response["Error"]["Message"].endswith(told["reason"])
    status, told = explain(server, federated, "ecr:ListImages", arn, "--federated-by", person.arn)
    assert (status, [text.partition(" is not known")[0] for text in told["assumed"]]) == (0, ["its session policy"])
    status, told = explain(server, federated, "ecr:BatchDeleteImage", arn, "--federated-by", person.arn)
    assert (status, told["decision"]) == (1, "explicitDeny")  # whatever the session policy says
    status, told = explain(server, federated, "ecr:BatchDeleteImage", arn)
    assert (status, [text.partition(" is not known")[0] for text in told["assumed"]]) == (
        0,
        ["who called GetFederationToken for it", "its session policy"],
    )
    server.client(key=account).set_repository_policy(
        repositoryName=repository, policyText=document(grant({"AWS": federated}, "ecr:ListImages"))
    )
    status, told = explain(server, federated, "ecr:ListImages", arn, *told_all)  # a grant by name needs no session policy
    assert (status, told["decidedBy"]) == (0, "resource-based policy")
    assert not ecr.list_images(repositoryName=repository)["imageIds"]
    done = server.run("explain", "--principal", federated, "--action", READ, "--resource", arn)
    assert done.stdout.splitlines()[0] == f"{federated} may {READ} on {arn}"
    assert [line.partition(":")[0] for line in done.stdout.splitlines()[-2:]] == ["  assumed", "  assumed"]


def test_who_cannot_have_federated(server: MoorageServer, account: KeyPair, stranger: KeyPair) -> None:
    federated = f"arn:aws:sts::{account.account_id}:federated-user/fed"
    for principal, by, said in (
        (federated, stranger.account_id, "cannot have federated"),
        (federated, f"arn:aws:iam::{account.account_id}:user/nobody", "there is no user"),
        (account.account_id, account.account_id, "is not the ARN of a federated user"),
    ):
        asked = ("--principal", principal, "--federated-by", by, "--action", LOGIN)
        done = server.run("explain", *asked, check=False)
        assert (done.returncode, done.stdout) == (252, "")
        assert said in done.stderr


def test_other_accounts_and_bindings(server: MoorageServer, account: KeyPair, stranger: KeyPair, repository: str) -> None:
    arn = repository_arn(account, repository)
    person = Person(server, stranger, allow(READ))
    status, told = explain(server, person.arn, READ, arn)
    assert (status, told["missing"]) == (1, "resource-based policy")
    server.client(key=account).set_repository_policy(
        repositoryName=repository, policyText=document(grant({"AWS": person.arn}, READ))
    )
    assert explain(server, person.arn, READ, arn)[0] == 0
    person.iam.delete_user_policy(UserName=person.name, PolicyName="own")
    person.iam.delete_access_key(UserName=person.name, AccessKeyId=person.key.access_key_id)
    person.iam.delete_user(UserName=person.name)
    person.iam.create_user(UserName=person.name)
    person.iam.put_user_policy(UserName=person.name, PolicyName="own", PolicyDocument=document(allow(READ)))
    status, told = explain(server, person.arn, READ, arn)  # the same name, somebody else
    assert (status, told["missing"]) == (1, "resource-based policy")


@pytest.mark.parametrize(
    ("principal", "action", "resource", "said"),
    [
        ("arn:aws:iam::000000000000:user/nobody", READ, "app", "there is no user"),
        ("arn:aws:iam::000000000000:group/g", READ, "app", "is not the ARN of a user"),
        ("arn:aws:sts::000000000000:federated-user/f", READ, "app", "is not the ARN of a user"),  # too short a name
        ("arn:aws:sts::999999999999:federated-user/fed", READ, "app", "there is no account"),
        ("arn:aws:sts::000000000000:federated-user/fed", "iam:GetUser", "*", "no federated user may use IAM"),
        ("arn:aws:sts::000000000000:federated-user/fed", "sts:AssumeRole", "*", "GetCallerIdentity alone"),
        ("000000000000", "sts:AssumeRole", "*", "no role can be assumed by an account's root"),
        ("arn:aws:iam::999999999999:root", READ, "app", "there is no account"),
        ("nobody", READ, "app", "is not the ARN of a user"),
        ("000000000000", "ecr:BatchGetImages", "app", "did you mean ecr:BatchGetImage?"),
        ("000000000000", "ecr:ListImageReferrers", "app", "ecr:BatchGetImage"),
        ("000000000000", READ, "*", "is about a repository"),
        ("000000000000", LOGIN, "app", "leave the resource out"),
        ("000000000000", READ, "Not/A Name", "neither an ARN nor the name"),
    ],
)
def test_wrong_input(server: MoorageServer, principal: str, action: str, resource: str, said: str) -> None:
    done = server.run("explain", "--principal", principal, "--action", action, "--resource", resource, check=False)
    assert (done.returncode, done.stdout) == (252, "")
    assert said in done.stderr


def test_wrong_places(server: MoorageServer, tmp_path: Path) -> None:
    asked = ("--principal", "000000000000", "--action", LOGIN)
    assert server.run("explain", *asked, "--data", str(tmp_path / "none"), "--database-url", "", check=False).returncode == 253
    assert server.run("explain", *asked, "--context", "nothing", check=False).returncode == 252
    assert server.run("explain", *asked, "--session-policy", str(tmp_path / "none"), check=False).returncode == 252
    for wrong in (("ecr:Nothing", "app"), (LOGIN, "app"), (READ, "nowhere/at-all"), (READ, "NO")):
        done = server.run("who-can", *wrong, check=False)
        assert (done.returncode, done.stdout) == (252, ""), wrong
    assert server.run("who-can", READ, "app", "--account", "999999999999", check=False).returncode == 252
    assert server.run("who-can", READ, "app", "--region", "nowhere", check=False).returncode == 252


def test_who_can(server: MoorageServer, account: KeyPair, stranger: KeyPair, repository: str) -> None:
    iam, arn = server.client("iam", key=account), repository_arn(account, repository)
    here = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    always = Person(server, account, {"Sid": "Push", **allow(WRITE)})
    sometimes = Person(server, account, allow(WRITE, Condition=here))
    unless = Person(server, account, allow("ecr:*"), deny("ecr:Put*", Condition={"Bool": {"aws:SecureTransport": "false"}}))
    elsewhere = Person(server, account, allow(WRITE, resource=repository_arn(account, "other/*")))
    by_tag = Person(server, account, allow(WRITE, Condition={"StringEquals": {"aws:ResourceTag/team": "b"}}))
    never = Person(server, account, allow("ecr:*"), deny(WRITE))
    named = Person(server, account)
    theirs, gone = Person(server, stranger), Person(server, stranger)
    name = fresh_name("role")
    trust = document({"Effect": "Allow", "Principal": {"AWS": always.arn}, "Action": "sts:AssumeRole"})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser")
    server.client(key=account).set_repository_policy(
        repositoryName=repository,
        policyText=document(
            grant({"AWS": [named.arn, theirs.arn, gone.arn]}, WRITE),
            grant("*", WRITE, Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}),
            grant({"AWS": "000000000000"}, READ),
            grant({"Service": "lambda.amazonaws.com"}, WRITE),
        ),
    )
    gone.iam.delete_access_key(UserName=gone.name, AccessKeyId=gone.key.access_key_id)
    gone.iam.delete_user(UserName=gone.name)
    done = server.run("who-can", "ecr:putimage", repository, "--account", account.account_id, "--json")
    answer = json.loads(done.stdout)
    assert (answer["action"], answer["resource"]) == (WRITE, arn)
    found = {each["principal"]: each for each in answer["principals"]}
    assert {arn for arn, each in found.items() if not each["dependsOn"] and not each["needsOwnSide"]} == {
        f"arn:aws:iam::{account.account_id}:root",
        always.arn,
        named.arn,
        role,
        "lambda.amazonaws.com",
    }
    assert {arn: each["dependsOn"] for arn, each in found.items() if each["dependsOn"] and not each["needsOwnSide"]} == {
        sometimes.arn: ["aws:SourceIp"],
        unless.arn: ["aws:SecureTransport"],
    }
    assert {arn: each["dependsOn"] for arn, each in found.items() if each["needsOwnSide"]} == {
        theirs.arn: [],
        "*": ["aws:PrincipalOrgID"],
    }
    assert found[always.arn]["statement"]["sid"] == "Push"
    assert found[role]["statement"]["policy"].endswith("/AmazonEC2ContainerRegistryPowerUser")
    assert found[f"arn:aws:iam::{account.account_id}:root"]["statement"] is None
    assert not {elsewhere.arn, by_tag.arn, never.arn, gone.arn} & found.keys()
    text = server.run("who-can", WRITE, repository, "--account", account.account_id).stdout
    assert f"  {always.arn}  by statement 1 'Push' of identity-based policy own (line 1)\n" in text
    assert "may, depending on the request:\n" in text
    assert "are let in, if their own account allows it as well:\n" in text
    assert "  everybody  by statement 2 of resource-based policy" in text


def test_who_can_agrees_with_explain(server: MoorageServer, account: KeyPair, repository: str) -> None:
    people = [
        Person(server, account, *statements)
        for statements in (
            [allow("ecr:*")],
            [allow("ecr:*"), deny(WRITE)],
            [],
            [allow(WRITE, resource=repository_arn(account, "team/*"))],
            [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
            [allow("ecr:*", Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/nobody"}})],
        )
    ]
    for action in (READ, WRITE):
        done = server.run("who-can", action, repository, "--account", account.account_id, "--json")
        may = {each["principal"] for each in json.loads(done.stdout)["principals"]}
        for person in people:
            allowed = explain(server, person.arn, action, repository_arn(account, repository))[0] == 0
            assert allowed is (person.arn in may), (person.arn, action)
