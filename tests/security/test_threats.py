"""Public vulnerabilities of registries, each with the proof that this one is not affected.

The number in a test's name is that of the list in the security documentation; its first line names an advisory.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient, basic
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.aws.errors import each, refused

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
SOURCES = Path(__file__).resolve().parent.parent.parent / "src" / "moorage"
MIB = 1024 * 1024


def memory(server: MoorageServer) -> int:
    """Resident bytes of the server's process now."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert match
    return int(match[1]) * 1024


def raw(server: MoorageServer, request: bytes) -> bytes:
    """What comes back for exactly these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as peer:
        peer.sendall(request)
        peer.shutdown(socket.SHUT_WR)
        parts = []
        while part := peer.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def test_threat_01_unlimited_bodies(own_server: MoorageServer) -> None:
    """CVE-2017-11468: a manifest without end is cut off and costs no memory."""
    own_server.client().create_repository(repositoryName="app")
    with own_server.registry() as registry:
        before = memory(own_server)

        def endless() -> Iterator[bytes]:
            for _ in range(10_000):  # 10 GiB, if anybody took it
                yield bytes(MIB)

        try:
            answer = registry.request("PUT", "/v2/app/manifests/big", endless(), {"Content-Type": OCI})
            assert answer.status == 413
        except (OSError, http.client.HTTPException):
            pass  # cut off in the middle of it
        registry.close()
        assert registry.put_manifest("app", "big", bytes(5 * MIB), OCI).code == "MANIFEST_INVALID"
        assert memory(own_server) - before < 32 * MIB
        assert registry.get("/v2/").status == 200


@pytest.mark.parametrize("count", ["9223372036854775808", "-1", "0", "abc", "1e9", "%00", "18446744073709551616" * 20])
def test_threat_02_page_sizes(server: MoorageServer, registry: RegistryClient, repository: str, count: str) -> None:
    """CVE-2023-2253: no page size allocates anything."""
    before = memory(server)
    for path in ("/v2/_catalog", f"/v2/{repository}/tags/list", f"/v2/{repository}/referrers/sha256:{'a' * 64}"):
        assert registry.get(f"{path}?n={count}").status in {200, 400}
    assert memory(server) - before < 16 * MIB


def test_threat_02_page_sizes_of_the_api(ecr: Any, repository: str) -> None:
    for call, settings in (
        (ecr.describe_repositories, {}),
        (ecr.list_images, {"repositoryName": repository}),
        (ecr.describe_images, {"repositoryName": repository}),
    ):
        for count, code in (
            (1001, "InvalidParameterException"),
            (2**31 - 1, "InvalidParameterException"),
            (2**63, "SerializationException"),
        ):
            with refused(code):
                call(maxResults=count, **settings)


def test_threat_03_two_kinds_at_once(registry: RegistryClient, repository: str, ecr: Any) -> None:
    """GHSA-qq97-vm5h-rrhg: what is stored under one type is never served under another."""
    built = builders.image(1)
    registry.push_image(repository, built)
    document = json.loads(built.manifest)
    for mixed, kind in (
        (document | {"manifests": []}, OCI),
        (document | {"manifests": []}, INDEX),
        (document | {"mediaType": INDEX}, OCI),
        ({"schemaVersion": 2, "manifests": [], "layers": []}, INDEX),
        (document | {"fsLayers": []}, OCI),
    ):
        answer = registry.put_manifest(repository, "mixed", json.dumps(mixed).encode(), kind)
        assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
        with refused("InvalidParameterException"):
            ecr.put_image(repositoryName=repository, imageManifest=json.dumps(mixed), imageManifestMediaType=kind)
    # The same member twice: parsers differ in which one counts.
    twice = built.manifest[:-1] + b', "mediaType": "' + INDEX.encode() + b'"}'
    answer = registry.put_manifest(repository, "twice", twice, OCI)
    assert answer.status == 400 or registry.get(f"/v2/{repository}/manifests/twice").header("Content-Type") == OCI


def _jwt(header: dict[str, Any], claims: dict[str, Any], key: bytes = b"") -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    signed = f"{part(header)}.{part(claims)}"
    signature = (
        base64.urlsafe_b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode().rstrip("=") if key else ""
    )
    return f"{signed}.{signature}"


def test_threat_04_tokens_that_bring_their_own_key(registry: RegistryClient) -> None:
    """CVE-2025-24976: nothing in a token says how it is to be trusted."""
    claims = {
        "sub": "AWS",
        "aud": "ecr.amazonaws.com",
        "exp": int(time.time()) + 3600,
        "access": [{"type": "registry", "name": "*"}],
    }
    jwk = {"kty": "oct", "k": base64.urlsafe_b64encode(b"attacker").decode()}
    for header in (
        {"alg": "none"},
        {"alg": "HS256", "jwk": jwk},
        {"alg": "HS256", "jku": "http://127.0.0.1:1/keys"},
        {"alg": "HS256", "x5u": "http://127.0.0.1:1/cert"},
        {"alg": "HS256", "x5c": ["AAAA"]},
        {"alg": "HS256", "kid": "../../../../dev/null"},
    ):
        for key in (b"", b"attacker"):
            token = _jwt(header, claims, key)
            for authorization in (f"Bearer {token}", basic(token)):
                assert registry.request("GET", "/v2/", authorization=authorization).status == 401


def test_threat_05_deleted_in_one_repository(registry: RegistryClient, repository: str, second_repository: str) -> None:
    """CVE-2026-35172: what one repository let go is not readable there because another one has it."""
    content = fresh_name("blob").encode()
    digest = registry.push_blob(repository, content)
    registry.push_blob(second_repository, content)
    for name in (repository, second_repository):
        assert registry.get(f"/v2/{name}/blobs/{digest}").body == content
    assert registry.delete(f"/v2/{repository}/blobs/{digest}").status == 202
    for _ in range(3):
        assert registry.get(f"/v2/{second_repository}/blobs/{digest}").body == content
        assert registry.get(f"/v2/{repository}/blobs/{digest}").status == 404
        assert registry.head(f"/v2/{repository}/blobs/{digest}").status == 404


def test_threat_07_every_way_to_delete_is_guarded(
    server: MoorageServer, registry: RegistryClient, repository: str, stranger: KeyPair, ecr: Any
) -> None:
    """CVE-2026-41888: no route to a deletion is forgotten."""
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    upload = registry.start_upload(repository)
    paths = [
        f"/v2/{repository}/manifests/v1",
        f"/v2/{repository}/manifests/{built.digest}",
        f"/v2/{repository}/blobs/{built.config}",
        upload,
    ]
    with registry.other(server.password(key=stranger)) as other, registry.other() as anonymous:
        for path in paths:
            assert other.delete(path).status == 403
            assert anonymous.delete(path).status == 401
    theirs = server.client(key=stranger)
    for call in each(
        lambda: theirs.batch_delete_image(
            registryId=server.root.account_id, repositoryName=repository, imageIds=[{"imageTag": "v1"}]
        ),
        lambda: theirs.delete_repository(registryId=server.root.account_id, repositoryName=repository, force=True),
    ):
        with refused("AccessDeniedException"):
            call()
    registry.require_image(repository, built, "v1")
    assert registry.get(upload).status == 204


def test_threat_12_what_exists_is_not_told(
    server: MoorageServer, registry: RegistryClient, repository: str, stranger: KeyPair
) -> None:
    """CVE-2019-19030: forbidden and missing look the same."""
    registry.push_image(repository, builders.image(1), "v1")
    absent = fresh_name("absent")
    with registry.other(server.password(key=stranger)) as other:
        for path in ("tags/list", "manifests/v1", f"blobs/{builders.image(1).config}", f"referrers/{builders.image(1).digest}"):
            here, there = other.get(f"/v2/{repository}/{path}"), other.get(f"/v2/{absent}/{path}")
            assert (here.status, here.body.replace(repository.encode(), b"")) == (
                there.status,
                there.body.replace(absent.encode(), b""),
            )
            assert here.status == 403


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/v2/", "//v2/"), ("/v2/", "/v2//"), ("/v2/", "/./v2/"), ("/v2/", "/x/../v2/"), ("/v2/", "/v2/./"), ("/v2/", "/V2/"),
        ("/v2/", "/%762/"), ("/v2/", "/v2%2f"), ("/v2/", "/v2;x/"), ("/v2/", "/v2\\"), ("/v2/", "/healthz/../v2/"),
        ("/v2/", "/v2/%2e%2e/v2/"), ("/v2/", "http://127.0.0.1/v2/"), ("/", "%2F"), ("$", "/"), ("$", ";x"), ("$", "%20"),
        ("$", "%00"), ("$", "?x=/v2/"), ("$", "/."), ("$", "%2f"), ("$", "#"),
    ],
)  # fmt: skip
def test_threat_14_and_50_paths_written_differently(
    server: MoorageServer, registry: RegistryClient, repository: str, old: str, new: str
) -> None:
    """CVE-2020-29662, CVE-2026-50559: what guards and what answers read a path the same way."""
    built = builders.image(1)
    registry.push_image(repository, built, "v1")
    for path in (
        "/v2/_catalog",
        f"/v2/{repository}/tags/list",
        f"/v2/{repository}/manifests/v1",
        f"/v2/{repository}/blobs/{built.config}",
        "/v2/",
    ):
        written = path + new if old == "$" else path.replace(old, new)
        answer = raw(server, f"GET {written} HTTP/1.1\r\nHost: {server.host}\r\nConnection: close\r\n\r\n".encode())
        status = int(answer.split(b" ", 2)[1])
        assert status in {400, 401, 404, 405}, (written, answer[:200])
        assert repository.encode() not in answer.partition(b"\r\n\r\n")[2].replace(written.encode(), b"")


def test_threat_15_ids_of_another_account(
    server: MoorageServer, registry: RegistryClient, repository: str, stranger: KeyPair, ecr: Any
) -> None:
    """CVE-2022-31666 and its five sisters: every operation that takes an id or an ARN, with another account's."""
    registry.push_image(repository, builders.image(1), "v1")
    upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
    theirs = server.client(key=stranger)
    model = theirs.meta.service_model
    arn = f"arn:aws:ecr:us-east-1:{server.root.account_id}:repository/{repository}"
    values = {
        "registryId": server.root.account_id, "repositoryName": repository, "resourceArn": arn, "uploadId": upload,
        "imageIds": [{"imageTag": "v1"}], "layerDigests": [builders.image(1).config], "layerDigest": builders.image(1).config,
        "imageManifest": builders.image(1).manifest.decode(), "imageTag": "v2",
        "partFirstByte": 0, "partLastByte": 0, "layerPartBlob": b"x",
        "tags": [], "tagKeys": ["a"], "imageTagMutability": "MUTABLE", "force": True, "repositoryNames": [repository],
    }  # fmt: skip
    tried = 0
    for name in model.operation_names:
        members = model.operation_model(name).input_shape.members
        required = model.operation_model(name).input_shape.required_members
        if not ({"registryId", "resourceArn"} & set(members)) or not set(required) <= set(values) or "nextToken" in required:
            continue
        call = {member: values[member] for member in members if member in values}
        try:
            theirs._make_api_call(name, call)
        except theirs.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] in {"AccessDeniedException", "UnknownOperationException"}, (name, error)
            tried += error.response["Error"]["Code"] == "AccessDeniedException"
        else:
            assert name in {"DescribePullThroughCacheRules"}, f"{name} was allowed"
    assert tried >= 15
    registry.require_image(repository, builders.image(1), "v1")
    assert registry.get(f"/v2/{repository}/tags/list").json()["tags"] == ["v1"]
    assert registry.get(f"/v2/{repository}/blobs/uploads/{upload}").header("Range") == "0-0"


