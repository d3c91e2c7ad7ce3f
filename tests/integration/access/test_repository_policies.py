"""Policies of repositories and registries: within an account and across accounts, on both planes."""

from __future__ import annotations

import json

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import PushFailed, RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import LOGIN, PULL, PUSH, Person, allow, denied, document, grant, repository_arn
from tests.integration.aws.errors import no_repository, parameter, refused

RETRIED = "Invalid repository policy provided"
"""Terraform's provider takes this text for a principal that is not there yet, and tries again for two minutes."""


@pytest.fixture
def repository(server: MoorageServer, account: KeyPair) -> str:
    """A repository of the account, with an image ``v1``."""
    name = fresh_name("shared/app")
    server.client(key=account).create_repository(repositoryName=name)
    with server.registry(key=account) as root:
        root.push_image(name, builders.image(1), "v1")
    return name


@pytest.fixture
def other(server: MoorageServer) -> KeyPair:
    """A second account."""
    return server.create_account("other")


def at(server: MoorageServer, key: KeyPair, account: KeyPair) -> RegistryClient:
    """Whoever holds `key`, logged in at another account's registry."""
    return RegistryClient("127.0.0.1", server.port, server.password(key=key), host=server.registry_host(account.account_id))


def test_set_get_delete(server: MoorageServer, account: KeyPair, repository: str) -> None:
    root = server.client(key=account)
    missing = f"Repository policy does not exist for the repository with name '{repository}' in the registry with id "
    with refused("RepositoryPolicyNotFoundException", f"{missing}'{account.account_id}'"):
        root.get_repository_policy(repositoryName=repository)
    text = json.dumps({"Version": "2008-10-17", "Statement": [{**grant("*", *PULL), "Sid": "new statement"}]}, indent=3)
    answer = root.set_repository_policy(repositoryName=repository, policyText=text)
    assert (answer["registryId"], answer["repositoryName"], answer["policyText"]) == (account.account_id, repository, text)
    assert root.get_repository_policy(repositoryName=repository)["policyText"] == text
    assert root.delete_repository_policy(repositoryName=repository)["policyText"] == text
    with refused("RepositoryPolicyNotFoundException"):
        root.delete_repository_policy(repositoryName=repository)
    with refused("RepositoryNotFoundException", no_repository("nowhere", account.account_id)):
        root.set_repository_policy(repositoryName="nowhere", policyText=text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"Statement": 1}',
        document({"Effect": "Allow", "Action": "ecr:BatchGetImage"}),
        document(grant("*", "ecr:BatchGetImage", Resource="*")),
        document(grant("*", "ecr:BatchGetImage", effect="Maybe")),
        document(grant({"AWS": "arn:aws:iam::*:root"}, "ecr:BatchGetImage")),
        document(grant("*", "ecr:BatchGetImage", Condition={"StringSounds": {"aws:username": "x"}})),
        document(grant("*", "ecr:BatchGetImage"), version="2020-01-01"),
        '{"Statement": [], "Statement": []}',
        "[" * 5000,
    ],
)
def test_bad_policies(server: MoorageServer, account: KeyPair, repository: str, text: str) -> None:
    with refused("InvalidParameterException") as answer:
        server.client(key=account).set_repository_policy(repositoryName=repository, policyText=text)
    assert "PolicyText' failed to satisfy constraint: 'The policy document is malformed: " in answer["Error"]["Message"]
    assert RETRIED not in answer["Error"]["Message"]


def test_principals_have_to_exist(server: MoorageServer, account: KeyPair, repository: str) -> None:
    for principal in (f"arn:aws:iam::{account.account_id}:user/nobody", "999999999999", "arn:aws:iam::999999999999:root"):
        with refused("InvalidParameterException", parameter("PolicyText", f"{RETRIED}: Principal not found")):
            server.client(key=account).set_repository_policy(
                repositoryName=repository, policyText=document(grant({"AWS": principal}, *PULL))
            )


