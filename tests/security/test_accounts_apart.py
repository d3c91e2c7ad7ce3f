"""Attempts to reach into another account: tokens at the wrong door, ids of others, questions that give away what exists."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import LOGIN, PULL, Person, allow, document, grant, repository_arn
from tests.integration.aws.errors import each, refused


@pytest.fixture
def repository(server: MoorageServer, account: KeyPair) -> str:
    """A repository of the account with an image ``v1``."""
    name = fresh_name("private")
    server.client(key=account).create_repository(repositoryName=name)
    with server.registry(key=account) as root:
        root.push_image(name, builders.image(1), "v1")
    return name


def at(server: MoorageServer, key: KeyPair, account: KeyPair) -> RegistryClient:
    """Whoever holds `key`, at the registry of `account`."""
    return RegistryClient("127.0.0.1", server.port, server.password(key=key), host=server.registry_host(account.account_id))


def test_tokens_at_another_accounts_registry(server: MoorageServer, account: KeyPair, stranger: KeyPair, repository: str) -> None:
    built = builders.image(1)
    with at(server, stranger, account) as outsider:
        for method, path, body in (
            ("GET", f"/v2/{repository}/manifests/v1", None),
            ("HEAD", f"/v2/{repository}/blobs/{built.config}", None),
            ("GET", f"/v2/{repository}/tags/list", None),
            ("PUT", f"/v2/{repository}/manifests/v2", built.manifest),
            ("POST", f"/v2/{repository}/blobs/uploads/", b""),
            ("DELETE", f"/v2/{repository}/manifests/v1", None),
            ("GET", f"/v2/{repository}/referrers/{built.digest}", None),
        ):
            assert outsider.request(method, path, body).status == 403, (method, path)
        catalog = outsider.request("GET", "/v2/_catalog")
        assert catalog.status == 403 or repository not in catalog.body.decode()


def test_what_another_account_has_does_not_show(
    server: MoorageServer, account: KeyPair, stranger: KeyPair, repository: str
) -> None:
    """The same answer for what is missing and for what is forbidden, on both planes and in every service."""
    theirs, absent = server.client(key=stranger), fresh_name("absent")
    owner = account.account_id
    calls: list[Callable[[str], Any]] = [
        lambda name: theirs.describe_repositories(registryId=owner, repositoryNames=[name]),
        lambda name: theirs.list_images(registryId=owner, repositoryName=name),
        lambda name: theirs.batch_get_image(registryId=owner, repositoryName=name, imageIds=[{"imageTag": "v1"}]),
        lambda name: theirs.get_repository_policy(registryId=owner, repositoryName=name),
        lambda name: theirs.delete_repository(registryId=owner, repositoryName=name, force=True),
        lambda name: theirs.create_repository(registryId=owner, repositoryName=name),
        lambda name: theirs.initiate_layer_upload(registryId=owner, repositoryName=name),
        lambda name: theirs.list_tags_for_resource(resourceArn=repository_arn(account, name)),
        lambda name: theirs.set_repository_policy(
            registryId=owner, repositoryName=name, policyText=document(grant("*", "ecr:*"))
        ),
    ]
    for number, call in enumerate(calls):
        texts = []
        for name in (repository, absent):
            with refused("AccessDeniedException") as answer:
                call(name)
            texts.append(answer["Error"]["Message"].replace(name, ""))
        assert texts[0] == texts[1], number
    person = Person(server, account)
    iam = server.client("iam", key=person.key)
    there, missing = Person(server, account), fresh_name("missing")
    looks: list[Callable[[str], Any]] = [
        lambda name: iam.get_user(UserName=name),
        lambda name: iam.list_access_keys(UserName=name),
        lambda name: iam.get_login_profile(UserName=name),
        lambda name: iam.list_attached_user_policies(UserName=name),
        lambda name: iam.get_role(RoleName=name),
        lambda name: iam.simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{owner}:user/{name}", ActionNames=["ecr:PutImage"]
        ),
    ]
    for look in looks:
        texts = []
        for name in (there.name, missing):
            with refused("AccessDenied", status=403) as answer:
                look(name)
            texts.append(answer["Error"]["Message"].replace(name, ""))
        assert texts[0] == texts[1]


def test_what_was_allowed_at_home_is_not_allowed_elsewhere(server: MoorageServer, account: KeyPair, stranger: KeyPair) -> None:
    """Operations on a registry have no resource of their own: an Allow that is remembered is one for one's own registry."""
    theirs, some = server.client(key=stranger), "00000000-0000-4000-8000-000000000000"
    destination = {"region": "eu-west-1", "registryId": account.account_id}
    server.client(key=account).put_replication_configuration(
        replicationConfiguration={"rules": [{"destinations": [destination]}]}
    )
    calls: dict[str, Callable[..., Any]] = {
        "StartReplicationBackfill": lambda **more: theirs.start_replication_backfill(destination=destination, **more),
        "StopReplicationBackfill": lambda **more: theirs.stop_replication_backfill(replicationBackfillId=some, **more),
        "ListReplicationBackfills": theirs.list_replication_backfills,
        "DescribeReplicationBackfillResults": lambda **more: theirs.describe_replication_backfill_results(
            replicationBackfillId=some, **more
        ),
        "CreatePullThroughCacheRule": lambda **more: theirs.create_pull_through_cache_rule(
            ecrRepositoryPrefix="apart", upstreamRegistryUrl="public.ecr.aws", **more
        ),
        "DescribePullThroughCacheRules": theirs.describe_pull_through_cache_rules,
        "UpdatePullThroughCacheRule": lambda **more: theirs.update_pull_through_cache_rule(ecrRepositoryPrefix="apart", **more),
        "ValidatePullThroughCacheRule": lambda **more: theirs.validate_pull_through_cache_rule(
            ecrRepositoryPrefix="apart", **more
        ),
        "DeletePullThroughCacheRule": lambda **more: theirs.delete_pull_through_cache_rule(ecrRepositoryPrefix="apart", **more),
    }
    model = theirs.meta.service_model
    assert calls.keys() == {
        name
        for name in model.operation_names
        if "registryId" in (members := model.operation_model(name).input_shape.members) and "repositoryName" not in members
    } - {"CreateRepository", "DescribeRepositories"}
    for call in calls.values():
        for _ in range(2):  # whatever it answers: it was allowed, and that is remembered
            with contextlib.suppress(theirs.exceptions.ClientError):
                call()
        with refused("AccessDeniedException"):
            call(registryId=account.account_id)


