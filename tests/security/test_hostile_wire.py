"""Requests that are broken below the level of members: documents that are none, and everything else that HTTP lets one say."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from moorage.testing.server import MoorageServer
from tests.conftest import fresh_name
from tests.security.fuzzing.wire import Answer, Wire

TARGET = "AmazonEC2ContainerRegistry_V20150921"
JSON = "application/x-amz-json-1.1"
GOOD = {"repositoryName": "a/b", "imageIds": [{"imageTag": "t", "imageDigest": "sha256:" + "a" * 64}], "registryId": "1" * 12}
LARGE = ("PutImage", "UploadLayerPart")
"""Operations whose documents another parser reads."""


@pytest.fixture
def wire(server: MoorageServer) -> Iterator[Wire]:
    made = Wire(server.host, ServiceModel(Loader().load_service_model("ecr", "service-2"), "ecr"), server.root)
    yield made
    made.close()


def sent(wire: Wire, operation: str, body: bytes) -> Answer:
    return wire.send(body, {"X-Amz-Target": f"{TARGET}.{operation}", "Content-Type": JSON})


def code_of(answer: Answer) -> tuple[int, str | None]:
    return answer.status, answer.code


UNREADABLE = (400, "SerializationException")
UNKNOWN = (400, "UnknownOperationException")


@pytest.mark.parametrize("operation", ["BatchGetImage", *LARGE])
def test_documents_that_end_too_early(wire: Wire, operation: str) -> None:
    whole = json.dumps(GOOD).encode()
    parts = [whole[:end] for end in range(1, len(whole))]
    assert {code_of(answer) for answer in wire.each(lambda body: sent(wire, operation, body), parts)} == {UNREADABLE}


@pytest.mark.parametrize("operation", ["BatchGetImage", *LARGE])
def test_documents_that_are_none(wire: Wire, operation: str) -> None:
    broken = [
        b"null", b"true", b"1", b'"text"', b"[]", b"[{}]", b"{}{}", b"{} x", b"\x00", b"\xef\xbb\xbf{}", b"{'a':1}", b"{a:1}",
        b'{"repositoryName":}', b'{"repositoryName" "a"}', b'{"repositoryName":"a",}', b"//\n{}", b"{\"a\":\"\n\"}", b"{]",
        b'{"repositoryName":NaN}', b'{"repositoryName":Infinity}', b'{"repositoryName":-Infinity}', b'{"x":NaN}',
        b'{"repositoryName":"\xff"}', b'{"repositoryName":"\xc0\x80"}', b'{"repositoryName":"\xed\xa0\x80"}',
        b'{"repositoryName":"\\ud800"}', b'{"repositoryName":"\\x41"}', b'{"\xff":1}', '{"repositoryName":"ä"}'.encode("utf-16"),
        b'{"repositoryName":01}', b'{"repositoryName":0x1}', b'{"repositoryName":.5}', b'{"repositoryName":1e}',
        b"<xml/>", b"Action=BatchGetImage", b"[" * 100_000, b'{"a":' * 100_000, b'{"repositoryName":' + b"[" * 50_000,
        b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ]  # fmt: skip
    answers = wire.each(lambda body: sent(wire, operation, body), broken)
    assert {body[:60]: code_of(answer) for body, answer in zip(broken, answers, strict=True)} == {
        body[:60]: UNREADABLE for body in broken
    }


def test_numbers_that_no_member_can_have(wire: Wire) -> None:
    numbers = [b"1e400", b"-1e400", b"1e-400", b"9" * 400, b"-" + b"9" * 400, b"1.0", b"1E2", b"1" + b"0" * 5000, b"-0.0", b"1.5"]
    bodies = [b'{"repositoryName":"ab","maxResults":' + number + b"}" for number in numbers]
    assert {code_of(answer) for answer in wire.each(lambda body: sent(wire, "ListImages", body), bodies)} == {UNREADABLE}
    parts = [b'{"partFirstByte":' + number + b"}" for number in numbers]
    assert {code_of(answer) for answer in wire.each(lambda body: sent(wire, "UploadLayerPart", body), parts)} == {UNREADABLE}


def test_of_two_members_of_one_name_the_last_counts(wire: Wire, server: MoorageServer) -> None:
    name = fresh_name("twice")
    server.client().create_repository(repositoryName=name)
    twice = b'{"repositoryName":"%s","repositoryName":"%s"}'
    for operation in ("ListImages", "InitiateLayerUpload"):
        assert sent(wire, operation, twice % (b"no-such", name.encode())).is_ok
        assert code_of(sent(wire, operation, twice % (name.encode(), b"no-such"))) == (400, "RepositoryNotFoundException")


def test_content_types_do_not_matter_where_the_target_is_known(wire: Wire) -> None:
    for content_type in ("", "text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data", JSON):
        headers = {"X-Amz-Target": f"{TARGET}.DescribeRegistry", "Content-Type": content_type}
        assert wire.send(b"{}", headers).is_ok, content_type


@pytest.mark.parametrize(
    "target",
    [
        "", ".", "ListImages", f"{TARGET}", f"{TARGET}.", f"{TARGET}.listimages", f"{TARGET}.ListImages ", f"{TARGET}.a",
        f"{TARGET}..ListImages", f"SpencerFrontendService.{TARGET}.ListImages", "SpencerFrontendService.ListImages",
        "x" * 8000, f"{TARGET}.__init__", f"{TARGET}.ListImages\t", "AmazonEC2ContainerRegistry_V20150922.ListImages",
    ],
)  # fmt: skip
def test_targets_that_there_are_not(wire: Wire, target: str) -> None:
    answer = wire.send(b"{}", {"X-Amz-Target": target, "Content-Type": JSON})
    # White space around a header's value is not part of it.
    expected = (400, "InvalidParameterException") if target.strip() == f"{TARGET}.ListImages" else UNKNOWN
    assert code_of(answer) == expected


def test_methods_and_paths_that_no_operation_has(wire: Wire) -> None:
    headers = {"X-Amz-Target": f"{TARGET}.DescribeRegistry", "Content-Type": JSON}
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = wire.send(b"{}", headers, method=method)
        assert 400 <= answer.status < 500, (method, answer)
    # Who types the address into a browser is told what this is.
    assert b"AWS APIs by POST" in wire.send(b"", headers, method="GET").body
    for path in ("/ecr", "//", "/index.html", "/%2e%2e/", "/?x=1"):
        answer = wire.send(b"{}", headers, path=path)
        assert answer.status < 500, (path, answer)


def test_altered_bytes(wire: Wire) -> None:
    """Good documents with a few bytes changed: whatever they say now, they are answered."""
    source = random.Random(11)
    documents: list[tuple[str, bytes]] = []
    for _ in range(1500):
        body = bytearray(json.dumps(GOOD | {"imageManifest": '{"schemaVersion":2}', "imageTag": "t"}).encode())
        for _ in range(source.randint(1, 4)):
            place = source.randrange(len(body))
            match source.randrange(3):
                case 0:
                    body[place] = source.randrange(256)
                case 1:
                    del body[place]
                case _:
                    body[place:place] = source.randbytes(2)
        documents.append((source.choice(["BatchGetImage", "PutImage", "DescribeImages"]), bytes(body)))
    allowed = {"SerializationException", "InvalidParameterException", "RepositoryNotFoundException", "AccessDeniedException"}
    for document, answer in zip(documents, wire.each(lambda each: sent(wire, *each), documents), strict=True):
        assert (answer.status, answer.code in allowed) == (400, True), (document, answer)


def test_hostile_queries_of_the_registry_api(server: MoorageServer, repository: str) -> None:
    digest = "sha256:" + "a" * 64
    with server.registry() as registry:
        for text in ("%00", "a%00b", "%F0%9F%98%80", "%ff", "'--", "a" * 3000):
            for path in (
                f"/v2/{repository}/tags/list?last={text}",
                f"/v2/_catalog?last={text}",
                f"/v2/{repository}/referrers/{digest}?artifactType={text}",
                f"/v2/{repository}/referrers/{digest}?last={text}",
                f"/v2/{repository}/manifests/{text}",
            ):
                assert registry.get(path).status < 500, path
