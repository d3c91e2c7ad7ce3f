"""The wire of IAM itself: what is not built, odd requests, codes that the model knows."""

from __future__ import annotations

import urllib.parse
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from moorage.model import identity_errors
from moorage.model.errors import DomainError
from moorage.testing.error_tables import to_aws_error
from moorage.testing.reference.errors import sample
from moorage.testing.server import MoorageServer
from moorage.wire.aws.common_errors import COMMON_CODES
from moorage.wire.aws.models import service_plan
from moorage.wire.aws.services.iam.errors import _EXISTS, _NOT_FOUND, IAM
from tests.integration.aws.errors import refused


def send(server: MoorageServer, fields: list[tuple[str, str]]) -> tuple[int, str]:
    """Status and body of a signed request with these form fields."""
    import http.client

    body = urllib.parse.urlencode([("Version", "2010-05-08"), *fields])
    request = AWSRequest("POST", server.endpoint + "/", data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    SigV4Auth(Credentials(server.root.access_key_id, server.root.secret), "iam", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", "/", body=body, headers=dict(request.headers))
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_what_is_not_built_is_said_to_be(iam: Any) -> None:
    for call in (iam.list_server_certificates, iam.list_ssh_public_keys, iam.get_outbound_web_identity_federation_info):
        with refused("InvalidAction"):
            call()


def test_documents_go_out_percent_encoded(server: MoorageServer, role: str) -> None:
    status, body = send(server, [("Action", "GetRole"), ("RoleName", role)])
    assert status == 200
    assert "<AssumeRolePolicyDocument>%7B%22Version%22%3A%20%222012-10-17%22" in body


@pytest.mark.parametrize(
    "fields",
    [
        [("Action", "CreateUser")],
        [("Action", "CreateUser"), ("UserName", "")],
        [("Action", "CreateUser"), ("UserName", "a\0b")],
        [("Action", "CreateUser"), ("UserName", "fine"), ("Tags.member.1.Key", "a")],
        [("Action", "CreateUser"), ("UserName", "fine"), ("PermissionsBoundary", "\0" * 20)],
        [("Action", "ListUsers"), ("MaxItems", "99999999999999999999")],
        [("Action", "ListUsers"), ("MaxItems", "0")],
        [("Action", "ListUsers"), ("Marker", "\u00ff" * 300)],
        [("Action", "ListUsers"), ("Marker", "x" * 321)],
        [("Action", "GetPolicy"), ("PolicyArn", "arn:aws:iam::000000000000:policy/" + "x" * 3000)],
        [("Action", "CreatePolicy"), ("PolicyName", "p"), ("PolicyDocument", "{}"), ("Description", "\0")],
        [("Action", "CreateOpenIDConnectProvider"), ("Url", "https://x\0.example")],
        [("Action", "GetAccessKeyLastUsed"), ("AccessKeyId", "A" * 200)],
        [("Action", "TagUser"), ("UserName", "u")],
        [("Action", "EnableMFADevice"), ("UserName", "u"), ("SerialNumber", "s" * 300)],
    ],
)
def test_odd_requests_are_the_senders_fault(server: MoorageServer, fields: list[tuple[str, str]]) -> None:
    status, body = send(server, fields)
    assert 400 <= status < 500, body
    assert "<Type>Sender</Type>" in body


def errors() -> list[type[DomainError]]:
    return [
        kind
        for kind in vars(identity_errors).values()
        if isinstance(kind, type) and issubclass(kind, DomainError) and kind.__module__ == identity_errors.__name__
    ]


@pytest.mark.parametrize("kind", errors(), ids=lambda kind: kind.__name__)
def test_every_error_has_words_with_a_code_of_the_model(kind: type[DomainError]) -> None:
    assert kind in IAM
    service = service_plan("iam")
    error: Any = sample(kind)
    if hasattr(error, "kind"):
        error.kind = "role"
    told = to_aws_error(error, service, None)
    assert told is not None
    assert 400 <= told.status < 500
    assert told.code in service.errors or told.code in COMMON_CODES["query"]


def test_every_kind_has_words() -> None:
    service = service_plan("iam")
    for texts, kind in ((_NOT_FOUND, identity_errors.EntityNotFound), (_EXISTS, identity_errors.EntityExists)):
        for name in texts:
            told = to_aws_error(kind(name, "NAME"), service, None)
            assert told is not None
            assert "NAME" in told.message or name in {"mfa device", "enabled mfa device"}