def test_threat_16_secrets_are_compared_in_constant_time() -> None:
    """CVE-2023-20902: whatever is compared with ``==`` is no signature."""
    suspicious = re.compile(
        r"\b\w*(?:signature|mac|hmac|secret|password)\w*\b\s*(?:==|!=)|(?:==|!=)\s*\w*(?:signature|hmac|secret|password)\w*\b"
    )
    found = [
        f"{path.relative_to(SOURCES)}:{number}: {line.strip()}"
        for path in sorted(SOURCES.rglob("*.py"))
        if "testing" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if suspicious.search(line.partition("#")[0]) and "compare_digest" not in line
    ]
    # At the start, the operator's own key is compared with the one that was kept: nobody can measure that.
    assert [line for line in found if not line.startswith("operations/accounts.py")] == []
    assert any("compare_digest" in path.read_text() for path in SOURCES.rglob("*.py"))


def test_threat_22_the_first_key_is_random(pool: Any, stack: str) -> None:
    """CVE-2026-4404: no password that anybody knows."""
    keys = []
    for _ in range(2):
        with pool.new_server(stack, root=None) as server:
            match = re.search(r"AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+)", server.output)
            assert match
            keys.append(match.groups())
            account = KeyPair("000000000000", *match.groups())
            assert server.client(key=account).describe_repositories()["repositories"] == []
            server.restart()
            assert match[2] not in server.output, "the key is shown once"
            assert match[2] not in server.log
            server.close_clients()
    assert keys[0][0] != keys[1][0]
    assert keys[0][1] != keys[1][1]
    assert len(keys[0][1]) >= 40


