"""Every answer of every route has each single-valued field once, and one Date that can be read."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from moorage.server.http.limits import HttpLimits
from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import MoorageServer
from moorage.transfer.handover import Receive, Scope, Send
from moorage.wire.oci.app import ROUTES
from moorage.wire.oci.router import parse_route
from tests.conftest import fresh_name

from .serving import reply, serving

LISTS = frozenset(("allow", "cache-control", "connection", "link", "vary", "www-authenticate"))
"""Fields that may be sent more than once (RFC 9110, 5.3)."""
ECR = "AmazonEC2ContainerRegistry_V20150921"
PUBLIC = "SpencerFrontendService"
JSON = {"Content-Type": "application/x-amz-json-1.1"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def check(fields: list[tuple[str, str]], what: object) -> None:
    """Fail unless each field that is no list comes once, and exactly one Date."""
    counts = Counter(name.lower() for name, _ in fields)
    assert {name for name, count in counts.items() if count > 1} <= LISTS, (what, fields)
    assert counts["date"] == 1, (what, fields)
    assert parsedate_to_datetime(next(value for name, value in fields if name.lower() == "date")).tzinfo is not None


class Asking:
    """Sends requests and checks every answer."""

    def __init__(self, client: RegistryClient) -> None:
        self.client = client
        self.routes: set[tuple[str, str]] = set()
        self.statuses: set[int] = set()

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> http.client.HTTPMessage:
        path = path.removeprefix(f"http://{self.client.host}")  # of a Location
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.client.request(method, path, body, named)
        check(answer.headers.items(), (method, path, answer.status))
        self.statuses.add(answer.status)
        if (route := parse_route(path.partition("?")[0])) is not None:
            self.routes.add((route.kind, method))
        return answer.headers


def walk(ask: Asking, name: str) -> None:
    """All routes below /v2/ with a repository of that name, in success and in failure."""
    image = builders.image(1)
    for content in image.blobs.values():
        location = ask("POST", f"/v2/{name}/blobs/uploads/")["Location"]
        ask("GET", location)
        half = len(content) // 2
        ask("PATCH", location, content[:half], Content_Range=f"0-{half - 1}")
        ask("PATCH", location, b"abc", Content_Range="7000-7002")
        ask("PATCH", location, content[half:], Content_Range=f"{half}-{len(content) - 1}")
        ask("PUT", f"{location}?digest={builders.digest(content)}", b"")
        location = ask("POST", f"/v2/{name}/blobs/uploads/")["Location"]
        ask("PUT", f"{location}?digest={builders.digest(b'other')}", content)
    ask("DELETE", ask("POST", f"/v2/{name}/blobs/uploads/")["Location"])
    ask("PUT", f"/v2/{name}/manifests/v1", image.manifest, Content_Type=image.media_type)
    ask("PUT", f"/v2/{name}/manifests/v2", b"{}", Content_Type=image.media_type)
    blob = f"/v2/{name}/blobs/{image.layers[0]}"
    for path in (f"/v2/{name}/manifests/v1", f"/v2/{name}/manifests/{image.digest}", blob, f"/v2/{name}/blobs/sha256:{'0' * 64}"):
        for method in ("GET", "HEAD"):
            etag = ask(method, path)["ETag"]
            ask(method, path)
            if etag is not None:
                ask(method, path, If_None_Match=etag)
            ask(method, path, Range="bytes=1-3")
            ask(method, path, Range="bytes=99999999-")
    for path in ("/v2/", "/v2/_catalog", f"/v2/{name}/tags/list", f"/v2/{name}/tags/list?n=1", f"/v2/{name}/nothing"):
        ask("GET", path)
        ask("HEAD", path)
        ask("POST", path)
    ask("GET", f"/v2/{name}/referrers/{image.digest}")
    ask("DELETE", blob)
    ask("DELETE", f"/v2/{name}/manifests/{image.digest}")
    ask("DELETE", blob)
    ask("GET", "/v2/a/../b%ff/manifests/x")


def test_below_v2(own_server: MoorageServer) -> None:
    name, missing = fresh_name(), fresh_name("missing")
    own_server.client().create_repository(repositoryName=name)
    with own_server.registry() as client, client.other() as nobody, client.other("wrong") as stranger:
        ask = Asking(client)
        walk(ask, name)
        assert set(ROUTES) <= ask.routes
        assert {200, 201, 202, 206, 304, 400, 404, 405, 416} <= ask.statuses
        for asking in (ask, Asking(nobody), Asking(stranger)):
            for method in ("GET", "HEAD", "PUT", "POST"):
                asking(method, f"/v2/{missing}/manifests/v1")
                asking(method, "/v2/")
        nowhere = Asking(client.other(host=f"1.dkr.ecr.us-east-1.localhost:{own_server.port}"))
        nowhere("GET", "/v2/")
        nowhere.client.close()


def test_public_registries(own_server: MoorageServer) -> None:
    public = own_server.client("ecr-public")
    name = fresh_name()
    public.create_repository(repositoryName=name)
    alias = public.describe_registries()["registries"][0]["aliases"][0]["name"]
    with own_server.public_registry() as client, own_server.public_registry(anonymous=True) as anybody:
        for asking in (Asking(client), Asking(anybody)):
            walk_if_allowed(asking, f"{alias}/{name}")
        with client.other() as nobody:
            Asking(nobody)("GET", "/v2/")
            Asking(nobody)("GET", "/token/")
            Asking(nobody)("POST", "/token/")


def walk_if_allowed(ask: Asking, path: str) -> None:
    ask("GET", "/v2/")
    ask("GET", f"/v2/{path}/tags/list")
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        ask(method, f"/v2/{path}/manifests/v1")
    ask("POST", f"/v2/{path}/blobs/uploads/")


def test_aws_apis_and_what_stands_beside(own_server: MoorageServer) -> None:
    ecr, name = own_server.client(), fresh_name()
    seen: list[Any] = []
    image = builders.image(2)
    with own_server.registry() as client, client.other() as plain:
        ecr.create_repository(repositoryName=name)
        client.push_image(name, image, "v1")
        link = ecr.get_download_url_for_layer(repositoryName=name, layerDigest=image.layers[0])["downloadUrl"]
        ask = Asking(plain)
        for target in (f"{ECR}.DescribeRegistry", f"{ECR}.Nothing", f"{PUBLIC}.DescribeRegistries", "nonsense"):
            ask("POST", "/", b"{}", X_Amz_Target=target, **JSON)
        for body in (b"", b"Action=GetCallerIdentity&Version=2011-06-15", b"Action=GetAccountSummary&Version=2010-05-08"):
            ask("POST", "/", body, **FORM)
        path = link.removeprefix(own_server.endpoint)
        for method in ("GET", "HEAD", "PUT"):
            for each in (
                "/",
                "/?Action=x",
                "/healthz",
                "/readyz",
                "/metrics",
                "/token",
                "/layers/1/x",
                path,
                "/logos/a/b",
                "/none",
            ):
                ask(method, each)
        headers = ask("GET", path)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        ask("GET", path, Range="bytes=0-1")
        ask("GET", path, Range="bytes=99999-")
        ask("GET", path, If_None_Match=headers["ETag"])
        ask("GET", path + "x")
        ask("GET", "/none", Host="a b")

    ecr.meta.events.register("response-received", lambda response_dict, **_: seen.append(response_dict["headers"]))
    ecr.describe_repositories()
    for service, call in (("sts", "get_caller_identity"), ("iam", "get_account_summary"), ("ecr-public", "describe_registries")):
        other = own_server.client(service)
        other.meta.events.register("response-received", lambda response_dict, **_: seen.append(response_dict["headers"]))
        getattr(other, call)()
    for found in seen:
        assert found["date"].count("GMT") == 1, json.dumps(dict(found))  # urllib3 joins what comes twice


async def held(scope: Scope, receive: Receive, send: Send) -> None:
    """Waits on /hold until the client leaves, and answers nothing on /nothing."""
    if scope["type"] != "http" or scope["path"] == "/nothing":
        return
    if scope["path"] == "/break":
        raise LookupError("on purpose")
    if scope["path"] == "/hold":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    await reply(send, 200, b"x", (b"content-type", b"text/plain"))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\r\n\x00\x01 broken\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHo", 408),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        (b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 500),
        (b"GET /break HTTP/1.1\r\nHost: a\r\n\r\n", 500),
        (b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    ],
)
def test_what_the_server_answers_itself(sent: bytes, status: int) -> None:
    with serving(held, limits=HttpLimits(head_seconds=0.3, pipelined_requests=2)) as running:
        wire = running.connect()
        wire.send(sent)
        head = b""
        while b"\r\n\r\n" not in head:
            head += wire.socket.recv(4096)
        first, *lines = head.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        assert first.startswith(f"HTTP/1.1 {status}")
        check([(line.partition(":")[0], line.partition(":")[2].strip()) for line in lines], sent[:40])


def test_too_many_pipelined_requests() -> None:
    with serving(held, limits=HttpLimits(pipelined_requests=1)) as running:
        wire = running.connect()
        wire.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
        answers = wire.rest().split(b"HTTP/1.1 ")[1:]
        assert answers[-1].startswith(b"503")
        for answer in answers:
            lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
            check([(line.partition(":")[0], line.partition(":")[2].strip()) for line in lines], answer[:20])
