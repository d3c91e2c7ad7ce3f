"""/v2/ of public registries: who may pull, from where, and what each host and path means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient, basic
from moorage.testing.server import MoorageServer
from tests.conftest import fresh_name

ABSENT = "sha256:" + "0" * 64


@pytest.fixture
def built(publisher: RegistryClient, path: str) -> builders.BuiltImage:
    """An image that is there under the tag `v1`."""
    made = builders.image(1)
    publisher.push_image(path, made, "v1")
    return made


@pytest.fixture
def plain(server: MoorageServer) -> Iterator[RegistryClient]:
    """The plain host, without credentials."""
    with RegistryClient("127.0.0.1", server.port, None) as client:
        yield client


def test_everybody_pulls(anybody: RegistryClient, path: str, built: builders.BuiltImage) -> None:
    anybody.require_image(path, built, "v1")
    anybody.require_image(path, built)
    assert anybody.head(f"/v2/{path}/manifests/v1").header("Docker-Content-Digest") == built.digest
    layer = built.layers[0]
    assert anybody.head(f"/v2/{path}/blobs/{layer}").header("Content-Length") == str(len(built.blobs[layer]))
    part = anybody.get(f"/v2/{path}/blobs/{layer}", Range="bytes=0-9")
    assert (part.status, part.body) == (206, built.blobs[layer][:10])
    assert anybody.get("/v2/").status == 200
    assert anybody.get(f"/v2/{path}/tags/list").json() == {"name": path, "tags": ["v1"]}
    assert anybody.get(f"/v2/{path}/referrers/{built.digest}").json()["manifests"] == []


def test_lists_lead_on(publisher: RegistryClient, anybody: RegistryClient, path: str, built: builders.BuiltImage) -> None:
    publisher.push_image(path, built, "v2", "v3")
    first = anybody.get(f"/v2/{path}/tags/list?n=2")
    following = re.fullmatch('<(.*)>; rel="next"', first.header("Link"))
    assert following is not None
    assert anybody.get(following[1]).json() == {"name": path, "tags": ["v3"]}
    subject = {"mediaType": built.media_type, "digest": built.digest, "size": len(built.manifest)}
    for seed in (5, 6):
        publisher.push_image(path, builders.image(seed, subject=subject))
    first = anybody.get(f"/v2/{path}/referrers/{built.digest}?n=1")
    following = re.fullmatch('<(.*)>; rel="next"', first.header("Link"))
    assert following is not None
    assert len(anybody.get(following[1]).json()["manifests"]) == 1


def test_without_a_token_there_is_a_challenge(server: MoorageServer, path: str, built: builders.BuiltImage) -> None:
    with RegistryClient("127.0.0.1", server.port, None, host=server.public_host) as client:
        realm = f'Bearer realm="http://{server.public_host}/token/",service="public.localhost",scope="aws"'
        for asked in ("/v2/", f"/v2/{path}/manifests/v1", f"/v2/{path}/tags/list"):
            answer = client.get(asked)
            assert (answer.status, answer.header("WWW-Authenticate"), answer.code) == (401, realm, "UNAUTHORIZED")
        told = client.get(f"/token/?service=public.localhost&scope=repository:{path}:pull")
        assert (told.status, told.json()["expires_in"]) == (200, 3600)
        assert client.get("/token").status == 200
        answer = client.request("GET", f"/v2/{path}/manifests/v1", authorization=f"Bearer {told.json()['token']}")
        assert (answer.status, answer.body) == (200, built.manifest)


def test_the_token_of_a_login(server: MoorageServer) -> None:
    password = server.public_password()
    with RegistryClient("127.0.0.1", server.port, None, host=server.public_host) as client:
        told = client.request("GET", "/token/?account=AWS&service=public.localhost", authorization=basic(password))
        assert told.json()["token"] == password
        assert 0 < told.json()["expires_in"] <= 12 * 3600
        as_given = basic(password).removeprefix("Basic ")  # the authorizationToken as it is
        for bearer in (password, as_given):
            assert client.request("GET", "/v2/", authorization=f"Bearer {bearer}").status == 200
        for wrong in (basic("nonsense"), basic(password, "someone"), basic(server.password()), "Bearer x"):
            refused = client.request("GET", "/token/", authorization=wrong)
            assert (refused.status, "token" in refused.json()) == (401, False)


def test_basic_is_not_for_the_public_host(server: MoorageServer, path: str, built: builders.BuiltImage) -> None:
    with RegistryClient("127.0.0.1", server.port, None, host=server.public_host) as client:
        for given in (basic(server.public_password()), basic(server.password()), basic("", ""), f"Bearer {server.password()}"):
            answer = client.request("GET", f"/v2/{path}/manifests/v1", authorization=given)
            assert (answer.status, answer.message) == (401, "Your Authorization Token is invalid.")


def test_nobody_changes_anything(anybody: RegistryClient, path: str, built: builders.BuiltImage) -> None:
    layer = built.layers[0]
    for method, asked in (
        ("POST", f"/v2/{path}/blobs/uploads/"),
        ("POST", f"/v2/{path}/blobs/uploads/?mount={layer}&from={path}"),
        ("PATCH", f"/v2/{path}/blobs/uploads/00000000-0000-4000-8000-000000000000"),
        ("PUT", f"/v2/{path}/blobs/uploads/00000000-0000-4000-8000-000000000000?digest={ABSENT}"),
        ("GET", f"/v2/{path}/blobs/uploads/00000000-0000-4000-8000-000000000000"),
        ("PUT", f"/v2/{path}/manifests/v1"),
        ("DELETE", f"/v2/{path}/manifests/v1"),
        ("DELETE", f"/v2/{path}/manifests/{built.digest}"),
        ("DELETE", f"/v2/{path}/blobs/{layer}"),
    ):
        answer = anybody.request(method, asked, built.manifest if method == "PUT" else None)
        assert (answer.status, answer.message) == (401, "authentication required"), (method, asked)
        assert answer.header("WWW-Authenticate").startswith("Bearer ")
    anybody.require_image(path, built, "v1")


def test_a_login_pushes_and_deletes(publisher: RegistryClient, anybody: RegistryClient, path: str) -> None:
    built = builders.image(3)
    assert publisher.start_upload(path).startswith(f"/v2/{path}/blobs/uploads/")
    publisher.push_image(path, built, "v1")
    assert publisher.put_manifest(path, "v2", built.manifest, built.media_type).header("Location") == (
        f"/v2/{path}/manifests/{built.digest}"
    )
    assert publisher.delete(f"/v2/{path}/manifests/v2").status == 202
    assert anybody.get(f"/v2/{path}/manifests/v2").code == "MANIFEST_UNKNOWN"
    anybody.require_image(path, built, "v1")


def test_mount(public: Any, publisher: RegistryClient, alias: str, path: str, built: builders.BuiltImage) -> None:
    other = fresh_name("mounted")
    public.create_repository(repositoryName=other)
    layer = built.layers[0]
    for source, status in ((f"&from={path}", 201), ("&from=nobody/knows", 202), ("", 201)):
        answer = publisher.request("POST", f"/v2/{alias}/{other}/blobs/uploads/?mount={layer}{source}")
        assert answer.status == status, source
    assert publisher.get(f"/v2/{alias}/{other}/blobs/{layer}").body == built.blobs[layer]


def test_there_is_no_catalog_and_no_push_to_what_is_not_there(publisher: RegistryClient, alias: str) -> None:
    assert (publisher.get("/v2/_catalog").status, publisher.get("/v2/_catalog").code) == (405, "UNSUPPORTED")
    answer = publisher.request("POST", f"/v2/{alias}/none-such/blobs/uploads/")
    message = f"The repository with name 'none-such' does not exist in the registry with id '{alias}'"
    assert (answer.status, answer.code, answer.message) == (404, "NAME_UNKNOWN", message)


def test_the_address_of_the_public_registries(server: MoorageServer, public: Any, path: str, repository: str) -> None:
    uri = public.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryUri"]
    host, _, told = uri.partition("/")
    assert told == path
    address, _, port = host.partition(":")
    with RegistryClient(address, int(port), None) as client:
        assert f'realm="http://{host}/token/"' in client.get("/v2/").header("WWW-Authenticate")
        token = client.get("/token/").json()["token"]
        answer = client.request("GET", f"/v2/{path}/tags/list", authorization=f"Bearer {token}")
        assert answer.json() == {"name": path, "tags": []}


def test_the_challenge_says_what_is_wrong_with_a_token(publisher: RegistryClient, path: str) -> None:
    uploads = f"/v2/{path}/blobs/uploads/"
    with publisher.other() as nobody:
        token = nobody.get("/token/").json()["token"]
        for given, said in (
            ("", ""),
            (f"Bearer {token}", ',error="insufficient_scope",error_description="authentication required"'),
            (f"Bearer {token[:-4]}", ',error="invalid_token",error_description="Your Authorization Token is invalid."'),
        ):
            answer = nobody.request("POST", uploads, authorization=given)
            assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
            assert answer.header("WWW-Authenticate").endswith(f',scope="aws"{said}')


def test_a_path_of_the_plain_host(server: MoorageServer, plain: RegistryClient, path: str, built: builders.BuiltImage) -> None:
    below = f"public.localhost/{path}"
    token = plain.get("/token/").json()["token"]
    # What a client has for the private registry of this host does no harm, nor has it to have anything: some follow the challenge
    # of /v2/ alone, and make nothing of nothing.
    private, public = basic(server.password()), basic(server.public_password())
    for given in ("", f"Bearer {token}", basic("", ""), private, public, basic("a login that ended"), f"Bearer {token}x"):
        answer = plain.request("GET", f"/v2/{below}/manifests/v1", authorization=given)
        assert (answer.status, answer.body) == (200, built.manifest), given[:6]
        assert plain.request("GET", f"/v2/{below}/tags/list", authorization=given).json()["name"] == below
    for given in ("", f"Bearer {token}", basic("", ""), private, basic("a login that ended")):
        challenged = plain.request("POST", f"/v2/{below}/blobs/uploads/", authorization=given)
        assert challenged.status == 401
        asked = f'Bearer realm="http://{plain.host}/token/",service="public.localhost",scope="aws"'
        assert challenged.header("WWW-Authenticate").startswith(asked)
    # And the token service of the plain host makes nobody of whoever has a private login, a public one of whoever has that.
    for given in (private, basic("a login that ended")):
        told = plain.request("GET", "/token/", authorization=given)
        assert told.status == 200
        answer = plain.request("GET", f"/v2/{below}/manifests/v1", authorization=f"Bearer {told.json()['token']}")
        assert (answer.status, answer.body) == (200, built.manifest)
    assert basic(plain.request("GET", "/token/", authorization=public).json()["token"]) == public
    # The private registry of the host keeps its own challenge, and its logins are still looked at.
    for given in ("", basic("wrong"), basic("a login that ended")):
        answer = plain.request("GET", "/v2/", authorization=given)
        assert (answer.status, answer.header("WWW-Authenticate")[:6]) == (401, "Basic ")
    started = plain.request("POST", f"/v2/{below}/blobs/uploads/", authorization=public)
    assert started.status == 202
    assert started.header("Location").startswith(f"/v2/{below}/blobs/uploads/")


def test_a_private_repository_of_that_name_keeps_its_own_host(server: MoorageServer, ecr: Any, path: str) -> None:
    name = f"public.localhost/{path}"
    ecr.create_repository(repositoryName=name)
    private = server.registry_host("000000000000")
    with RegistryClient("127.0.0.1", server.port, server.password(), host=private) as client:
        client.push_image(name, builders.image(9), "v1")
        client.require_image(name, builders.image(9), "v1")
        challenged = client.request("GET", f"/v2/{name}/manifests/v1", authorization="")
        assert challenged.header("WWW-Authenticate").startswith("Basic ")
    with server.public_registry(anonymous=True) as anybody:
        assert anybody.get(f"/v2/{path}/manifests/v1").code == "MANIFEST_UNKNOWN"


def test_aliases_in_paths(server: MoorageServer, public: Any, anybody: RegistryClient, repository: str, alias: str) -> None:
    name = fresh_name("team")
    server.run("public", "alias", "000000000000", name)
    uri = public.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryUri"]
    assert uri.endswith(f"/{name}/{repository}")
    for each in (name, alias, "000000000000"):
        assert anybody.get(f"/v2/{each}/{repository}/tags/list").status == 200
    server.run("public", "alias", "000000000000", name, "--remove")
    assert anybody.get(f"/v2/{name}/{repository}/tags/list").code == "NAME_UNKNOWN"


def test_the_domain_names_the_host(make_server: Any) -> None:
    server = make_server(options=("--domain", "registry.example"))
    public = server.client("ecr-public")
    uri = public.create_repository(repositoryName="app")["repository"]["repositoryUri"]
    host, _, path = uri.partition("/")
    assert host == f"public.registry.example:{server.port}"
    built = builders.image(1)
    with RegistryClient("127.0.0.1", server.port, server.public_password(), host=host, bearer=True) as client:
        challenged = client.request("GET", "/v2/", authorization="")
        assert 'service="public.registry.example"' in challenged.header("WWW-Authenticate")
        client.push_image(path, built, "v1")
    with RegistryClient("127.0.0.1", server.port, None, host=f"127.0.0.1:{server.port}") as plain:
        token = plain.get("/token/").json()["token"]
        answer = plain.request("GET", f"/v2/public.registry.example/{path}/manifests/v1", authorization=f"Bearer {token}")
        assert answer.body == built.manifest


def test_a_name_of_its_own(make_server: Any) -> None:
    server = make_server(options=("--public-host", "images.example"))
    uri = server.client("ecr-public").create_repository(repositoryName="app")["repository"]["repositoryUri"]
    assert uri.startswith(f"images.example:{server.port}/")
    with RegistryClient("127.0.0.1", server.port, None, host="images.example") as client:
        token = json.loads(client.get("/token/").body)["token"]
        found = client.request("GET", f"/v2/{uri.partition('/')[2]}/tags/list", authorization=f"Bearer {token}")
        assert found.json()["tags"] == []
