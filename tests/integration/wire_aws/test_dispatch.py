"""Real clients and a real server: boto3 and raw HTTP against the dispatcher under uvicorn."""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import random
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import boto3
import pytest
import uvicorn
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from moorage.auth.credentials import Credential, root_credential
from moorage.model import errors as domain
from moorage.wire.aws.coverage import coverage
from moorage.wire.aws.dispatch import Dispatcher
from moorage.wire.aws.models import ModelMissing
from moorage.wire.aws.service import Call, Output, Service
from moorage.wire.aws.services.ecr.errors import ECR
from moorage.wire.aws.services.sts.errors import STS

ACCOUNT = "123456789012"
ROOT = root_credential("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ACCOUNT)
SESSION = replace(ROOT, access_key_id="ASIAIOSFODNN7EXAMPLE", session_token="token/+=")
EXPIRED = replace(SESSION, access_key_id="ASIAEXPIRED000000000", expires_at=1.0)
KEYS = {credential.access_key_id: credential for credential in (ROOT, SESSION, EXPIRED)}
UPLOAD_ID = "00000000-0000-0000-0000-000000000000"
TARGET = "AmazonEC2ContainerRegistry_V20150921"

ecr = Service("ecr", ECR)
public = Service("ecr-public", ECR)
sts = Service("sts", STS)
calls: list[Call] = []


async def find_key(access_key_id: str, _session_token: str | None, /) -> Credential | None:
    return KEYS.get(access_key_id)


@sts.operation("GetCallerIdentity")
async def get_caller_identity(call: Call) -> Output:
    return {"UserId": call.signer.user_id, "Account": call.signer.account_id, "Arn": call.signer.principal_arn}


@ecr.operation("BatchGetImage")
async def batch_get_image(call: Call) -> Output:
    calls.append(call)
    found = {"registryId": call.signer.account_id, "repositoryName": call["repositoryName"]}
    return {"images": [found | {"imageId": image_id} for image_id in call["imageIds"]]}


@ecr.operation("UploadLayerPart")
async def upload_layer_part(call: Call) -> Output:
    assert bytes(call["layerPartBlob"]).strip(b"x") == b""
    if call["partFirstByte"]:
        raise domain.RangeMismatch(ACCOUNT, call["repositoryName"], UPLOAD_ID, call["partFirstByte"])
    return {"lastByteReceived": len(call["layerPartBlob"]) - 1}


@ecr.operation("PutImage")
async def put_image(call: Call) -> Output:
    raise domain.ImageExists(ACCOUNT, call["repositoryName"], f"sha256:{len(call['imageManifest'])}", None)


@ecr.operation("ListImages")
async def list_images(call: Call) -> Output:
    raise RuntimeError("a secret cause")


@ecr.operation("DescribeImages")
async def describe_images(call: Call) -> Output:
    return {"imageDetails": []}


@public.operation("DescribeRegistries")
async def describe_registries(call: Call) -> Output:
    return {"registries": []}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    pool = ThreadPoolExecutor(2)
    app: Any = Dispatcher([ecr, public, sts], find_key, pool, regions={"eu-west-1", "us-east-1"})
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", date_header=False, server_header=False, log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    pool.shutdown()


def client(address: str, service: str, credential: Credential = ROOT, region: str = "eu-west-1") -> Any:
    return boto3.client(
        service,
        endpoint_url=f"http://{address}",
        region_name=region,
        aws_access_key_id=credential.access_key_id,
        aws_secret_access_key=credential.secret,
        aws_session_token=credential.session_token,
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )


def failure(act: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        act()
    response = caught.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def post(
    address: str, body: bytes, headers: dict[str, str], service: str = "ecr", *, sign: bool = True
) -> tuple[int, bytes, http.client.HTTPMessage]:
    request = AWSRequest("POST", f"http://{address}/", headers=headers, data=body)
    if sign:
        SigV4Auth(Credentials(ROOT.access_key_id, ROOT.secret), service, "eu-west-1").add_auth(request)
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("POST", "/", body, dict(request.headers.items()))
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content, response.headers


@pytest.mark.parametrize("credential", [ROOT, SESSION])
def test_a_call_and_all_that_the_handler_is_told(address: str, credential: Credential) -> None:
    calls.clear()
    answer = client(address, "ecr", credential).batch_get_image(repositoryName="a/b", imageIds=[{"imageTag": "t"}])
    assert answer["images"] == [{"registryId": ACCOUNT, "repositoryName": "a/b", "imageId": {"imageTag": "t"}}]
    (call,) = calls
    assert (call.service, call.operation, call.region, call.scheme) == ("ecr", "BatchGetImage", "eu-west-1", "http")
    assert (call.host, call.source_ip, call.credential) == (address, "127.0.0.1", credential)
    assert call.user_agent.startswith("Boto3/")
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert answer["ResponseMetadata"]["RequestId"] == call.request_id == headers["x-amzn-requestid"]
    assert headers["content-type"] == "application/x-amz-json-1.1"
    assert "date" not in headers  # that one is the server's, and was switched off here


def test_a_part_of_the_greatest_size(address: str) -> None:
    answer = client(address, "ecr").upload_layer_part(
        repositoryName="a/b", uploadId=UPLOAD_ID, partFirstByte=0, partLastByte=20_971_519, layerPartBlob=b"x" * 20_971_520
    )
    assert answer["lastByteReceived"] == 20_971_519


def test_limits_are_per_operation(address: str) -> None:
    headers = {"X-Amz-Target": f"{TARGET}.BatchGetImage", "Content-Type": "application/x-amz-json-1.1"}
    status, content, _ = post(address, b" " * (1 << 20) + b"{}", headers)
    assert status == 413
    assert json.loads(content)["__type"] == "RequestEntityTooLargeException"
    big = {"repositoryName": "ab", "imageManifest": "é" * (4 << 20)}
    status, content, _ = post(
        address, json.dumps(big, ensure_ascii=False).encode(), headers | {"X-Amz-Target": f"{TARGET}.PutImage"}
    )
    assert json.loads(content)["__type"] == "ImageAlreadyExistsException"  # The handler's own answer: it was let through.


def test_bytes_count_and_not_what_a_header_promises(address: str) -> None:
    headers = {"X-Amz-Target": f"{TARGET}.BatchGetImage", "Transfer-Encoding": "chunked"}
    request = AWSRequest("POST", f"http://{address}/", headers=headers, data=b"")
    SigV4Auth(Credentials(ROOT.access_key_id, ROOT.secret), "ecr", "eu-west-1").add_auth(request)
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("POST", "/", iter([b"x" * 65_536] * 20), dict(request.headers.items()), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_errors_reach_the_client_with_their_members(address: str) -> None:
    ecr_client = client(address, "ecr")
    with pytest.raises(ecr_client.exceptions.InvalidLayerPartException) as caught:
        ecr_client.upload_layer_part(repositoryName="ab", uploadId=UPLOAD_ID, partFirstByte=5, partLastByte=5, layerPartBlob=b"x")
    assert caught.value.response["lastValidByteReceived"] == 4


def test_an_unexpected_exception_is_logged_whole_and_told_without_its_cause(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        code, message, status = failure(lambda: client(address, "ecr").list_images(repositoryName="ab"))
    assert (code, status) == ("ServerException", 500)
    assert "secret" not in message
    assert "a secret cause" in caplog.text


def test_an_operation_that_is_not_built_says_so(address: str) -> None:
    code, message, status = failure(lambda: client(address, "ecr").create_repository(repositoryName="ab"))
    assert (code, status) == ("UnknownOperationException", 400)
    assert "CreateRepository is not available" in message
    assert failure(lambda: client(address, "sts").get_session_token())[::2] == ("InvalidAction", 400)


def test_ecr_public_and_sts(address: str) -> None:
    assert client(address, "ecr-public").describe_registries()["registries"] == []
    answer = client(address, "sts").get_caller_identity()
    assert (answer["UserId"], answer["Account"], answer["Arn"]) == (ACCOUNT, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")


def test_presigned_caller_identity(address: str) -> None:
    url = client(address, "sts", SESSION).generate_presigned_url("get_caller_identity", HttpMethod="GET")
    with urllib.request.urlopen(url) as response:
        assert f"<Account>{ACCOUNT}</Account>".encode() in response.read()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url + "0")
    with caught.value as error:
        assert error.code == 403
        assert b"<Code>SignatureDoesNotMatch</Code>" in error.read()


@pytest.mark.parametrize(
    ("service", "credential", "region", "expected"),
    [
        ("ecr", replace(ROOT, access_key_id="AKIAUNKNOWN000000000"), "eu-west-1", ("UnrecognizedClientException", 400)),
        ("ecr", replace(ROOT, secret="wrong"), "eu-west-1", ("InvalidSignatureException", 400)),
        ("ecr", replace(SESSION, session_token="wrong"), "eu-west-1", ("UnrecognizedClientException", 400)),
        ("ecr", replace(SESSION, session_token=None), "eu-west-1", ("UnrecognizedClientException", 400)),
        ("ecr", EXPIRED, "eu-west-1", ("ExpiredTokenException", 400)),
        ("ecr", ROOT, "moon-1", ("InvalidSignatureException", 400)),
        ("sts", replace(ROOT, access_key_id="AKIAUNKNOWN000000000"), "eu-west-1", ("InvalidClientTokenId", 403)),
        ("sts", replace(ROOT, secret="wrong"), "eu-west-1", ("SignatureDoesNotMatch", 403)),
        ("sts", EXPIRED, "eu-west-1", ("ExpiredToken", 403)),
        ("sts", ROOT, "moon-1", ("SignatureDoesNotMatch", 403)),
    ],
)
def test_refused_credentials(address: str, service: str, credential: Credential, region: str, expected: tuple[str, int]) -> None:
    api = client(address, service, credential, region)
    call = (lambda: api.describe_images(repositoryName="ab")) if service == "ecr" else api.get_caller_identity
    assert failure(call)[::2] == expected


@pytest.mark.parametrize(
    ("headers", "service", "sign", "code"),
    [
        ({"X-Amz-Target": f"{TARGET}.Nothing"}, "ecr", False, "UnknownOperationException"),
        ({"X-Amz-Target": "nonsense"}, "ecr", True, "UnknownOperationException"),
        ({"Content-Type": "application/x-amz-json-1.1"}, "ecr", True, "UnknownOperationException"),
        ({}, "ecr", True, "UnknownOperationException"),
        ({"X-Amz-Target": f"{TARGET}.DescribeImages"}, "ecr", False, "MissingAuthenticationTokenException"),
        ({"X-Amz-Target": f"{TARGET}.DescribeImages"}, "sts", True, "InvalidSignatureException"),
        ({"X-Amz-Target": f"{TARGET}.DescribeImages", "Authorization": "Basic x"}, "ecr", False, "IncompleteSignatureException"),
        ({"X-Amz-Target": f"{TARGET}.DescribeImages"}, "ecr", True, "SerializationException"),
    ],
)
def test_order_of_checks(address: str, headers: dict[str, str], service: str, sign: bool, code: str) -> None:
    status, content, answer = post(address, b"{", headers, service, sign=sign)
    assert (status, json.loads(content)["__type"]) == (400, code)
    assert answer["x-amzn-requestid"]


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (b"", "MissingAction", 400),
        (b"Action=Nothing&Version=2011-06-15", "InvalidAction", 400),
        (b"Action=GetCallerIdentity&Version=1999-01-01", "InvalidAction", 400),
        (b"Action=GetCallerIdentity&Version=2011-06-15", "MissingAuthenticationToken", 403),
        (b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15", "InvalidAction", 400),
        (b"Action=%ff", "ValidationError", 400),
    ],
)
def test_unsigned_queries(address: str, body: bytes, code: str, status: int) -> None:
    got, content, headers = post(address, body, {"Content-Type": "application/x-www-form-urlencoded"}, sign=False)
    assert f"<Code>{code}</Code>".encode() in content
    assert (got, headers["content-type"]) == (status, "text/xml")


def test_nothing_that_is_sent_is_a_fault_of_the_server(address: str) -> None:
    """Random bytes, altered requests, nonsense in headers: each is answered, and as the client's mistake."""
    chance = random.Random(7)
    good = b'{"repositoryName":"a/b","imageIds":[{"imageTag":"t"}]}'
    targets = [
        f"{TARGET}.BatchGetImage",
        f"{TARGET}.DescribeImages",
        f"{TARGET}.UploadLayerPart",
        f"{TARGET}.PutImage",
        "\xff",
        "",
        f"{TARGET}.",
    ]
    for turn in range(400):
        body = bytearray(good)
        for _ in range(chance.randrange(6)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        if turn % 3 == 0:
            body = bytearray(chance.randbytes(chance.randrange(300)))
        if turn % 50 == 0:
            body = bytearray(gzip.compress(good))
        types = ["", "text/xml", "application/x-amz-json-1.1"]
        headers = {"X-Amz-Target": chance.choice(targets), "Content-Type": chance.choice(types)}
        if turn % 2:
            del headers["X-Amz-Target"]
        garbage = "AWS4-HMAC-SHA256 " + "".join(chance.choices("Credential=/,;Signed\t\xe9Headers", k=40))
        if turn % 5 == 0:
            headers |= {"Authorization": garbage, "X-Amz-Date": chance.choice(["", "20260101T000000Z", "\xe9" * 16])}
        status, content, _ = post(address, bytes(body), headers, sign=turn % 5 != 0 and "\xff" not in headers.values())
        assert status < 500, (body, headers, content)


def test_registration_is_held_to_the_model() -> None:
    with pytest.raises(ModelMissing):
        Service("ecr", ECR).operation("Nothing")
    with pytest.raises(ModelMissing):
        Service("no-such-service", ECR)
    with pytest.raises(ModelMissing):
        ecr.operation("BatchGetImage")
    states = {(each.service, each.operation): each.state for each in coverage([sts, ecr, public])}
    assert len(states) == 62 + 23 + 12
    assert states["sts", "GetCallerIdentity"] == "built"
    assert states["ecr", "CreateRepository"] == "not built yet"
