"""Who gets in: the challenge, tokens that count and tokens that do not, accounts, and keys that are disabled."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest

from moorage.auth.registry_token import RegistryTokens, TokenClaims
from moorage.keys.root_key import load_root_key
from moorage.testing import builders
from moorage.testing.registry_client import Answer, RegistryClient, basic
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name

INVALID = "Your Authorization Token is invalid."
EXPIRED = "Your authorization token has expired. Reauthenticate and try again."


def require_challenge(answer: Answer, host: str, message: str) -> None:
    assert (answer.status, answer.code, answer.message) == (401, "UNAUTHORIZED", message)
    assert answer.header("WWW-Authenticate") == f'Basic realm="http://{host}/",service="ecr.amazonaws.com"'
    assert answer.header("Docker-Distribution-Api-Version") == "registry/2.0"


def test_login(registry: RegistryClient) -> None:
    for path in ("/v2/", "/v2"):
        answer = registry.get(path)
        assert (answer.status, answer.body) == (200, b"{}")
        assert answer.header("Docker-Distribution-Api-Version") == "registry/2.0"


def test_no_credentials(registry: RegistryClient, repository: str) -> None:
    with registry.other() as anonymous:
        require_challenge(anonymous.get("/v2/"), registry.host, "authentication required")
        require_challenge(anonymous.get(f"/v2/{repository}/tags/list"), registry.host, "authentication required")
        require_challenge(anonymous.get("/v2/no/such-repo/tags/list"), registry.host, "authentication required")
        head = anonymous.head(f"/v2/{repository}/manifests/latest")
        assert (head.status, head.body) == (401, b"")
        assert head.header("WWW-Authenticate")


@pytest.mark.parametrize(
    "change",
    [
        lambda token: basic(token, user="admin"),
        lambda token: basic(token[:-1]),
        lambda token: basic(token[: len(token) // 2]),
        lambda token: basic(""),
        lambda token: basic(token + "A"),
        lambda token: basic(("A" if token[20] != "A" else "B").join([token[:20], token[21:]])),
        lambda token: basic(base64.urlsafe_b64encode(bytes(200)).decode()),
        lambda token: basic("x" * 10_000),
        lambda token: "Basic " + token,
        lambda token: "Basic ???",
        lambda token: "Basic " + base64.b64encode(b"AWS").decode(),
        lambda token: "Basic " + base64.b64encode(b"\xff\xfe:\xfd").decode(),
        lambda token: "Bearer " + token[:-2],
        lambda token: "Bearer " + basic(token),
        lambda token: "Bearer ",
    ],
    ids=[
        "user", "cut by one", "cut in half", "empty", "longer", "one letter", "zeroes", "huge", "not encoded", "no base64",
        "no colon", "no text", "bearer cut", "bearer of basic", "bearer empty",
    ],
)  # fmt: skip
def test_forged_tokens(registry: RegistryClient, repository: str, change: Callable[[str], str]) -> None:
    assert registry.password
    for path in ("/v2/", f"/v2/{repository}/tags/list"):
        require_challenge(registry.request("GET", path, authorization=change(registry.password)), registry.host, INVALID)


@pytest.mark.parametrize("header", ["Digest username=AWS", "Negotiate abc", "AWS4-HMAC-SHA256 Credential=x", "basic", "nonsense"])
def test_other_schemes(registry: RegistryClient, header: str) -> None:
    answer = registry.request("GET", "/v2/", authorization=header)
    assert answer.status == 401
    assert answer.header("WWW-Authenticate")


def test_bearer_is_taken_too(registry: RegistryClient) -> None:
    assert registry.request("GET", "/v2/", authorization=f"Bearer {registry.password}").status == 200
    assert registry.request("GET", "/v2/", authorization=f"bearer {registry.password}").status == 200


def test_token_endpoint(registry: RegistryClient) -> None:
    answer = registry.get("/token?service=ecr.amazonaws.com&scope=repository:x:pull")
    assert answer.status == 200
    token = answer.json()["token"]
    assert answer.header("Cache-Control") == "no-store"
    assert 12 * 3600 - 120 < answer.json()["expires_in"] <= 12 * 3600
    assert registry.request("GET", "/v2/", authorization=f"Bearer {token}").status == 200
    with registry.other() as anonymous:
        assert anonymous.get("/token").status == 401


def test_token_of_another_region(server: MoorageServer, registry: RegistryClient) -> None:
    elsewhere = server.password(region="eu-west-1")
    require_challenge(registry.request("GET", "/v2/", authorization=basic(elsewhere)), registry.host, INVALID)
    host = server.registry_host(server.root.account_id, "eu-west-1")
    with registry.other(elsewhere, host=host) as there:
        assert there.get("/v2/").status == 200


def claims(server: MoorageServer, expires_at: int) -> TokenClaims:
    key = server.root
    return TokenClaims(
        key.access_key_id, key.account_id, key.account_id, f"arn:aws:iam::{key.account_id}:root", "aws", "us-east-1", expires_at
    )


def test_expired_token(server: MoorageServer, registry: RegistryClient) -> None:
    tokens = RegistryTokens(load_root_key(server.data, {}, may_create=False).derive("registry tokens"))
    now = int(time.time())
    old, good = tokens.issue(claims(server, now - 1)), tokens.issue(claims(server, now + 60))
    assert registry.request("GET", "/v2/", authorization=basic(good)).status == 200
    for path in ("/v2/", "/v2/_catalog"):
        require_challenge(registry.request("GET", path, authorization=basic(old)), registry.host, EXPIRED)


def test_token_of_another_installation(server: MoorageServer, registry: RegistryClient) -> None:
    tokens = RegistryTokens(bytes(32))
    forged = tokens.issue(claims(server, int(time.time()) + 3600))
    require_challenge(registry.request("GET", "/v2/", authorization=basic(forged)), registry.host, INVALID)


def test_disabled_key_is_refused_at_the_next_request(server: MoorageServer, account: KeyPair) -> None:
    server.client(key=account).create_repository(repositoryName="mine")
    key = server.create_key(account.account_id)
    built = builders.image()
    with server.registry(key=key) as client:
        client.push_image("mine", built, "v1")
        server.run("key", "disable", key.access_key_id)
        for method, path in (
            ("GET", "/v2/"),
            ("GET", "/v2/mine/tags/list"),
            ("GET", "/v2/mine/manifests/v1"),
            ("GET", f"/v2/mine/blobs/{built.config}"),
            ("POST", "/v2/mine/blobs/uploads/"),
            ("DELETE", "/v2/mine/manifests/v1"),
            ("GET", "/v2/_catalog"),
        ):
            answer = client.request(method, path)
            assert (answer.status, answer.code) == (401, "UNAUTHORIZED"), (method, path)
            assert answer.header("WWW-Authenticate")
        server.run("key", "enable", key.access_key_id)
        client.require_image("mine", built, "v1")
        server.run("key", "delete", key.access_key_id)
        assert client.get("/v2/").status == 401
    with server.registry(key=account) as owner:
        owner.require_image("mine", built, "v1")


def test_accounts_do_not_see_each_other(
    server: MoorageServer, account: KeyPair, registry: RegistryClient, repository: str
) -> None:
    built = builders.image()
    registry.push_image(repository, built, "v1")
    upload = registry.start_upload(repository)
    with server.registry(key=account) as own:
        # The same path in one's own registry is another place.
        assert own.get(f"/v2/{repository}/tags/list").code == "NAME_UNKNOWN"
        assert own.get("/v2/_catalog").json() == {"repositories": []}
        # In the other's registry nothing may be done, and nothing is told of what exists.
        with own.other(own.password, host=registry.host) as foreign:
            for method, path in (
                ("GET", "/v2/_catalog"),
                ("GET", f"/v2/{repository}/tags/list"),
                ("GET", f"/v2/{repository}/manifests/v1"),
                ("HEAD", f"/v2/{repository}/manifests/v1"),
                ("GET", f"/v2/{repository}/blobs/{built.config}"),
                ("HEAD", f"/v2/{repository}/blobs/{built.config}"),
                ("DELETE", f"/v2/{repository}/blobs/{built.config}"),
                ("GET", f"/v2/{repository}/referrers/{built.digest}"),
                ("POST", f"/v2/{repository}/blobs/uploads/"),
                ("POST", f"/v2/{repository}/blobs/uploads/?mount={built.config}&from={repository}"),
                ("POST", f"/v2/{repository}/blobs/uploads/?digest={built.config}"),
                ("GET", upload),
                ("PATCH", upload),
                ("PUT", f"{upload}?digest={built.config}"),
                ("DELETE", upload),
                ("DELETE", f"/v2/{repository}/manifests/v1"),
                ("DELETE", f"/v2/{repository}/manifests/{built.digest}"),
            ):
                answer = foreign.request(method, path)
                assert answer.status == 403, (method, path)
                missing = foreign.request(method, path.replace(repository, fresh_name("absent")))
                assert missing.status == 403, (method, path)
            denied = foreign.get(f"/v2/{repository}/tags/list")
            arn = f"arn:aws:ecr:us-east-1:{server.root.account_id}:repository/{repository}"
            assert (denied.code, denied.message) == (
                "DENIED",
                f"User: arn:aws:iam::{account.account_id}:root is not authorized to perform: ecr:ListImages on resource: {arn} "
                "because no resource-based policy allows the ecr:ListImages action",
            )
            put = foreign.put_manifest(repository, "v1", built.manifest, built.media_type)
            assert (put.status, put.code) == (403, "DENIED")
    registry.require_image(repository, built, "v1")
    assert registry.get(upload).status == 204


def test_the_same_name_in_two_accounts(
    server: MoorageServer, account: KeyPair, registry: RegistryClient, repository: str
) -> None:
    server.client(key=account).create_repository(repositoryName=repository)
    ours, theirs = builders.image(1), builders.image(2)
    registry.push_image(repository, ours, "v1")
    with server.registry(key=account) as other:
        other.push_image(repository, theirs, "v1")
        other.require_image(repository, theirs, "v1")
        assert other.get(f"/v2/{repository}/manifests/{ours.digest}").status == 404
        assert other.get(f"/v2/{repository}/blobs/{ours.config}").status == 404
    registry.require_image(repository, ours, "v1")
    assert registry.get(f"/v2/{repository}/blobs/{theirs.config}").status == 404


def test_regions_are_apart(server: MoorageServer, registry: RegistryClient, repository: str) -> None:
    built = builders.image()
    registry.push_image(repository, built, "v1")
    with server.registry(region="eu-west-1") as elsewhere:
        assert elsewhere.get(f"/v2/{repository}/manifests/v1").code == "NAME_UNKNOWN"
        server.client(region="eu-west-1").create_repository(repositoryName=repository)
        assert elsewhere.get(f"/v2/{repository}/manifests/v1").code == "MANIFEST_UNKNOWN"
        assert elsewhere.request("POST", f"/v2/{repository}/blobs/uploads/?mount={built.config}&from={repository}").status == 202


def test_push_stops_when_the_key_is_disabled_between_chunks(server: MoorageServer, account: KeyPair) -> None:
    server.client(key=account).create_repository(repositoryName="mine")
    key = server.create_key(account.account_id)
    with server.registry(key=key) as client:
        location = client.start_upload("mine")
        assert client.request("PATCH", location, b"first").status == 202
        server.run("key", "disable", key.access_key_id)
        assert client.request("PATCH", location, b"second").status == 401
        assert client.request("PUT", f"{location}?digest={builders.digest(b'first')}", b"").status == 401
    with server.registry(key=account) as owner:
        assert owner.head(f"/v2/mine/blobs/{builders.digest(b'first')}").status == 404
