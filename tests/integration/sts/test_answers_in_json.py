"""Clients that ask for JSON get it: those who check presigned requests of GetCallerIdentity read nothing else."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.integration.sts.conftest import Account

JSON = {"Accept": "application/json"}


def _credentials(home: Account) -> Credentials:
    return Credentials(home.root.access_key_id, home.root.secret)


def _open(request: Request) -> tuple[int, str, str]:
    try:
        with urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def post(home: Account, accept: str, service: str = "sts", **fields: str) -> tuple[int, str, str]:
    version = "2011-06-15" if service == "sts" else "2010-05-08"
    body = urlencode({"Version": version, **fields}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": accept}
    request = AWSRequest("POST", home.server.endpoint + "/", headers=headers, data=body)
    SigV4Auth(_credentials(home), service, "us-east-1").add_auth(request)
    return _open(Request(request.url, body, dict(request.headers.items())))


def test_a_presigned_identity_is_told_in_json(home: Account) -> None:
    """As aws-iam-authenticator asks: the header is not signed, the name of the cluster is."""
    url = home.server.endpoint + "/?" + urlencode({"Action": "GetCallerIdentity", "Version": "2011-06-15"})
    request = AWSRequest("GET", url, headers={"x-k8s-aws-id": "cluster"})
    SigV4QueryAuth(_credentials(home), "sts", "us-east-1", expires=60).add_auth(request)
    status, kind, text = _open(Request(request.url, headers={"x-k8s-aws-id": "cluster", **JSON}))
    assert (status, kind) == (200, "application/json")
    answer = json.loads(text)["GetCallerIdentityResponse"]
    assert answer["GetCallerIdentityResult"] == {
        "UserId": home.id,
        "Account": home.id,
        "Arn": f"arn:aws:iam::{home.id}:root",
    }
    assert answer["ResponseMetadata"]["RequestId"]


def test_times_and_lists(home: Account) -> None:
    status, _, text = post(home, "application/json", Action="GetSessionToken")
    credentials = json.loads(text)["GetSessionTokenResponse"]["GetSessionTokenResult"]["Credentials"]
    assert (status, type(credentials["Expiration"])) == (200, int)
    status, _, text = post(home, "application/json", "iam", Action="ListUsers")
    listed: dict[str, Any] = json.loads(text)["ListUsersResponse"]["ListUsersResult"]
    assert (status, type(listed["Users"]), listed["IsTruncated"]) == (200, list, False)


def test_errors(home: Account) -> None:
    status, kind, text = post(home, "application/json", Action="GetNothing")
    answer = json.loads(text)
    assert (status, kind, answer["Error"]["Code"], answer["Error"]["Type"]) == (
        400,
        "application/json",
        "InvalidAction",
        "Sender",
    )
    assert answer["RequestId"]


@pytest.mark.parametrize("accept", ["*/*", "text/xml", "text/xml, application/json", "", "application/jsonx"])
def test_everybody_else_gets_xml(home: Account, accept: str) -> None:
    status, kind, text = post(home, accept, Action="GetCallerIdentity")
    assert (status, kind, text[:28]) == (200, "text/xml", "<GetCallerIdentityResponse x")