def test_questions_about_keys_of_another_account(server: MoorageServer, account: KeyPair, stranger: KeyPair) -> None:
    iam = server.client("iam", key=stranger)
    texts = []
    for key in (account.access_key_id, "AKIA" + "Z" * 16):
        with pytest.raises(iam.exceptions.ClientError) as caught:
            iam.get_access_key_last_used(AccessKeyId=key)
        texts.append(caught.value.response["Error"]["Message"].replace(key, ""))
    assert texts[0] == texts[1]
    person = Person(server, account)
    for call in each(
        lambda: iam.update_access_key(AccessKeyId=person.key.access_key_id, Status="Inactive"),
        lambda: iam.delete_access_key(AccessKeyId=person.key.access_key_id),
        lambda: iam.delete_access_key(UserName=person.name, AccessKeyId=person.key.access_key_id),
        lambda: iam.delete_access_key(AccessKeyId=account.access_key_id),
    ):
        with pytest.raises(iam.exceptions.ClientError):
            call()
    server.client("sts", key=person.key).get_caller_identity()
    server.client("sts", key=account).get_caller_identity()


@pytest.mark.parametrize(
    "trick",
    [" {}", "{} ", "{}\n", "0{}", "{}0", "+{}", "{}.0", "arn:aws:iam::{}:root", "\uff11{tail}", "{}\u200b", "-{}", "{},{}"],
)
def test_registry_ids_written_differently(
    server: MoorageServer, account: KeyPair, stranger: KeyPair, repository: str, trick: str
) -> None:
    theirs = server.client(key=stranger)
    written = trick.format(account.account_id, account.account_id, tail=account.account_id[1:])
    with pytest.raises(theirs.exceptions.ClientError) as caught:
        theirs.list_images(registryId=written, repositoryName=repository)
    assert caught.value.response["Error"]["Code"] in {
        "InvalidParameterException",
        "AccessDeniedException",
        "RepositoryNotFoundException",
    }


def test_actions_without_a_resource_across_accounts(server: MoorageServer, account: KeyPair, stranger: KeyPair) -> None:
    """What has no resource is done at home, whatever policies and parameters say."""
    root, theirs = server.client(key=account), server.client(key=stranger)
    everything = document(grant({"AWS": stranger.account_id}, "ecr:*", Resource="*"))
    root.put_registry_policy(policyText=everything)
    with refused("RegistryPolicyNotFoundException"):
        theirs.get_registry_policy()
    assert theirs.describe_registry()["registryId"] == stranger.account_id
    tokens = theirs.get_authorization_token(registryIds=[account.account_id])["authorizationData"]
    with server.registry(key=account) as client:
        answer = client.request("GET", "/v2/_catalog", authorization=f"Basic {tokens[0]['authorizationToken']}")
        assert answer.status in {200, 403}
    person = Person(server, account, allow("ecr:*"))
    assert person.ecr.describe_registry()["registryId"] == account.account_id
    root.delete_registry_policy()


def test_a_private_repository_pulled_by_nobody(server: MoorageServer, account: KeyPair, repository: str) -> None:
    """Principal * is everybody who has credentials."""
    server.client(key=account).set_repository_policy(repositoryName=repository, policyText=document(grant("*", "ecr:*")))
    with server.registry(key=account) as client:
        for authorization in ("", "Basic Og==", "Basic QVdTOg==", "Bearer ", "Bearer x", "Basic QVdTOnB1YmxpYw=="):
            for path in (f"/v2/{repository}/manifests/v1", f"/v2/{repository}/tags/list", "/v2/"):
                assert client.request("GET", path, authorization=authorization).status == 401, (path, authorization)