def test_within_the_account(server: MoorageServer, account: KeyPair, repository: str) -> None:
    person, root = Person(server, account, allow(LOGIN)), server.client(key=account)
    path = f"/v2/{repository}/manifests/v1"
    with server.registry(key=person.key) as client:
        for principal, expected in (
            ({"AWS": person.arn}, 200),  # named itself: enough
            ({"AWS": account.account_id}, 403),  # the account: left to its own policies
            ({"AWS": f"arn:aws:iam::{account.account_id}:root"}, 403),
            ("*", 200),
            ({"Service": "lambda.amazonaws.com"}, 403),
        ):
            root.set_repository_policy(repositoryName=repository, policyText=document(grant(principal, *PULL)))
            assert client.request("GET", path).status == expected, principal
        person.may(allow(LOGIN), allow("ecr:*"))
        root.set_repository_policy(repositoryName=repository, policyText=document(grant("*", *PULL, effect="Deny")))
        assert client.request("GET", path).status == 403
    reason = "with an explicit deny in a resource-based policy"
    arn = repository_arn(account, repository)
    with refused("AccessDeniedException", denied(person.arn, "ecr:BatchGetImage", arn, reason)):
        person.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])


def test_nobody_locks_themselves_out(server: MoorageServer, account: KeyPair, repository: str) -> None:
    person = Person(server, account, allow("ecr:*"))
    text = document(grant({"AWS": person.arn}, "ecr:SetRepositoryPolicy", effect="Deny"))
    with refused("InvalidParameterException") as answer:
        person.ecr.set_repository_policy(repositoryName=repository, policyText=text)
    assert "prevent you from setting another policy" in answer["Error"]["Message"]
    person.ecr.set_repository_policy(repositoryName=repository, policyText=text, force=True)
    with refused("AccessDeniedException"):
        person.ecr.set_repository_policy(repositoryName=repository, policyText=document())
    everybody = document(grant("*", "ecr:*", effect="Deny"))
    root = server.client(key=account)
    root.set_repository_policy(repositoryName=repository, policyText=everybody)
    with refused("AccessDeniedException"):
        root.list_images(repositoryName=repository)
    root.delete_repository_policy(repositoryName=repository)  # an account's root can always come back
    root.list_images(repositoryName=repository)


def test_two_accounts_share_and_refuse(server: MoorageServer, account: KeyPair, other: KeyPair, repository: str) -> None:
    root, arn = server.client(key=account), repository_arn(account, repository)
    person = Person(server, other, allow(LOGIN), allow(*PULL, *PUSH, resource=arn))
    path = f"/v2/{repository}/manifests/v1"
    with at(server, person.key, account) as client:
        answer = client.request("GET", path)
        assert (answer.status, answer.code) == (403, "DENIED")
        reason = "because no resource-based policy allows the ecr:BatchGetImage action"
        assert answer.message == denied(person.arn, "ecr:BatchGetImage", arn, reason)
        assert client.request("GET", "/v2/not/there/manifests/v1").status == 403
        for principal in ({"AWS": other.account_id}, {"AWS": person.arn}, "*"):
            root.set_repository_policy(repositoryName=repository, policyText=document(grant(principal, *PULL)))
            client.require_image(repository, builders.image(1))
            with pytest.raises(PushFailed):
                client.push_image(repository, builders.image(2), "v2")
        root.set_repository_policy(repositoryName=repository, policyText=document(grant({"AWS": other.account_id}, *PULL, *PUSH)))
        client.push_image(repository, builders.image(2), "v2")
        person.may(allow(LOGIN))  # its own side is needed as well, also with Principal *
        root.set_repository_policy(repositoryName=repository, policyText=document(grant("*", *PULL)))
        answer = client.request("GET", path)
        assert answer.message == denied(
            person.arn, "ecr:BatchGetImage", arn, "because no identity-based policy allows the ecr:BatchGetImage action"
        )
        root.delete_repository_policy(repositoryName=repository)
        person.may(allow(LOGIN), allow("ecr:*"))
        assert client.request("GET", path).status == 403