def test_threat_22_weak_keys_are_refused(tmp_path: Path) -> None:
    for key, secret in (("admin", "admin"), ("AKIAMOORAGETESTROOT0", "short"), ("AKIAMOORAGETESTROOT0", "")):
        server = MoorageServer(tmp_path / "data", root=KeyPair("000000000000", key, secret))
        done = server.run("serve", "--listen", "127.0.0.1:0", check=False)
        assert done.returncode == 253
        assert "root_" in done.stderr
        assert "Traceback" not in done.stderr


def test_threat_23_secrets_stay_out_of_logs(make_server: Any) -> None:
    """GHSA-prh4-vhfh-24mj: at the most talkative level, over every way in, with good and with bad credentials."""
    server: MoorageServer = make_server(options=("--log-level", "debug"), environment={"MOORAGE_LOG_FORMAT": "json"})
    canary = "canary-" + "0123456789abcdef" * 2
    server.client().create_repository(repositoryName="app")
    key = server.create_account("other")
    server.client(key=key).describe_registry()
    with server.registry() as registry:
        token = registry.password
        assert token
        registry.push_image("app", builders.image(1), "v1")
        url = server.client().get_download_url_for_layer(repositoryName="app", layerDigest=builders.image(1).config)[
            "downloadUrl"
        ]
        registry.request("GET", url.partition(server.host)[2])
        for authorization in (basic(canary), f"Bearer {canary}", basic(token), f"Bearer {token}", f"Basic {canary}", canary):
            for path in ("/v2/", "/token", "/v2/app/manifests/v1", "/v2/app/manifests/%ff"):
                registry.request("GET", path, authorization=authorization)
        metrics = registry.get("/metrics").body.decode()
    signature = re.search(r"[?&](?:signature|sig|X-Moorage-Signature)=([^&]+)", url, re.IGNORECASE)
    said = server.log + server.output + metrics
    secrets = [canary, server.root.secret, key.secret, token, base64.b64encode(canary.encode()).decode()]
    for secret in secrets:
        assert secret not in said
    if signature:
        assert signature[1] not in said, "a link in the log is a key to the layer"
    server.close_clients()


