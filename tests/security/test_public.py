"""The public registries opened a door for everybody: what was tried to get through it to anything else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient, basic
from moorage.testing.server import ROOT, KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import Person, allow, document, grant
from tests.integration.aws.errors import refused
from tests.integration.public.conftest import server, stranger

__all__ = ["server", "stranger"]
NO_UPLOAD = "00000000-0000-4000-8000-000000000000"
EVERYTHING = (allow("ecr-public:*", "sts:GetServiceBearerToken"),)


@pytest.fixture
def stack() -> str:
    """Rights do not depend on what the server stores on."""
    return "sqlite+local"


@pytest.fixture
def anybody(server: MoorageServer) -> Iterator[RegistryClient]:
    """Nobody in particular, with the token that everybody is given."""
    with server.public_registry(anonymous=True) as client:
        yield client


def alias_of(server: MoorageServer, key: KeyPair) -> str:
    """The primary alias of an account's public registry."""
    return str(server.client("ecr-public", key=key).describe_registries()["registries"][0]["aliases"][0]["name"])


@pytest.fixture
def secret(ecr: Any, registry: RegistryClient) -> tuple[str, builders.BuiltImage]:
    """A private repository whose policy names everybody, and its image."""
    name = fresh_name("secret")
    ecr.create_repository(repositoryName=name)
    ecr.set_repository_policy(repositoryName=name, policyText=document(grant("*", "ecr:*")), force=True)
    built = builders.image(77)
    registry.push_image(name, built, "v1")
    return name, built


def test_the_anonymous_token_opens_nothing_private(
    server: MoorageServer, anybody: RegistryClient, secret: tuple[str, builders.BuiltImage]
) -> None:
    name, built = secret
    token = str(anybody.password)
    hosts = (f"127.0.0.1:{server.port}", server.registry_host(ROOT.account_id), f"localhost:{server.port}")
    paths = (
        "/v2/",
        "/v2/_catalog",
        f"/v2/{name}/tags/list",
        f"/v2/{name}/manifests/v1",
        f"/v2/{name}/blobs/{built.layers[0]}",
        f"/v2/{name}/referrers/{built.digest}",
    )
    for host, path in itertools.product(hosts, paths):
        with RegistryClient("127.0.0.1", server.port, None, host=host) as client:
            for given in (f"Bearer {token}", basic(token), basic("", ""), ""):
                answer = client.request("GET", path, authorization=given)
                assert answer.status == 401, (host, path, given[:6])
                assert built.layers[0] not in answer.body.decode()


def test_private_repositories_are_not_found_by_public_paths(
    server: MoorageServer, anybody: RegistryClient, secret: tuple[str, builders.BuiltImage]
) -> None:
    name, built = secret
    alias = alias_of(server, ROOT)
    for owner in (alias, ROOT.account_id):
        for rest in ("manifests/v1", f"manifests/{built.digest}", f"blobs/{built.layers[0]}", "tags/list"):
            answer = anybody.get(f"/v2/{owner}/{name}/{rest}")
            assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")
            assert anybody.head(f"/v2/{owner}/{name}/{rest}").status in {404, 405}


def test_blobs_of_private_repositories_cannot_be_mounted(server: MoorageServer, secret: tuple[str, builders.BuiltImage]) -> None:
    name, built = secret
    alias, public = alias_of(server, ROOT), fresh_name("public")
    server.client("ecr-public").create_repository(repositoryName=public)
    with server.public_registry() as publisher:
        for source in ("", f"&from={name}", f"&from={alias}/{name}", f"&from=public.localhost/{alias}/{name}"):
            mount = f"/v2/{alias}/{public}/blobs/uploads/?mount={built.layers[0]}{source}"
            assert publisher.request("POST", mount).status == 202, source
        assert publisher.get(f"/v2/{alias}/{public}/blobs/{built.layers[0]}").status == 404


def test_paths_do_not_climb_from_public_to_private(
    server: MoorageServer, anybody: RegistryClient, secret: tuple[str, builders.BuiltImage]
) -> None:
    name, _ = secret
    alias = alias_of(server, ROOT)
    for path in (
        f"/v2/{alias}/../{name}/manifests/v1",
        f"/v2/{alias}/..%2F{name}/manifests/v1",
        f"/v2/{alias}%2F..%2F..%2F{name}/manifests/v1",
        f"/v2//{name}/manifests/v1",
        f"/v2/%00/{name}/manifests/v1",
        f"/v2/{name}/manifests/v1",
    ):
        assert anybody.get(path).status in {400, 404}, path
        assert anybody.get(f"/v2/public.localhost{path.removeprefix('/v2')}").status in {400, 404}, path


def test_aliases_cannot_be_told_by_guessing(server: MoorageServer, account: KeyPair, anybody: RegistryClient) -> None:
    known, unknown = alias_of(server, account), "zz9unknown"
    digest = f"sha256:{'0' * 64}"
    for rest in (
        "manifests/v1",
        f"manifests/{digest}",
        "manifests/-x",
        f"blobs/{digest}",
        "blobs/x",
        "tags/list",
        f"referrers/{digest}",
    ):
        for name in ("app", "Not-A-Name", "a--b"):
            answers = []
            for alias in (known, unknown):
                answer = anybody.get(f"/v2/{alias}/{name}/{rest}")
                answers.append((answer.status, answer.body.replace(alias.encode(), b"ALIAS")))
            assert answers[0] == answers[1], (name, rest)
            assert account.account_id.encode() not in answers[0][1]
    for method, rest in (("POST", "blobs/uploads/"), ("DELETE", "manifests/v1"), ("PATCH", f"blobs/uploads/{NO_UPLOAD}")):
        assert {anybody.request(method, f"/v2/{alias}/app/{rest}").status for alias in (known, unknown)} == {401}