def test_calls_across_accounts(server: MoorageServer, account: KeyPair, other: KeyPair, repository: str) -> None:
    theirs = server.client(key=other)
    with refused("AccessDeniedException"):
        theirs.describe_images(registryId=account.account_id, repositoryName=repository)
    server.client(key=account).set_repository_policy(
        repositoryName=repository,
        policyText=document(grant({"AWS": other.account_id}, "ecr:DescribeImages", "ecr:GetRepositoryPolicy")),
    )
    found = theirs.describe_images(registryId=account.account_id, repositoryName=repository)["imageDetails"]
    assert [detail["imageTags"] for detail in found] == [["v1"]]
    assert theirs.get_repository_policy(registryId=account.account_id, repositoryName=repository)["policyText"]
    with refused("RegistryPolicyNotFoundException"):  # no other account's, and its own has none
        theirs.get_registry_policy()
    with refused("AccessDeniedException"):
        theirs.describe_repositories(registryId=account.account_id)
    with refused("RepositoryNotFoundException"):
        theirs.describe_images(repositoryName=repository)


def test_mounting_needs_the_right_to_pull_from_the_source(server: MoorageServer, account: KeyPair, repository: str) -> None:
    target = fresh_name("mine")
    server.client(key=account).create_repository(repositoryName=target)
    image = builders.image(1)
    digest = json.loads(image.manifest)["layers"][0]["digest"]
    person = Person(server, account, allow(LOGIN), allow(*PUSH, resource=repository_arn(account, target)))
    mount = f"/v2/{target}/blobs/uploads/?mount={digest}&from={repository}"
    with server.registry(key=person.key) as client:
        assert client.request("POST", mount).status == 202
        assert client.request("POST", f"/v2/{target}/blobs/uploads/?mount={digest}").status == 202
        person.may(allow(LOGIN), allow(*PUSH, "ecr:GetDownloadUrlForLayer"))
        assert client.request("POST", mount).status == 201


def test_registry_policy(server: MoorageServer, account: KeyPair, other: KeyPair, repository: str) -> None:
    root, arn = server.client(key=account), repository_arn(account, "*")
    with refused(
        "RegistryPolicyNotFoundException", f"Registry policy does not exist in the registry with id '{account.account_id}'"
    ):
        root.get_registry_policy()
    invalid = parameter("PolicyText", "Invalid registry policy provided")
    for text in ("{}", document(grant("*", "ecr:BatchGetImage")), document(grant("*", "s3:GetObject", Resource=arn))):
        with refused("InvalidParameterException", invalid):
            root.put_registry_policy(policyText=text)
    text = document(grant({"AWS": other.account_id}, *PULL, Resource=arn))
    assert root.put_registry_policy(policyText=text)["policyText"] == text
    assert root.get_registry_policy()["policyText"] == text
    theirs = Person(server, other, allow(LOGIN), allow(*PULL))
    path = f"/v2/{repository}/manifests/v1"
    with at(server, theirs.key, account) as client:
        assert client.request("GET", path).status == 200
        with refused("ValidationException"):
            root.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V1")
        create = document(grant({"AWS": other.account_id}, "ecr:CreateRepository", Resource=arn))
        root.put_registry_policy(policyText=create)
        assert client.request("GET", path).status == 403
        # The scope V1 was withdrawn, whatever the policy names.
        with refused("ValidationException", "Invalid value for account setting"):
            root.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V1")
        root.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V2")
        assert root.get_account_setting(name="REGISTRY_POLICY_SCOPE")["value"] == "V2"
        made = server.client(key=other).create_repository(registryId=account.account_id, repositoryName=fresh_name("made"))
        assert made["repository"]["registryId"] == account.account_id
        assert root.delete_registry_policy()["policyText"] == create
        with refused("RegistryPolicyNotFoundException"):
            root.delete_registry_policy()
        with refused("AccessDeniedException"):
            server.client(key=other).create_repository(registryId=account.account_id, repositoryName=fresh_name("made"))