def test_threat_24_blobs_of_other_repositories(
    registry: RegistryClient, server: MoorageServer, repository: str, account: KeyPair
) -> None:
    """CVE-2024-39897: sharing bytes is not sharing rights."""
    content = fresh_name("only-here").encode()
    digest = registry.push_blob(repository, content)
    server.client(key=account).create_repository(repositoryName="mine")
    with server.registry(key=account) as own:
        assert own.head(f"/v2/mine/blobs/{digest}").status == 404
        assert own.get(f"/v2/mine/blobs/{digest}").status == 404
        for origin in ("", f"&from={repository}", "&from=mine"):
            assert own.request("POST", f"/v2/mine/blobs/uploads/?mount={digest}{origin}").status == 202
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(content)}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI, "config": config, "layers": []}).encode()
        assert own.put_manifest("mine", "stolen", manifest, OCI).code == "MANIFEST_BLOB_UNKNOWN"


def test_threat_27_uploads_of_others(
    server: MoorageServer, registry: RegistryClient, repository: str, second_repository: str, account: KeyPair
) -> None:
    """CVE-2026-32589: knowing an upload's id is not enough."""
    location = registry.start_upload(repository)
    assert registry.request("PATCH", location, b"mine").status == 202
    upload = location.rpartition("/")[2]
    server.client(key=account).create_repository(repositoryName=repository)
    with server.registry(key=account) as other:
        for client, name in ((other, repository), (registry, second_repository)):
            path = f"/v2/{name}/blobs/uploads/{upload}"
            for method, query, body in (
                ("GET", "", None),
                ("PATCH", "", b"x"),
                ("PUT", f"?digest={builders.digest(b'mine')}", b""),
                ("DELETE", "", None),
            ):
                answer = client.request(method, path + query, body)
                assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert registry.get(location).header("Range") == "0-3"
    assert registry.request("PUT", f"{location}?digest={builders.digest(b'mine')}", b"").status == 201


