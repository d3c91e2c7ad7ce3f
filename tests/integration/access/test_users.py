"""What users may do, on both planes, and from when on."""

from __future__ import annotations

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import PushFailed, RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import LOGIN, PULL, PUSH, Person, allow, denied, deny, document, repository_arn
from tests.integration.aws.errors import refused


@pytest.fixture
def repository(server: MoorageServer, account: KeyPair) -> str:
    """A repository of the account, with an image ``v1``."""
    name = fresh_name("team/app")
    server.client(key=account).create_repository(repositoryName=name)
    with server.registry(key=account) as root:
        root.push_image(name, builders.image(1), "v1")
    return name


def status(client: RegistryClient, method: str, path: str) -> int:
    return client.request(method, path).status


def test_nothing_is_allowed_by_default(server: MoorageServer, account: KeyPair, repository: str) -> None:
    person = Person(server, account)
    arn = repository_arn(account, repository)
    reason = "because no identity-based policy allows the ecr:DescribeImages action"
    with refused("AccessDeniedException", denied(person.arn, "ecr:DescribeImages", arn, reason)):
        person.ecr.describe_images(repositoryName=repository)
    missing = fresh_name("nowhere")
    arn = repository_arn(account, missing)
    with refused("AccessDeniedException", denied(person.arn, "ecr:DescribeImages", arn, reason)):
        person.ecr.describe_images(repositoryName=missing)
    with refused("AccessDeniedException"):
        person.ecr.get_authorization_token()
    who = server.client("sts", key=person.key).get_caller_identity()
    assert (who["Arn"], who["UserId"], who["Account"]) == (person.arn, person.id, account.account_id)


def test_a_puller_pulls_and_does_no_more(server: MoorageServer, account: KeyPair, repository: str) -> None:
    person = Person(server, account, allow(LOGIN), allow(*PULL, resource=repository_arn(account, "team/*")))
    with server.registry(key=person.key) as client:
        client.require_image(repository, builders.image(1))
        digest = builders.image(1).digest
        assert status(client, "HEAD", f"/v2/{repository}/manifests/v1") == 200
        assert status(client, "PUT", f"/v2/{repository}/manifests/v2") == 403
        assert status(client, "POST", f"/v2/{repository}/blobs/uploads/") == 403
        assert status(client, "DELETE", f"/v2/{repository}/manifests/{digest}") == 403
        assert status(client, "GET", f"/v2/{repository}/tags/list") == 403
        assert status(client, "GET", "/v2/_catalog") == 403
        answer = client.request("GET", "/v2/other/app/manifests/v1")
        assert (answer.status, answer.code) == (403, "DENIED")
        assert status(client, "GET", "/v2/team/missing/manifests/v1") == 404


def test_a_pusher_pushes(server: MoorageServer, account: KeyPair, repository: str) -> None:
    person = Person(server, account, allow(LOGIN), allow(*PUSH, *PULL, resource=repository_arn(account, repository)))
    with server.registry(key=person.key) as client:
        client.push_image(repository, builders.image(2), "v2")
        client.require_image(repository, builders.image(2))
    detail = server.client(key=account).describe_images(repositoryName=repository, imageIds=[{"imageTag": "v2"}])
    assert detail["imageDetails"][0]["imageTags"] == ["v2"]


def test_each_step_of_a_push_needs_its_action(server: MoorageServer, account: KeyPair, repository: str) -> None:
    for missing in PUSH[1:]:
        person = Person(server, account, allow(LOGIN), allow(*(action for action in PUSH if action != missing)))
        with server.registry(key=person.key) as client, pytest.raises(PushFailed):
            client.push_image(repository, builders.image(3), "v3")


def test_a_change_holds_from_the_next_request_on(server: MoorageServer, account: KeyPair, repository: str) -> None:
    person = Person(server, account, allow(LOGIN), allow(*PULL))
    path = f"/v2/{repository}/manifests/v1"
    with server.registry(key=person.key) as client:
        assert status(client, "GET", path) == 200
        person.may(allow(LOGIN), allow(*PULL), deny("ecr:BatchGetImage", resource=repository_arn(account, repository)))
        assert status(client, "GET", path) == 403
        person.may(allow(LOGIN), allow(*PULL))
        assert status(client, "GET", path) == 200
        person.iam.delete_user_policy(UserName=person.name, PolicyName="own")
        assert status(client, "GET", path) == 403
        person.iam.attach_user_policy(
            UserName=person.name, PolicyArn="arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"
        )
        assert status(client, "GET", path) == 200
        person.iam.update_access_key(UserName=person.name, AccessKeyId=person.key.access_key_id, Status="Inactive")
        assert status(client, "GET", path) == 401
        person.iam.update_access_key(UserName=person.name, AccessKeyId=person.key.access_key_id, Status="Active")
        assert status(client, "GET", path) == 200
        person.iam.delete_access_key(UserName=person.name, AccessKeyId=person.key.access_key_id)
        assert status(client, "GET", path) == 401


