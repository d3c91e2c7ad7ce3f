"""What principals did is written down, reported, and made into a policy that allows it again and nothing else."""

from __future__ import annotations

import json
from typing import Any

from moorage.testing import builders
from moorage.testing.server import MoorageServer
from tests.integration.access.people import LOGIN, PULL, PUSH, Person, allow, document, repository_arn
from tests.integration.aws.errors import refused
from tests.integration.sts.conftest import client as client_for


def decisions(iam: Any, arn: str, text: str, action: str, *resources: str) -> list[str]:
    """What a policy alone says of a user."""
    given = {"ResourceArns": list(resources)} if resources else {}
    found = iam.simulate_custom_policy(PolicyInputList=[text], ActionNames=[action], CallerArn=arn, **given)
    return [each["EvalDecision"] for each in found["EvaluationResults"]]


def test_from_use_to_policy(own_server: MoorageServer) -> None:
    server, account = own_server, own_server.root
    root, iam = server.client(), server.client("iam")
    for name in ("team/app", "team/base", "secret"):
        root.create_repository(repositoryName=name)
    person, idle = Person(server, account, allow("*")), Person(server, account, allow("*"))
    trust = document({"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "sts:AssumeRole"})
    role = iam.create_role(RoleName="ci", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="ci", PolicyName="p", PolicyDocument=document(allow("ecr:DescribeRegistry")))
    with server.registry(key=person.key) as client:
        client.push_image("team/app", builders.image(1), "v1")
        client.require_image("team/app", builders.image(1), "v1")
    person.ecr.list_images(repositoryName="team/base")
    with refused("RepositoryNotFoundException"):
        person.ecr.list_images(repositoryName="nowhere")
    server.client("sts", key=person.key).get_caller_identity()
    session = server.client("sts", key=person.key).assume_role(RoleArn=role, RoleSessionName="build")["Credentials"]
    client_for(server, session, "ecr").describe_registry()
    server.restart()  # what was counted is written at the latest when the server ends

    text = server.run("policy", "suggest", "--principal", person.arn, "--days", "1").stdout
    policy = json.loads(text)
    actions = {action for each in policy["Statement"] for action in _list(each["Action"])}
    assert {LOGIN, "ecr:ListImages", "sts:AssumeRole", *PULL, *PUSH} <= actions
    assert not {"sts:GetCallerIdentity", "ecr:DeleteRepository", "ecr:DescribeRegistry"} & actions
    assert not any("*" in action for action in actions)
    assert policy["Statement"][0] == {"Effect": "Allow", "Action": LOGIN, "Resource": "*"}
    app, base, secret = (repository_arn(account, name) for name in ("team/app", "team/base", "secret"))
    assert decisions(iam, person.arn, text, PUSH[-1], app, base, secret) == ["allowed", "implicitDeny", "implicitDeny"]
    assert decisions(iam, person.arn, text, "ecr:ListImages", app, base, secret) == ["implicitDeny", "allowed", "implicitDeny"]
    assert decisions(iam, person.arn, text, "sts:AssumeRole", role) == ["allowed"]
    wider = server.run("policy", "suggest", "--principal", person.arn, "--generalise").stdout
    assert decisions(iam, person.arn, wider, "ecr:ListImages", app, base, secret) == ["allowed", "allowed", "implicitDeny"]
    assert json.loads(server.run("policy", "suggest", "--principal", role).stdout)["Statement"] == [
        {"Effect": "Allow", "Action": "ecr:DescribeRegistry", "Resource": "*"}
    ]

    # With that policy alone the same still works, and nothing else does.
    iam.put_user_policy(UserName=person.name, PolicyName="own", PolicyDocument=text)
    with server.registry(key=person.key) as client:
        client.push_image("team/app", builders.image(2), "v2")
        client.require_image("team/app", builders.image(1), "v1")
        assert client.request("GET", "/v2/team/base/manifests/v1").status == 403
    server.client("sts", key=person.key).assume_role(RoleArn=role, RoleSessionName="build")
    with refused("AccessDeniedException"):
        person.ecr.list_images(repositoryName="secret")
    done = server.run("policy", "suggest", "--principal", idle.arn, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert server.run("policy", "suggest", "--principal", "nobody", check=False).returncode == 252

    _reports(iam, person, role)


def _reports(iam: Any, person: Person, role: str) -> None:
    job = iam.generate_service_last_accessed_details(Arn=person.arn, Granularity="ACTION_LEVEL")["JobId"]
    found = iam.get_service_last_accessed_details(JobId=job)
    services = {each["ServiceNamespace"]: each for each in found["ServicesLastAccessed"]}
    ecr = services["ecr"]
    assert (ecr["TotalAuthenticatedEntities"], ecr["LastAuthenticatedEntity"]) == (1, person.arn)
    assert ecr["LastAuthenticatedRegion"] == "us-east-1"
    assert {"PutImage", "BatchGetImage", "ListImages"} <= {each["ActionName"] for each in ecr["TrackedActionsLastAccessed"]}
    assert [each["ActionName"] for each in services["sts"]["TrackedActionsLastAccessed"]] == ["AssumeRole"]
    assert services["ecr-public"]["TotalAuthenticatedEntities"] == 0
    job = iam.generate_service_last_accessed_details(Arn=role)["JobId"]
    found = iam.get_service_last_accessed_details(JobId=job)
    used = {each["ServiceNamespace"] for each in found["ServicesLastAccessed"] if each["TotalAuthenticatedEntities"]}
    assert used == {"ecr"}
    entities = iam.get_service_last_accessed_details_with_entities(JobId=job, ServiceNamespace="ecr")["EntityDetailsList"]
    assert [(each["EntityInfo"]["Arn"], "LastAuthenticated" in each) for each in entities] == [(role, True)]
    assert iam.get_role(RoleName="ci")["Role"]["RoleLastUsed"]["Region"] == "us-east-1"


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
