"""Calls of the ECR API, signed by botocore."""

from __future__ import annotations

import http.client
import json
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS_KEY_ID = "AKIABENCHMARK0000000"
SECRET_ACCESS_KEY = "only/for/the/benchmark/on/loopback/00000"
REGION = "us-east-1"
_TARGET = "AmazonEC2ContainerRegistry_V20150921."


class CallFailed(Exception):
    """The API answered with an error."""


def signed_headers(host: str, operation: str, body: bytes) -> dict[str, str]:
    """The headers of a signed call; good for some minutes."""
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": _TARGET + operation}
    request = AWSRequest("POST", f"http://{host}/", headers=headers, data=body)
    SigV4Auth(Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY), "ecr", REGION).add_auth(request)
    return {"Host": host, **{name: str(value) for name, value in request.headers.items()}}


def signed_request(host: str, operation: str, parameters: dict[str, Any]) -> bytes:
    """A whole request, ready to be sent as often as wanted while its signature lasts."""
    body = json.dumps(parameters).encode()
    headers = {**signed_headers(host, operation, body), "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body


def call(port: int, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Call an operation. Raises CallFailed."""
    host = f"127.0.0.1:{port}"
    body = json.dumps(parameters).encode()
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        connection.request("POST", "/", body, signed_headers(host, operation, body))
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise CallFailed(f"{operation}: {answer.status} {content[:500]!r}")
    found: dict[str, Any] = json.loads(content)
    return found


def authorization_header(port: int) -> str:
    """What docker would send after ``docker login``: Basic credentials from GetAuthorizationToken."""
    data = call(port, "GetAuthorizationToken", {})["authorizationData"]
    return f"Basic {data[0]['authorizationToken']}"