def test_groups_and_boundaries(server: MoorageServer, account: KeyPair, repository: str) -> None:
    person = Person(server, account)
    group, boundary = person.name.replace("user", "group"), person.name.replace("user", "boundary")
    person.iam.create_group(GroupName=group)
    person.iam.put_group_policy(GroupName=group, PolicyName="all", PolicyDocument=document(allow("ecr:*")))
    person.iam.add_user_to_group(GroupName=group, UserName=person.name)
    person.ecr.describe_images(repositoryName=repository)
    made = person.iam.create_policy(PolicyName=boundary, PolicyDocument=document(allow("ecr:Describe*")))["Policy"]
    person.iam.put_user_permissions_boundary(UserName=person.name, PermissionsBoundary=made["Arn"])
    person.ecr.describe_images(repositoryName=repository)
    reason = "because no permissions boundary allows the ecr:ListImages action"
    with refused("AccessDeniedException", denied(person.arn, "ecr:ListImages", repository_arn(account, repository), reason)):
        person.ecr.list_images(repositoryName=repository)
    person.iam.delete_user_permissions_boundary(UserName=person.name)
    person.ecr.list_images(repositoryName=repository)
    person.iam.remove_user_from_group(GroupName=group, UserName=person.name)
    with refused("AccessDeniedException"):
        person.ecr.list_images(repositoryName=repository)


def test_an_explicit_deny_names_its_managed_policy(server: MoorageServer, account: KeyPair, repository: str) -> None:
    person = Person(server, account, allow("ecr:*"))
    made = person.iam.create_policy(
        PolicyName=person.name.replace("user", "deny"), PolicyDocument=document(deny("ecr:ListImages"))
    )["Policy"]
    person.iam.attach_user_policy(UserName=person.name, PolicyArn=made["Arn"])
    reason = f"with an explicit deny in an identity-based policy: {made['Arn']}"
    with refused("AccessDeniedException", denied(person.arn, "ecr:ListImages", repository_arn(account, repository), reason)):
        person.ecr.list_images(repositoryName=repository)


def test_conditions_on_tags(server: MoorageServer, account: KeyPair, repository: str) -> None:
    root = server.client(key=account)
    same_team = {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}
    person = Person(server, account, allow(LOGIN), allow("ecr:*", Condition=same_team))
    with refused("AccessDeniedException"):
        person.ecr.describe_images(repositoryName=repository)
    person.iam.tag_user(UserName=person.name, Tags=[{"Key": "team", "Value": "blue"}])
    root.tag_resource(resourceArn=repository_arn(account, repository), tags=[{"Key": "team", "Value": "blue"}])
    person.ecr.describe_images(repositoryName=repository)
    root.tag_resource(resourceArn=repository_arn(account, repository), tags=[{"Key": "team", "Value": "red"}])
    with refused("AccessDeniedException"):
        person.ecr.describe_images(repositoryName=repository)


def test_tags_of_the_request(server: MoorageServer, account: KeyPair) -> None:
    tagged = {"StringEquals": {"aws:RequestTag/team": "a"}}
    person = Person(server, account, allow("ecr:CreateRepository", Condition=tagged))
    name = fresh_name("tagged")
    with refused("AccessDeniedException") as answer:
        person.ecr.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": "a"}])
    assert "ecr:TagResource" in answer["Error"]["Message"]
    person.may(allow("ecr:CreateRepository", "ecr:TagResource", Condition=tagged))
    with refused("AccessDeniedException"):
        person.ecr.create_repository(repositoryName=name)
    with refused("AccessDeniedException"):
        person.ecr.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": "b"}])
    person.ecr.create_repository(repositoryName=name, tags=[{"Key": "team", "Value": "a"}])
    only = {"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "env"]}}
    person.may(allow("ecr:TagResource", "ecr:UntagResource", Condition=only))
    arn = repository_arn(account, name)
    person.ecr.tag_resource(resourceArn=arn, tags=[{"Key": "env", "Value": "x"}])
    with refused("AccessDeniedException"):
        person.ecr.tag_resource(resourceArn=arn, tags=[{"Key": "cost", "Value": "1"}])
    with refused("AccessDeniedException"):
        person.ecr.untag_resource(resourceArn=arn, tagKeys=["cost"])
    person.ecr.untag_resource(resourceArn=arn, tagKeys=["env"])


def test_the_source_address_and_the_region(server: MoorageServer, account: KeyPair, repository: str) -> None:
    near = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}, "StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    person = Person(server, account, allow("ecr:DescribeRepositories", Condition=near))
    person.ecr.describe_repositories(repositoryNames=[repository])
    with refused("AccessDeniedException"):
        server.client(key=person.key, region="eu-west-1").describe_repositories()
    person.may(allow("ecr:DescribeRepositories", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    with refused("AccessDeniedException"):
        person.ecr.describe_repositories(repositoryNames=[repository])


def test_a_name_used_again_is_another_user(server: MoorageServer, account: KeyPair, repository: str) -> None:
    first = Person(server, account, allow(LOGIN))
    root = server.client(key=account)
    root.set_repository_policy(
        repositoryName=repository,
        policyText=document({"Effect": "Allow", "Principal": {"AWS": first.arn}, "Action": "ecr:BatchGetImage"}),
    )
    path = f"/v2/{repository}/manifests/v1"
    with server.registry(key=first.key) as client:
        assert status(client, "GET", path) == 200
        iam = first.iam
        iam.delete_user_policy(UserName=first.name, PolicyName="own")
        iam.delete_access_key(UserName=first.name, AccessKeyId=first.key.access_key_id)
        iam.delete_user(UserName=first.name)
        assert status(client, "GET", path) == 401
        iam.create_user(UserName=first.name)
        key = iam.create_access_key(UserName=first.name)["AccessKey"]
        again = KeyPair(account.account_id, key["AccessKeyId"], key["SecretAccessKey"])
        iam.put_user_policy(UserName=first.name, PolicyName="own", PolicyDocument=document(allow(LOGIN)))
        assert status(client, "GET", path) == 401
    with server.registry(key=again) as client:
        assert status(client, "GET", path) == 403
    shown = root.get_repository_policy(repositoryName=repository)["policyText"]
    assert first.arn not in shown
    assert first.id in shown
