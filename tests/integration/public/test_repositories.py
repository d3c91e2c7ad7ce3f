"""CreateRepository, DescribeRepositories, DeleteRepository, catalog data, policies and resource tags of ECR Public."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import ROOT, KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import PUSH, Person, allow, denied, document, grant
from tests.integration.aws.errors import no_repository, parameter, refused

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
FULL: dict[str, Any] = {
    "description": "An example",
    "architectures": ["ARM 64", "x86-64", "RISC-V"],
    "operatingSystems": ["Linux"],
    "aboutText": "# About\n*markdown*",
    "usageText": "Run it. ⚓",
}
PUBLIC_PUSH = tuple(action.replace("ecr:", "ecr-public:") for action in PUSH)


def arn_of(name: str, account_id: str = ROOT.account_id) -> str:
    return f"arn:aws:ecr-public::{account_id}:repository/{name}"


def test_create(server: MoorageServer, public: Any, alias: str) -> None:
    name = fresh_name("team/app")
    made = public.create_repository(repositoryName=name, catalogData=FULL)
    repository = made["repository"]
    created_at = repository.pop("createdAt")
    assert repository == {
        "repositoryArn": arn_of(name),
        "registryId": ROOT.account_id,
        "repositoryName": name,
        "repositoryUri": f"127.63.0.1:{server.port}/{alias}/{name}",
    }
    assert made["catalogData"] == {**FULL, "marketplaceCertified": False}
    assert public.describe_repositories(repositoryNames=[name])["repositories"] == [{**repository, "createdAt": created_at}]
    message = f"The repository with name '{name}' already exists in the registry with id '{ROOT.account_id}'"
    with refused("RepositoryAlreadyExistsException", message):
        public.create_repository(repositoryName=name)


def test_public_and_private_do_not_meet(server: MoorageServer, public: Any, ecr: Any) -> None:
    name = fresh_name("both")
    public.create_repository(repositoryName=name)
    with refused("RepositoryNotFoundException", no_repository(name)):
        ecr.describe_repositories(repositoryNames=[name])
    ecr.create_repository(repositoryName=name)
    public.delete_repository(repositoryName=name)
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryArn"] == (
        f"arn:aws:ecr:us-east-1:{ROOT.account_id}:repository/{name}"
    )
    with refused("RepositoryNotFoundException", no_repository(name)):
        public.describe_repositories(repositoryNames=[name])
    with server.registry() as registry:
        assert name in registry.get("/v2/_catalog?n=1000").json()["repositories"]


def test_names(public: Any) -> None:
    pattern = "(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*"
    for wrong in ("Upper", "a//b", "a--b", "a__b", "/ab"):
        with refused("InvalidParameterException", parameter("repositoryName", f"must satisfy regular expression '{pattern}'")):
            public.create_repository(repositoryName=wrong)
    with refused("InvalidParameterException", parameter("repositoryName", "Member must have length less than or equal to 205")):
        public.create_repository(repositoryName="a" * 206)


def test_pages(server: MoorageServer, account: KeyPair) -> None:
    client = server.client("ecr-public", key=account)
    names = sorted(f"app-{n}" for n in range(5))
    for name in reversed(names):
        client.create_repository(repositoryName=name)
    first = client.describe_repositories(maxResults=2)
    assert [entry["repositoryName"] for entry in first["repositories"]] == names[:2]
    walked = client.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2})
    assert [entry["repositoryName"] for page in walked for entry in page["repositories"]] == names
    with refused("InvalidParameterException", parameter("nextToken", "Invalid token")):
        server.client("ecr-public").describe_repositories(nextToken=first["nextToken"])
    with refused("InvalidParameterException", parameter("maxResults", "must not be specified together with repositoryNames")):
        client.describe_repositories(repositoryNames=names[:1], maxResults=1)


def test_delete(public: Any, publisher: RegistryClient, repository: str, path: str) -> None:
    publisher.push_image(path, builders.image(1), "v1")
    message = (
        f"The repository with name '{repository}' in registry with id '{ROOT.account_id}' cannot be deleted because it still "
        "contains images"
    )
    with refused("RepositoryNotEmptyException", message):
        public.delete_repository(repositoryName=repository)
    public.put_repository_catalog_data(repositoryName=repository, catalogData=FULL)
    assert public.delete_repository(repositoryName=repository, force=True)["repository"]["repositoryName"] == repository
    with refused("RepositoryNotFoundException", no_repository(repository)):
        public.delete_repository(repositoryName=repository)
    public.create_repository(repositoryName=repository)
    assert public.get_repository_catalog_data(repositoryName=repository)["catalogData"] == {"marketplaceCertified": False}


def test_catalog_data_is_replaced_as_a_whole(public: Any, repository: str) -> None:
    # Terraform's provider reads them of every repository, also where none were ever put.
    assert public.get_repository_catalog_data(repositoryName=repository)["catalogData"] == {"marketplaceCertified": False}
    for data in (FULL, {"description": "only this"}, {}, {"architectures": [], "aboutText": ""}):
        expected = {**data, "marketplaceCertified": False}
        assert public.put_repository_catalog_data(repositoryName=repository, catalogData=data)["catalogData"] == expected
        assert public.get_repository_catalog_data(repositoryName=repository)["catalogData"] == expected
    with refused("RepositoryNotFoundException", no_repository("none-such")):
        public.put_repository_catalog_data(repositoryName="none-such", catalogData={})


def test_limits_of_catalog_data(public: Any, repository: str) -> None:
    longest = {"description": 1024, "aboutText": 25_600, "usageText": 25_600}
    public.put_repository_catalog_data(
        repositoryName=repository,
        catalogData={member: "é" * size for member, size in longest.items()} | {"logoImageBlob": bytes(512_000)},
    )
    wrong: list[tuple[str, Any]] = [(member, "x" * (size + 1)) for member, size in longest.items()]
    wrong += [(member, ["x"] * 51) for member in ("architectures", "operatingSystems")]
    wrong += [("logoImageBlob", bytes(512_001))]
    for member, value in wrong:
        with refused("InvalidParameterException"):
            public.put_repository_catalog_data(repositoryName=repository, catalogData={member: value})
        with refused("InvalidParameterException"):
            public.create_repository(repositoryName=fresh_name("wrong"), catalogData={member: value})
    assert public.get_repository_catalog_data(repositoryName=repository)["catalogData"]["description"] == "é" * 1024


def fetch(url: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    found = (answer.status, answer.headers, answer.read())
    connection.close()
    return found


def test_logo(public: Any, repository: str) -> None:
    told = public.put_repository_catalog_data(repositoryName=repository, catalogData={"logoImageBlob": PNG})["catalogData"]
    status, headers, body = fetch(told["logoUrl"])
    assert (status, headers["Content-Type"], body) == (200, "image/png", PNG)
    script = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    newer = public.put_repository_catalog_data(repositoryName=repository, catalogData={"logoImageBlob": script})["catalogData"]
    assert newer["logoUrl"] != told["logoUrl"]
    _, headers, body = fetch(newer["logoUrl"])
    assert (headers["Content-Type"], headers["X-Content-Type-Options"], body) == ("application/octet-stream", "nosniff", script)
    public.put_repository_catalog_data(repositoryName=repository, catalogData={"logoImageBlob": b""})
    assert "logoUrl" not in public.get_repository_catalog_data(repositoryName=repository)["catalogData"]
    assert fetch(told["logoUrl"])[0] == 404


def test_resource_tags(public: Any, ecr: Any, repository: str) -> None:
    arn = arn_of(repository)
    public.tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": ""}])
    public.untag_resource(resourceArn=arn, tagKeys=["stage", "none"])
    assert public.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "team", "Value": "a"}]
    with refused("TooManyTagsException"):
        public.tag_resource(resourceArn=arn, tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    with refused("InvalidTagParameterException"):
        public.tag_resource(resourceArn=arn, tags=[{"Key": "aws:x", "Value": ""}])
    for half in ({}, {"Value": "x"}):
        with refused("InvalidTagParameterException"):
            public.tag_resource(resourceArn=arn, tags=[half])
    public.tag_resource(resourceArn=arn, tags=[{"Key": "alone"}])
    assert {"Key": "alone", "Value": ""} in public.list_tags_for_resource(resourceArn=arn)["tags"]
    private = f"arn:aws:ecr:us-east-1:{ROOT.account_id}:repository/{repository}"
    for client, wrong in ((public, private), (ecr, arn), (public, arn.replace("ecr-public::", "ecr-public:us-east-1:"))):
        with refused("InvalidParameterException", parameter("resourceArn", "Invalid ARN")):
            client.list_tags_for_resource(resourceArn=wrong)


def test_policy(public: Any, repository: str, stranger: KeyPair) -> None:
    where = f"the repository with name '{repository}' in the registry with id '{ROOT.account_id}'"
    with refused("RepositoryPolicyNotFoundException", f"Repository policy does not exist for {where}"):
        public.get_repository_policy(repositoryName=repository)
    text = document(grant({"AWS": stranger.account_id}, *PUBLIC_PUSH))
    told = public.set_repository_policy(repositoryName=repository, policyText=text)
    assert (told["registryId"], told["repositoryName"], told["policyText"]) == (ROOT.account_id, repository, text)
    assert public.get_repository_policy(repositoryName=repository)["policyText"] == text
    for wrong in ("{", document(grant("*", "ecr:PutImage")), json.dumps({"Version": "2012-10-17"})):
        with refused("InvalidParameterException") as answer:
            public.set_repository_policy(repositoryName=repository, policyText=wrong)
        assert "The policy document is malformed" in answer["Error"]["Message"]
    assert public.delete_repository_policy(repositoryName=repository)["policyText"] == text
    with refused("RepositoryPolicyNotFoundException"):
        public.delete_repository_policy(repositoryName=repository)


def test_a_policy_that_locks_out_takes_force(public: Any, repository: str) -> None:
    text = document(grant("*", "ecr-public:SetRepositoryPolicy", effect="Deny"))
    with refused("InvalidParameterException"):
        public.set_repository_policy(repositoryName=repository, policyText=text)
    public.set_repository_policy(repositoryName=repository, policyText=text, force=True)
    with refused("AccessDeniedException"):
        public.set_repository_policy(repositoryName=repository, policyText=document(grant("*", "ecr-public:PutImage")))


def test_a_policy_opens_management_to_another_account(
    server: MoorageServer, public: Any, repository: str, stranger: KeyPair
) -> None:
    person = Person(server, stranger, allow("ecr-public:*"))
    theirs = server.client("ecr-public", key=person.key)
    theirs.describe_registries()
    action, resource = "ecr-public:PutRepositoryCatalogData", arn_of(repository)
    reason = f"because no resource-based policy allows the {action} action"

    def put() -> None:
        theirs.put_repository_catalog_data(registryId=ROOT.account_id, repositoryName=repository, catalogData={})

    with refused("AccessDeniedException", denied(person.arn, action, resource, reason)):
        put()
    public.set_repository_policy(repositoryName=repository, policyText=document(grant({"AWS": person.arn}, action)))
    put()


def test_actions_are_those_of_ecr_public(server: MoorageServer, account: KeyPair) -> None:
    person = Person(server, account, allow("ecr:*"))
    theirs = server.client("ecr-public", key=person.key)
    action, resource = "ecr-public:CreateRepository", arn_of("app", account.account_id)
    reason = f"because no identity-based policy allows the {action} action"
    with refused("AccessDeniedException", denied(person.arn, action, resource, reason)):
        theirs.create_repository(repositoryName="app")
    person.may(allow(action, resource=resource), name="more")
    theirs.create_repository(repositoryName="app")
    with refused("AccessDeniedException"):
        theirs.describe_repositories()
    person.may(allow("ecr-public:*", resource=f"arn:aws:ecr-public::{account.account_id}:repository/*"), name="more")
    assert theirs.describe_repositories()["repositories"][0]["repositoryName"] == "app"
    east = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    person.may(allow("ecr-public:*", Condition=east), name="more")
    assert theirs.describe_repositories()["repositories"]


def test_resource_tags_decide(server: MoorageServer, account: KeyPair) -> None:
    root = server.client("ecr-public", key=account)
    for name in ("red", "blue"):
        root.create_repository(repositoryName=name, tags=[{"Key": "colour", "Value": name}])
    person = Person(server, account, allow("ecr-public:*", Condition={"StringEquals": {"ecr-public:ResourceTag/colour": "red"}}))
    theirs = server.client("ecr-public", key=person.key)
    assert theirs.describe_images(repositoryName="red")["imageDetails"] == []
    with refused("AccessDeniedException"):
        theirs.describe_images(repositoryName="blue")
