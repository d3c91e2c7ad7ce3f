"""DescribeRegistry, GetAuthorizationToken, sts:GetCallerIdentity, and who gets in."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import pytest

from moorage.testing.server import KeyPair, MoorageServer, make_client
from tests.integration.aws.errors import refused


def test_describe_registry(ecr: Any, server: MoorageServer, account: KeyPair) -> None:
    told = ecr.describe_registry()
    assert (told["registryId"], told["replicationConfiguration"]) == (server.root.account_id, {"rules": []})
    assert server.client(key=account).describe_registry()["registryId"] == account.account_id


def test_get_authorization_token(ecr: Any, server: MoorageServer) -> None:
    (data,) = ecr.get_authorization_token()["authorizationData"]
    assert base64.b64decode(data["authorizationToken"]).startswith(b"AWS:")
    left = data["expiresAt"] - dt.datetime.now(dt.UTC)
    assert dt.timedelta(hours=11, minutes=58) < left <= dt.timedelta(hours=12)
    assert data["proxyEndpoint"] == f"http://{server.host}"
    with server.registry() as registry:
        assert registry.request("GET", "/v2/", authorization=f"Basic {data['authorizationToken']}").status == 200


def test_tokens_for_other_registries(ecr: Any, server: MoorageServer, account: KeyPair) -> None:
    told = ecr.get_authorization_token(registryIds=[account.account_id, server.root.account_id])["authorizationData"]
    theirs, ours = (data["proxyEndpoint"] for data in told)
    assert ours == f"http://{server.host}"
    (own,) = server.client(key=account).get_authorization_token()["authorizationData"]
    assert theirs == own["proxyEndpoint"] != ours


def test_get_caller_identity(server: MoorageServer, account: KeyPair) -> None:
    for key in (server.root, account):
        told = server.client("sts", key=key).get_caller_identity()
        assert (told["Account"], told["UserId"]) == (key.account_id, key.account_id)
        assert told["Arn"] == f"arn:aws:iam::{key.account_id}:root"


@pytest.mark.parametrize("service", ["ecr", "sts"])
def test_wrong_keys(server: MoorageServer, service: str) -> None:
    def call(key: KeyPair) -> None:
        client = make_client(server.endpoint, service, key)
        try:
            client.describe_registry() if service == "ecr" else client.get_caller_identity()
        finally:
            client.close()

    root = server.root
    unknown = "UnrecognizedClientException" if service == "ecr" else "InvalidClientTokenId"
    mismatch = "InvalidSignatureException" if service == "ecr" else "SignatureDoesNotMatch"
    status = 400 if service == "ecr" else 403
    with refused(unknown, "The security token included in the request is invalid.", status):
        call(KeyPair(root.account_id, "AKIAIOSFODNN7EXAMPLE", root.secret))
    with refused(mismatch, status=status):
        call(KeyPair(root.account_id, root.access_key_id, root.secret + "x"))


def test_a_disabled_key_is_refused_at_the_next_call(server: MoorageServer, account: KeyPair) -> None:
    key = server.create_key(account.account_id)
    client = server.client(key=key)
    client.describe_registry()
    server.run("key", "disable", key.access_key_id)
    with refused("UnrecognizedClientException", "The security token included in the request is invalid."):
        client.describe_registry()
    server.run("key", "enable", key.access_key_id)
    client.describe_registry()
    server.run("key", "delete", key.access_key_id)
    with refused("UnrecognizedClientException"):
        client.get_authorization_token()
    server.client(key=account).describe_registry()


def test_a_region_that_none_can_be(server: MoorageServer) -> None:
    client = make_client(server.endpoint, "ecr", server.root, "Nowhere-1")
    message = "Credential should be scoped to a valid region, not 'Nowhere-1'."
    try:
        with refused("InvalidSignatureException", message, 400):
            client.describe_registry()
    finally:
        client.close()