def test_accounts_cannot_be_told_by_their_numbers(server: MoorageServer, account: KeyPair, stranger: KeyPair) -> None:
    person = Person(server, stranger, *EVERYTHING)
    theirs = server.client("ecr-public", key=person.key)
    for other in (account.account_id, "999999999999"):  # one that is there and has no public registry, one that is not
        with refused("RegistryNotFoundException", f"The registry with id '{other}' does not exist"):
            theirs.initiate_layer_upload(registryId=other, repositoryName="app")
        with refused("AccessDeniedException"):
            theirs.describe_images(registryId=other, repositoryName="app")


def test_the_token_of_one_account_does_not_push_to_anothers_alias(
    server: MoorageServer, account: KeyPair, stranger: KeyPair
) -> None:
    server.client("ecr-public", key=account).create_repository(repositoryName="app")
    alias, built = alias_of(server, account), builders.image(1)
    person = Person(server, stranger, *EVERYTHING)
    for key in (stranger, person.key):
        with server.public_registry(key=key) as theirs:
            layer = built.layers[0]
            for method, rest in (
                ("POST", "app/blobs/uploads/"),
                ("POST", f"app/blobs/uploads/?digest={layer}"),
                ("POST", "not-there/blobs/uploads/"),
                ("PUT", "app/manifests/v1"),
                ("DELETE", "app/manifests/v1"),
                ("DELETE", f"app/blobs/{layer}"),
            ):
                answer = theirs.request(method, f"/v2/{alias}/{rest}", built.manifest if method == "PUT" else None)
                assert (answer.status, answer.code) == (403, "DENIED"), (method, rest)
    assert server.client("ecr-public", key=account).describe_images(repositoryName="app")["imageDetails"] == []


def test_private_tokens_and_rights_do_not_push_to_public_repositories(server: MoorageServer, account: KeyPair) -> None:
    server.client("ecr-public", key=account).create_repository(repositoryName="app")
    alias = alias_of(server, account)
    person = Person(server, account, allow("ecr:*"), allow("sts:*", "ecr-public:GetAuthorizationToken"))
    upload = f"/v2/{alias}/app/blobs/uploads/"
    with server.public_registry(key=person.key) as theirs:
        assert theirs.request("POST", upload).status == 403
        assert theirs.request("POST", upload, authorization=f"Bearer {server.password(key=person.key)}").status == 401
    private = server.password(key=account)
    with RegistryClient("127.0.0.1", server.port, None) as plain:
        for given in (basic(private), f"Bearer {private}"):
            assert plain.request("POST", f"/v2/public.localhost{upload.removeprefix('/v2')}", authorization=given).status == 401


def test_public_tokens_do_not_reach_private_repositories(server: MoorageServer, account: KeyPair) -> None:
    server.client(key=account).create_repository(repositoryName="app")
    token = server.public_password(account)
    with RegistryClient("127.0.0.1", server.port, None, host=server.registry_host(account.account_id)) as client:
        for given in (basic(token), f"Bearer {token}"):
            for path in ("/v2/", "/v2/app/tags/list"):
                assert client.request("GET", path, authorization=given).status == 401


def test_a_token_of_a_key_that_is_gone_is_refused_for_pulls_too(server: MoorageServer, account: KeyPair) -> None:
    server.client("ecr-public", key=account).create_repository(repositoryName="app")
    alias = alias_of(server, account)
    key = server.create_key(account.account_id)
    with server.public_registry(key=key) as client:
        for method, path in (("GET", "/v2/"), ("GET", f"/v2/{alias}/app/tags/list"), ("POST", f"/v2/{alias}/app/blobs/uploads/")):
            assert client.request(method, path).status in {200, 202}
        server.run("key", "delete", key.access_key_id)
        for method, path in (
            ("GET", "/v2/"),
            ("GET", f"/v2/{alias}/app/tags/list"),
            ("GET", f"/v2/{alias}/app/manifests/v1"),
            ("HEAD", f"/v2/{alias}/app/blobs/sha256:{'0' * 64}"),
            ("POST", f"/v2/{alias}/app/blobs/uploads/"),
        ):
            assert client.request(method, path).status == 401, (method, path)


def test_an_upload_of_the_private_registry_is_unknown_in_the_public_one(server: MoorageServer, ecr: Any) -> None:
    name, alias = fresh_name("twin"), alias_of(server, ROOT)
    ecr.create_repository(repositoryName=name)
    server.client("ecr-public").create_repository(repositoryName=name)
    upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    with server.public_registry() as publisher:
        assert publisher.request("PATCH", f"/v2/{alias}/{name}/blobs/uploads/{upload}", b"x").code == "BLOB_UPLOAD_UNKNOWN"
    with refused("UploadNotFoundException"):
        server.client("ecr-public").upload_layer_part(
            repositoryName=name, uploadId=upload, partFirstByte=0, partLastByte=0, layerPartBlob=b"x"
        )