def test_threat_30_and_47_a_token_is_not_a_right(server: MoorageServer, account: KeyPair) -> None:
    """CVE-2020-10952, spinifex#548: a token of twelve hours does nothing once its key is gone."""
    client = server.client(key=account)
    client.create_repository(repositoryName="app")
    key = server.create_key(account.account_id)
    built = builders.image(1)
    with server.registry(key=key) as registry:
        registry.push_image("app", built, "v1")
        server.run("key", "delete", key.access_key_id)
        for method, path, body in (
            ("GET", "/v2/app/manifests/v1", None),
            ("GET", f"/v2/app/blobs/{built.config}", None),
            ("HEAD", f"/v2/app/blobs/{built.config}", None),
            ("PUT", "/v2/app/manifests/v2", built.manifest),
            ("POST", "/v2/app/blobs/uploads/", b""),
            ("POST", f"/v2/app/blobs/uploads/?digest={builders.digest(b'x')}", b"x"),
            ("POST", f"/v2/app/blobs/uploads/?mount={built.config}&from=app", b""),
            ("DELETE", f"/v2/app/manifests/{built.digest}", None),
            ("DELETE", f"/v2/app/blobs/{built.config}", None),
        ):
            assert registry.request(method, path, body).status == 401, (method, path)
    with server.registry(key=account) as owner:
        owner.require_image("app", built, "v1")
        assert owner.get("/v2/app/tags/list").json()["tags"] == ["v1"]


@pytest.mark.parametrize("text", ["a" * MIB, "a-" * 500_000, "a/" * 500_000, "a" + "-" * MIB, "a__" * 300_000, "." * MIB])
def test_threat_31_names_take_linear_time(text: str) -> None:
    """CVE-2020-13354: no name makes a pattern search for ever."""
    from moorage.model.digest import is_digest
    from moorage.model.errors import InvalidValue
    from moorage.model.names import is_tag, parse_repository_name
    from moorage.model.wildcards import matches

    begin = time.perf_counter()
    with pytest.raises(InvalidValue):
        parse_repository_name(text)
    # Short enough to reach the pattern, and as bad for it as can be.
    with pytest.raises(InvalidValue):
        parse_repository_name((text[:255] if text[-1] != "a" else text[:200]) + "!")
    is_tag(text)
    is_digest(f"sha256:{text}")
    matches("*a*", text)
    matches("a*b", text[:10_000])
    assert time.perf_counter() - begin < 0.25


def test_threat_31_names_over_the_wire(registry: RegistryClient) -> None:
    begin = time.perf_counter()
    for count in (100, 2_000, 10_000):
        for segment in ("a-", "a/", "aa"):
            assert registry.get(f"/v2/{segment * count}!/tags/list").status in {400, 414}
    assert time.perf_counter() - begin < 5


def test_threat_32_what_strangers_may_send(server: MoorageServer, registry: RegistryClient) -> None:
    """CVE-2025-14511: size, depth and count are bounded before anybody is known."""
    before = memory(server)
    deep = b"[" * 100_000 + b"]" * 100_000
    target = {
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories",
        "Content-Type": "application/x-amz-json-1.1",
    }
    with registry.other() as anonymous:
        assert anonymous.request("POST", "/", deep, target).status in {400, 403}
        assert anonymous.request("POST", "/", b"{" * 1000, {"Content-Type": "application/x-www-form-urlencoded"}).status in {
            400,
            403,
        }
        many = "&".join("a=1" for number in range(1000))
        assert anonymous.get(f"/v2/_catalog?{many}").status == 401
        assert registry.get(f"/v2/_catalog?{many}").status == 400
        assert anonymous.get(f"/v2/_catalog?{many * 50}").status == 414
        assert anonymous.request("PUT", "/v2/a/manifests/x", b"x" * MIB).status == 401
    huge_head = f"GET /v2/ HTTP/1.1\r\nHost: {server.host}\r\n".encode() + b"X-Fill: " + b"a" * 100_000 + b"\r\n\r\n"
    assert raw(server, huge_head).startswith(b"HTTP/1.1 431")
    many_heads = (
        f"GET /v2/ HTTP/1.1\r\nHost: {server.host}\r\n".encode()
        + b"".join(b"x%d: 1\r\n" % number for number in range(1000))
        + b"\r\n"
    )
    assert raw(server, many_heads).split(b" ", 2)[1] in {b"400", b"431"}
    assert raw(server, b"\x16\x03\x01\x02\x00\x01\x00").startswith(b"HTTP/1.1 400")
    assert memory(server) - before < 32 * MIB