def test_grants_to_an_account_are_not_grants_to_its_people(
    server: MoorageServer, account: KeyPair, stranger: KeyPair, repository: str
) -> None:
    server.client(key=account).set_repository_policy(
        repositoryName=repository, policyText=document(grant({"AWS": stranger.account_id}, *PULL))
    )
    person = Person(server, stranger, allow(LOGIN))
    with at(server, person.key, account) as client:
        assert client.request("GET", f"/v2/{repository}/manifests/v1").status == 403
        person.may(allow(LOGIN), allow(*PULL, resource=repository_arn(stranger, repository)))  # of their own account
        assert client.request("GET", f"/v2/{repository}/manifests/v1").status == 403
        person.may(allow(LOGIN), allow(*PULL, resource=repository_arn(account, repository)))
        assert client.request("GET", f"/v2/{repository}/manifests/v1").status == 200


def _pull_from(server: MoorageServer, token: str, repository: str, forwarded: str | list[str] | None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.putrequest("GET", f"/v2/{repository}/tags/list")
        connection.putheader("Authorization", f"Basic {token}")
        for value in [forwarded] if isinstance(forwarded, str) else forwarded or []:
            connection.putheader("X-Forwarded-For", value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("is_trusted", [False, True])
def test_an_address_that_the_caller_claims(make_server: Callable[..., MoorageServer], is_trusted: bool) -> None:
    """X-Forwarded-For sets aws:SourceIp if a trusted proxy says so, and then by the last entry alone."""
    server = make_server(options=("--trusted-proxies", "127.0.0.1") if is_trusted else ("--trusted-proxies", "192.0.2.7"))
    server.client().create_repository(repositoryName="app")
    inside = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    person = Person(server, server.root, allow(LOGIN), allow("ecr:*", Condition=inside))
    token = person.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    for forwarded, counts in (
        (None, False),
        ("10.1.2.3", True),
        ("198.51.100.9, 10.1.2.3", True),
        ("10.1.2.3, 198.51.100.9", False),  # what the client wrote stands before what the proxy added
        (["10.1.2.3", "198.51.100.9"], False),
        ("10.1.2.3x", False),
        ("", False),
        ("10.0.0.0/8", False),
    ):
        status = _pull_from(server, token, "app", forwarded)
        assert status == (200 if is_trusted and counts else 403), (forwarded, status)


def test_a_user_of_the_same_name_in_another_account(
    server: MoorageServer, account: KeyPair, stranger: KeyPair, repository: str
) -> None:
    person = Person(server, account)
    twin_iam = server.client("iam", key=stranger)
    twin_iam.create_user(UserName=person.name)
    key = twin_iam.create_access_key(UserName=person.name)["AccessKey"]
    twin = KeyPair(stranger.account_id, key["AccessKeyId"], key["SecretAccessKey"])
    twin_iam.put_user_policy(UserName=person.name, PolicyName="p", PolicyDocument=document(allow("*")))
    root = server.client(key=account)
    root.set_repository_policy(repositoryName=repository, policyText=document(grant({"AWS": person.arn}, "ecr:ListImages")))
    person.ecr.list_images(repositoryName=repository)
    with refused("AccessDeniedException"):
        server.client(key=twin).list_images(registryId=account.account_id, repositoryName=repository)
    by_name = {"StringEquals": {"aws:username": person.name, "aws:PrincipalAccount": account.account_id}}
    text = document(grant("*", "ecr:ListImages", Condition=by_name))
    root.set_repository_policy(repositoryName=repository, policyText=text)
    with refused("AccessDeniedException"):
        server.client(key=twin).list_images(registryId=account.account_id, repositoryName=repository)
    assert json.loads(root.get_repository_policy(repositoryName=repository)["policyText"]) == json.loads(text)


def test_an_organization_that_is_not_ones_own(own_server: MoorageServer) -> None:
    """Grants to an organization, by id and by path: only to its members, and to nobody before there is one."""
    server = own_server
    root, other = server.client(), server.create_account("member")
    root.create_repository(repositoryName="app")
    theirs = server.client(key=other)

    def may(**condition: Any) -> bool:
        text = document(grant("*", "ecr:ListImages", Condition=condition))
        root.set_repository_policy(repositoryName="app", policyText=text)
        try:
            theirs.list_images(registryId=server.root.account_id, repositoryName="app")
        except theirs.exceptions.ClientError:
            return False
        return True

    paths = {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": ["o-*/r-*/*"]}}
    assert not may(StringLike={"aws:PrincipalOrgID": "o-*"})
    assert not may(**paths)
    made = server.client("organizations").create_organization()["Organization"]["Id"]
    assert may(StringEquals={"aws:PrincipalOrgID": made})
    assert may(**paths)
    assert not may(StringEquals={"aws:PrincipalOrgID": "o-another123"})
    assert not may(**{"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": [f"{made}/r-*/ou-*/*", "o-other/*"]}})
