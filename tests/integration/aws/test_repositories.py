"""CreateRepository, DescribeRepositories, DeleteRepository, PutImageTagMutability, resource tags."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import ROOT, KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.aws.errors import each, no_repository, parameter, refused

REGISTRY = ROOT.account_id
PATTERN = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"


def arn(name: str) -> str:
    return f"arn:aws:ecr:us-east-1:{REGISTRY}:repository/{name}"


def test_create(ecr: Any, server: MoorageServer) -> None:
    name = fresh_name("team/app")
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    made = ecr.create_repository(repositoryName=name)["repository"]
    created_at = made.pop("createdAt")
    assert before <= created_at <= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    assert made == {
        "repositoryArn": arn(name),
        "registryId": REGISTRY,
        "repositoryName": name,
        "repositoryUri": f"{server.host}/{name}",
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": False},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }
    described = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    assert described == [made | {"createdAt": created_at}]


def test_create_with_everything(ecr: Any) -> None:
    name = fresh_name()
    filters = [{"filterType": "WILDCARD", "filter": "dev-*"}, {"filterType": "WILDCARD", "filter": "latest"}]
    made = ecr.create_repository(
        repositoryName=name,
        registryId=REGISTRY,
        tags=[{"Key": "team", "Value": "ä"}, {"Key": "empty", "Value": ""}],
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration={"encryptionType": "AES256"},
    )["repository"]
    assert (made["imageTagMutability"], made["imageTagMutabilityExclusionFilters"]) == ("IMMUTABLE_WITH_EXCLUSION", filters)
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert "tags" not in made
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"] == [made]
    tags = ecr.list_tags_for_resource(resourceArn=arn(name))["tags"]
    assert tags == [{"Key": "empty", "Value": ""}, {"Key": "team", "Value": "ä"}]


def test_create_twice(ecr: Any, repository: str) -> None:
    message = f"The repository with name '{repository}' already exists in the registry with id '{REGISTRY}'"
    with refused("RepositoryAlreadyExistsException", message):
        ecr.create_repository(repositoryName=repository)


@pytest.mark.parametrize("name", ["UPPER", "-a", "a-", "a//b", "a/", "a___b", "a..b", "a b", "ä-name"])
def test_bad_name(ecr: Any, name: str) -> None:
    with refused("InvalidParameterException", parameter("repositoryName", f"must satisfy regular expression '{PATTERN}'")):
        ecr.create_repository(repositoryName=name)


@pytest.mark.parametrize("name", ["0a", "a.b", "a_b", "a__b", "a---b", "a/b/c", "a" * 256])
def test_good_name(ecr: Any, name: str) -> None:
    ecr.create_repository(repositoryName=name)
    assert ecr.delete_repository(repositoryName=name)["repository"]["repositoryName"] == name


def test_name_too_long(ecr: Any) -> None:
    with refused("InvalidParameterException", parameter("repositoryName", "Member must have length less than or equal to 256")):
        ecr.create_repository(repositoryName="a" * 257)


def test_bad_settings(ecr: Any) -> None:
    def create(**settings: Any) -> None:
        ecr.create_repository(repositoryName=fresh_name(), **settings)

    with refused("InvalidParameterException"):
        create(imageTagMutability="SOMETIMES")
    member = "imageTagMutabilityExclusionFilters"
    absent = "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as IMMUTABLE_WITH_EXCLUSION"
    with refused("InvalidParameterException", parameter(member, absent)):
        create(imageTagMutability="IMMUTABLE_WITH_EXCLUSION")
    wildcard = [{"filterType": "WILDCARD", "filter": "a*"}]
    present = "ImageTagMutabilityExclusionFilters can't be specified when imageTagMutability is set as MUTABLE"
    with refused("InvalidParameterException", parameter(member, present)):
        create(imageTagMutability="MUTABLE", imageTagMutabilityExclusionFilters=wildcard)
    with refused("InvalidParameterException"):
        create(imageTagMutability="MUTABLE_WITH_EXCLUSION", imageTagMutabilityExclusionFilters=wildcard * 6)
    with refused("InvalidParameterException"):
        create(
            imageTagMutability="MUTABLE_WITH_EXCLUSION",
            imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "a*b*c*"}],
        )
    with refused("InvalidParameterException"):
        create(encryptionConfiguration={"encryptionType": "AES256", "kmsKey": "arn:aws:kms:us-east-1:000000000000:key/x"})


def test_encryption_with_a_kms_key(ecr: Any, repository: str) -> None:
    """Refused, after everything else that is wrong; and nothing is left of it."""
    name, text = fresh_name(), "encryption with KMS keys is not available in this version of Moorage: use encryptionType AES256"

    def create(given: str = name, **more: Any) -> None:
        ecr.create_repository(
            repositoryName=given, encryptionConfiguration={"encryptionType": "KMS", "kmsKey": "alias/x"}, **more
        )

    with refused("KmsException", text) as answer:
        create()
    assert answer["kmsError"] == "UnsupportedOperationException"
    with refused("RepositoryAlreadyExistsException"):
        create(repository)
    with refused("InvalidTagParameterException"):
        create(tags=[{"Key": "aws:x", "Value": ""}])
    with refused("InvalidParameterException"):
        create(imageTagMutability="IMMUTABLE_WITH_EXCLUSION")
    with refused("RepositoryNotFoundException"):
        ecr.describe_repositories(repositoryNames=[name])


def test_bad_resource_tags(ecr: Any, repository: str) -> None:
    def tag(*pairs: tuple[str, str]) -> None:
        ecr.tag_resource(resourceArn=arn(repository), tags=[{"Key": key, "Value": value} for key, value in pairs])

    with refused("InvalidTagParameterException"):
        tag(("aws:reserved", "x"))
    with refused("InvalidTagParameterException"):
        tag(("AWS:reserved", "x"))
    with refused("InvalidTagParameterException"):
        tag(("key", "1"), ("key", "2"))
    with refused("InvalidTagParameterException"):
        tag(("no*stars", "x"))
    with refused("TooManyTagsException"):
        tag(*((f"key{number}", "x") for number in range(51)))
    assert ecr.list_tags_for_resource(resourceArn=arn(repository))["tags"] == []
    tag(*((f"key{number:02}", "x") for number in range(50)))
    tag(("key07", "changed"))
    with refused("TooManyTagsException"):
        tag(("one-more", "x"))
    found = ecr.list_tags_for_resource(resourceArn=arn(repository))["tags"]
    assert found == [{"Key": f"key{number:02}", "Value": "changed" if number == 7 else "x"} for number in range(50)]


def test_resource_tags(ecr: Any, repository: str) -> None:
    ecr.tag_resource(resourceArn=arn(repository), tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}])
    ecr.tag_resource(resourceArn=arn(repository), tags=[])
    ecr.tag_resource(resourceArn=arn(repository), tags=[{"Key": "B", "Value": "other case"}])
    ecr.untag_resource(resourceArn=arn(repository), tagKeys=["b", "never there"])
    ecr.untag_resource(resourceArn=arn(repository), tagKeys=["b"])
    found = ecr.list_tags_for_resource(resourceArn=arn(repository))["tags"]
    assert found == [{"Key": "B", "Value": "other case"}, {"Key": "a", "Value": "1"}]


@pytest.mark.parametrize(
    "resource",
    [
        "nonsense",
        "arn:aws:s3:::bucket",
        f"arn:aws:ecr:eu-west-1:{REGISTRY}:repository/a-name",
        f"arn:aws:ecr:us-east-1:{REGISTRY}:registry",
    ],
)
def test_bad_arn(ecr: Any, resource: str) -> None:
    for call in each(
        lambda: ecr.list_tags_for_resource(resourceArn=resource),
        lambda: ecr.tag_resource(resourceArn=resource, tags=[{"Key": "a", "Value": "b"}]),
        lambda: ecr.untag_resource(resourceArn=resource, tagKeys=["a"]),
    ):
        with refused("InvalidParameterException", parameter("resourceArn", "Invalid ARN")):
            call()


def test_what_needs_a_repository(ecr: Any) -> None:
    absent = fresh_name("absent")
    digest = "sha256:" + "a" * 64
    image = [{"imageTag": "latest"}]
    for call in each(
        lambda: ecr.describe_repositories(repositoryNames=[absent]),
        lambda: ecr.delete_repository(repositoryName=absent),
        lambda: ecr.put_image_tag_mutability(repositoryName=absent, imageTagMutability="MUTABLE"),
        lambda: ecr.list_tags_for_resource(resourceArn=arn(absent)),
        lambda: ecr.tag_resource(resourceArn=arn(absent), tags=[]),
        lambda: ecr.untag_resource(resourceArn=arn(absent), tagKeys=["a"]),
        lambda: ecr.list_images(repositoryName=absent),
        lambda: ecr.describe_images(repositoryName=absent),
        lambda: ecr.batch_get_image(repositoryName=absent, imageIds=image),
        lambda: ecr.batch_delete_image(repositoryName=absent, imageIds=image),
        lambda: ecr.put_image(repositoryName=absent, imageManifest="{}"),
        lambda: ecr.batch_check_layer_availability(repositoryName=absent, layerDigests=[digest]),
        lambda: ecr.get_download_url_for_layer(repositoryName=absent, layerDigest=digest),
        lambda: ecr.initiate_layer_upload(repositoryName=absent),
        lambda: ecr.upload_layer_part(
            repositoryName=absent,
            uploadId="00000000-0000-4000-8000-000000000000",
            partFirstByte=0,
            partLastByte=0,
            layerPartBlob=b"x",
        ),
        lambda: ecr.complete_layer_upload(
            repositoryName=absent, uploadId="00000000-0000-4000-8000-000000000000", layerDigests=[digest]
        ),
    ):
        with refused("RepositoryNotFoundException", no_repository(absent)):
            call()


def test_delete(ecr: Any, registry: RegistryClient) -> None:
    name = fresh_name()
    made = ecr.create_repository(repositoryName=name)["repository"]
    registry.push_blob(name, b"layers alone do not count")
    registry.start_upload(name)
    assert ecr.delete_repository(repositoryName=name)["repository"] == made
    with refused("RepositoryNotFoundException", no_repository(name)):
        ecr.delete_repository(repositoryName=name)


def test_delete_of_one_that_is_not_empty(ecr: Any, registry: RegistryClient, repository: str) -> None:
    built = builders.image(1)
    registry.push_image(repository, built)
    message = (
        f"The repository with name '{repository}' in registry with id '{REGISTRY}' cannot be deleted because it still "
        "contains images"
    )
    for settings in ({}, {"force": False}):
        with refused("RepositoryNotEmptyException", message):
            ecr.delete_repository(repositoryName=repository, **settings)
    ecr.delete_repository(repositoryName=repository, force=True)
    assert registry.get(f"/v2/{repository}/manifests/{built.digest}").code == "NAME_UNKNOWN"
    # The name is free at once, and what bore it before does not shine through.
    ecr.create_repository(repositoryName=repository)
    assert registry.get(f"/v2/{repository}/manifests/{built.digest}").code == "MANIFEST_UNKNOWN"
    assert registry.get(f"/v2/{repository}/blobs/{built.config}").code == "BLOB_UNKNOWN"
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []
    registry.push_image(repository, built, "again")
    registry.require_image(repository, built, "again")


def test_describe_named(ecr: Any) -> None:
    names = [fresh_name("named") for _ in range(3)]
    for name in names:
        ecr.create_repository(repositoryName=name)
    found = ecr.describe_repositories(repositoryNames=[*reversed(names), names[0]])
    assert [entry["repositoryName"] for entry in found["repositories"]] == sorted(names)
    assert "nextToken" not in found
    with refused("RepositoryNotFoundException", no_repository("absent-1")):
        ecr.describe_repositories(repositoryNames=[names[0], "absent-1", "absent-2"])
    for paging in ({"maxResults": 1}, {"nextToken": "x"}):
        member = next(iter(paging))
        with refused("InvalidParameterException", parameter(member, "must not be specified together with repositoryNames")):
            ecr.describe_repositories(repositoryNames=names, **paging)


def test_pages(server: MoorageServer, account: KeyPair) -> None:
    client = server.client(key=account)
    assert client.describe_repositories()["repositories"] == []
    names = sorted(["b", "a", "a-b", "a/b", "a.b", "a_b", "zz/top", "a/b/c"])
    names = sorted(name if len(name) > 1 else name * 2 for name in names)
    for name in reversed(names):
        client.create_repository(repositoryName=name)
    for size in range(1, len(names) + 2):
        pages = list(client.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": size}))
        assert [entry["repositoryName"] for page in pages for entry in page["repositories"]] == names
        assert all(len(page["repositories"]) == size for page in pages[:-1])
        assert "nextToken" not in pages[-1]
    too_many = parameter("maxResults", "Member must have value less than or equal to 1000")
    with refused("InvalidParameterException", too_many):
        client.describe_repositories(maxResults=1001)


def test_page_tokens(server: MoorageServer, account: KeyPair, ecr: Any) -> None:
    client = server.client(key=account)
    for name in ("aa", "bb", "cc"):
        client.create_repository(repositoryName=name)
    token = client.describe_repositories(maxResults=1)["nextToken"]
    assert token != client.describe_repositories(maxResults=1, nextToken=token)["nextToken"]
    invalid = parameter("nextToken", "Invalid token")
    forged = ("A" if token[5] != "A" else "B").join([token[:5], token[6:]])
    for given in ("nonsense", token[:-1], forged, token + "A", "ä"):
        with refused("InvalidParameterException", invalid):
            client.describe_repositories(nextToken=given)
    # A token of another account, region or list is none either.
    with refused("InvalidParameterException", invalid):
        ecr.describe_repositories(nextToken=token)
    with refused("InvalidParameterException", invalid):
        server.client(key=account, region="eu-west-1").describe_repositories(nextToken=token)
    with refused("InvalidParameterException", invalid):
        client.list_images(repositoryName="aa", nextToken=token)
    # Deleting what the token points at does not matter.
    client.delete_repository(repositoryName="aa")
    assert [entry["repositoryName"] for entry in client.describe_repositories(nextToken=token)["repositories"]] == ["bb", "cc"]


def test_put_image_tag_mutability(ecr: Any, repository: str) -> None:
    filters = [{"filterType": "WILDCARD", "filter": "v*"}]
    told = ecr.put_image_tag_mutability(
        repositoryName=repository,
        imageTagMutability="MUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=filters,
    )
    del told["ResponseMetadata"]
    assert told == {
        "registryId": REGISTRY,
        "repositoryName": repository,
        "imageTagMutability": "MUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": filters,
    }
    for _ in range(2):
        told = ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
        assert "imageTagMutabilityExclusionFilters" not in told
    described = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
    assert described["imageTagMutability"] == "IMMUTABLE"
    assert "imageTagMutabilityExclusionFilters" not in described


def test_regions_and_registries(server: MoorageServer, account: KeyPair, ecr: Any) -> None:
    name = fresh_name("regional")
    ecr.create_repository(repositoryName=name)
    west = server.client(region="eu-west-1")
    made = west.create_repository(repositoryName=name)["repository"]
    assert made["repositoryArn"] == f"arn:aws:ecr:eu-west-1:{REGISTRY}:repository/{name}"
    require_reachable(server, made["repositoryUri"], name, server.password(region="eu-west-1"))
    west.delete_repository(repositoryName=name, force=True)
    assert ecr.describe_repositories(repositoryNames=[name])["repositories"]
    own = server.client(key=account)
    uri = own.create_repository(repositoryName=name)["repository"]["repositoryUri"]
    require_reachable(server, uri, name, server.password(key=account))


def require_reachable(server: MoorageServer, uri: str, name: str, password: str) -> None:
    """What a repository is called is what docker can push to: an address and a port of this machine, without DNS."""
    host, _, path = uri.partition("/")
    address, _, port = host.partition(":")
    assert (path, int(port)) == (name, server.port)
    built = builders.image(3)
    with RegistryClient(address, int(port), password) as registry:
        registry.push_image(name, built, "v1")
        registry.require_image(name, built, "v1")
    with RegistryClient("127.0.0.1", int(port), password) as elsewhere:
        assert elsewhere.get(f"/v2/{name}/manifests/v1").status in {401, 403, 404}


def test_another_accounts_registry(server: MoorageServer, account: KeyPair, repository: str) -> None:
    own = server.client(key=account)
    for name in (repository, "no-such-repository"):
        denied = (
            f"User: arn:aws:iam::{account.account_id}:root is not authorized to perform: ecr:DescribeRepositories on resource: "
            f"{arn(name)} because no resource-based policy allows the ecr:DescribeRepositories action"
        )
        with refused("AccessDeniedException", denied):
            own.describe_repositories(registryId=REGISTRY, repositoryNames=[name])
        for call in (
            partial(own.delete_repository, registryId=REGISTRY, repositoryName=name, force=True),
            partial(own.list_images, registryId=REGISTRY, repositoryName=name),
            partial(own.put_image_tag_mutability, registryId=REGISTRY, repositoryName=name, imageTagMutability="MUTABLE"),
            partial(own.list_tags_for_resource, resourceArn=arn(name)),
            partial(own.initiate_layer_upload, registryId=REGISTRY, repositoryName=name),
        ):
            with refused("AccessDeniedException"):
                call()
    with refused("AccessDeniedException"):
        own.create_repository(registryId=REGISTRY, repositoryName=fresh_name())