def test_threat_32_deep_json_of_someone_known(server: MoorageServer, ecr: Any) -> None:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    for body in (
        b"[" * 100_000,
        b'{"repositoryNames":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    ):
        request = AWSRequest("POST", f"{server.endpoint}/", data=body, headers={
            "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories",
            "Content-Type": "application/x-amz-json-1.1",
        })  # fmt: skip
        SigV4Auth(Credentials(server.root.access_key_id, server.root.secret), "ecr", "us-east-1").add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            connection.request("POST", "/", body, dict(request.headers))
            response = connection.getresponse()
            assert response.status == 400
            assert json.loads(response.read())["__type"] == "SerializationException"
        finally:
            connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/v2/%2F%2F..%2F..%2Fetc%2Fpasswd/manifests/latest",
        "/v2/../../../../etc/passwd",
        "/v2/..%2f..%2f..%2fetc%2fpasswd/blobs/sha256:" + "a" * 64,
        "/%2F%2F..%2F..%2F..%2Fetc%2Fpasswd",
        "/../../../etc/passwd",
        "/v2/a/blobs/..%2F..%2Froot-key",
        "/layers/1/..%2f..%2froot-key",
        "/layers/../../root-key",
        "/v2/app/blobs/uploads/..%2f..%2f..%2fmoorage.db",
        "/static/../../moorage.db",
        "/..%5c..%5cwindows",
        "/v2/app/manifests/..%2f..%2f..%2froot.key",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/.%00./etc/passwd",
        "/v2/app/blobs/sha256:../../../../moorage.db",
    ],
)
def test_threat_36_paths_that_climb(server: MoorageServer, registry: RegistryClient, path: str) -> None:
    """CVE-2024-4956: no path leads to a file."""
    assert registry.password
    for authorization in ("", f"Authorization: {basic(registry.password)}\r\n"):
        answer = raw(server, f"GET {path} HTTP/1.1\r\nHost: {server.host}\r\n{authorization}Connection: close\r\n\r\n".encode())
        assert int(answer.split(b" ", 2)[1]) in {400, 401, 403, 404}
        assert b"root:" not in answer
        assert b"SQLite format" not in answer


@pytest.mark.parametrize("stack", ["sqlite+local"], indirect=True)
def test_threat_36_storage_keys_say_nothing(make_server: Any) -> None:
    """What lies on disk is named by chance and holds nothing that can be read."""
    server: MoorageServer = make_server()
    server.client().create_repository(repositoryName="secret-name")
    canary = b"plaintext canary " * 2000
    with server.registry() as registry:
        digest = registry.push_blob("secret-name", canary)
        for part in (canary[:10_000], canary[10_000:]):
            location = registry.start_upload("secret-name")
            registry.request("PATCH", location, part)
        built = builders.image(1, annotations={"note": "manifest canary"})
        registry.push_image("secret-name", built, "v1")
    blobs = [path for path in (server.data / "blobs").rglob("*") if path.is_file()]
    assert blobs
    for path in blobs:
        assert digest.partition(":")[2] not in str(path)
        assert "secret-name" not in str(path)
        assert b"plaintext canary" not in path.read_bytes()
    for path in server.data.rglob("*"):
        if path.is_file():
            assert server.root.secret.encode() not in path.read_bytes()
            assert path.stat().st_mode & 0o077 == 0 or path.parent != server.data, f"{path} can be read by others"
    assert (server.data.stat().st_mode & 0o777) == 0o700
