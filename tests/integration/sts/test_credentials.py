"""Temporary credentials at work: signatures, registry tokens, and how they end."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from moorage.auth.registry_token import RegistryTokens, TokenClaims
from moorage.auth.sessions import SessionTokens, new_key
from moorage.keys.root_key import load_root_key
from moorage.model.principal import Session
from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import MoorageServer
from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.sts.conftest import ALLOW_ALL, Account, User, allow, client, trust

INVALID = "The security token included in the request is invalid."
EXPIRED = "The security token included in the request is expired"


def session_of(home: Account, policy: Mapping[str, Any] = ALLOW_ALL) -> tuple[User, dict[str, Any], dict[str, Any]]:
    """A user, a role, and the credentials of the role for the user."""
    user = home.user()
    role = home.role(trust(user.arn), policy)
    return user, role, home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1")["Credentials"]


def refused_everywhere(home: Account, credentials: Mapping[str, Any], *, expired: bool = False) -> None:
    """Both protocols refuse the credentials, each in its words."""
    text = EXPIRED if expired else INVALID
    with refused("ExpiredToken" if expired else "InvalidClientTokenId", text, 403):
        home.using(credentials).get_caller_identity()
    with refused("ExpiredTokenException" if expired else "UnrecognizedClientException", text):
        home.using(credentials, "ecr").describe_registry()


@pytest.mark.parametrize(
    "alter",
    [
        lambda token: token[:-5] + ("AAAAA" if token[-5:] != "AAAAA" else "BBBBB"),
        lambda token: token[: len(token) // 2],
        lambda token: token[:40] + ("A" if token[40] != "A" else "B") + token[41:],
        lambda token: token[1:],
        lambda token: token + "A",
        lambda token: "x",
        lambda token: "x" * 8000,
        lambda token: None,
    ],
)
def test_a_token_that_was_touched(home: Account, alter: Callable[[str], str | None]) -> None:
    _, _, credentials = session_of(home)
    refused_everywhere(home, {**credentials, "SessionToken": alter(credentials["SessionToken"])})


def test_a_key_with_another_keys_token(home: Account) -> None:
    user, _, first = session_of(home)
    _, _, second = session_of(home)
    refused_everywhere(home, {**first, "SessionToken": second["SessionToken"]})
    long_term = {"AccessKeyId": user.key.access_key_id, "SecretAccessKey": user.key.secret}
    refused_everywhere(home, {**long_term, "SessionToken": first["SessionToken"]})


def test_another_secret(home: Account) -> None:
    _, _, credentials = session_of(home)
    with refused("SignatureDoesNotMatch", status=403):
        home.using({**credentials, "SecretAccessKey": "x" * 40}).get_caller_identity()


def root_key(server: MoorageServer) -> Any:
    return load_root_key(server.data, {}, may_create=False)


def forge(home: Account, **changes: Any) -> dict[str, Any]:
    """Credentials of the account's root as nobody gives them, made with the server's own key."""
    now = int(time.time())
    facts: dict[str, Any] = {"kind": "SessionToken", "name": "", "issued_at": now, "expires_at": now + 900, **changes}
    key = new_key(home.id, home.id, f"arn:aws:iam::{home.id}:root", Session(**facts))
    token = SessionTokens(root_key(home.server).derive("session tokens")).issue(key)
    return {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret, "SessionToken": token}


def test_an_expired_session(home: Account) -> None:
    issuer = home.root.access_key_id
    home.using(forge(home, issuer_key_id=issuer)).get_caller_identity()
    refused_everywhere(home, forge(home, issuer_key_id=issuer, expires_at=int(time.time()) - 1), expired=True)


def test_the_token_of_another_server(home: Account) -> None:
    now = int(time.time())
    session = Session(kind="SessionToken", name="", issued_at=now, expires_at=now + 900)
    key = new_key(home.id, home.id, f"arn:aws:iam::{home.id}:root", session)
    token = SessionTokens(b"another server's root key, 32 by").issue(key)
    refused_everywhere(home, {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret, "SessionToken": token})


def test_a_presigned_proof_of_identity(home: Account) -> None:
    _, role, made = session_of(home)
    credentials = Credentials(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    url = f"{home.server.endpoint}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET", url, headers={"x-k8s-aws-id": "cluster"})
    SigV4QueryAuth(credentials, "sts", "us-east-1", 60).add_auth(request)
    sent = urllib.request.Request(request.url, headers={"x-k8s-aws-id": "cluster"})
    with urllib.request.urlopen(sent, timeout=20) as answer:
        assert f"{role['RoleId']}:s1".encode() in answer.read()
    other = session_of(home)[2]["SessionToken"]
    swapped = request.url.replace(quote(made["SessionToken"], safe=""), quote(other, safe=""))
    assert swapped != request.url
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(swapped, headers={"x-k8s-aws-id": "cluster"}), timeout=20)
    assert (caught.value.code, b"InvalidClientTokenId" in caught.value.read()) == (403, True)


@pytest.mark.parametrize("is_signed", [True, False])
def test_the_token_may_be_signed_or_not(home: Account, is_signed: bool) -> None:
    _, role, made = session_of(home)
    body = "Action=GetCallerIdentity&Version=2011-06-15"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", home.server.endpoint + "/", headers=headers, data=body)
    token = made["SessionToken"] if is_signed else None
    SigV4Auth(Credentials(made["AccessKeyId"], made["SecretAccessKey"], token), "sts", "us-east-1").add_auth(request)
    sent = dict(request.headers.items()) | {"X-Amz-Security-Token": made["SessionToken"]}
    with urllib.request.urlopen(urllib.request.Request(home.server.endpoint + "/", body.encode(), sent), timeout=20) as answer:
        assert role["RoleId"].encode() in answer.read()


# Registry tokens.


def docker(home: Account, credentials: Mapping[str, Any], region: str = "us-east-1") -> RegistryClient:
    """The registry of the account, logged in with the credentials' token as docker does it."""
    data = home.using(credentials, "ecr", region).get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    host = home.server.registry_host(home.id, region)
    return RegistryClient("127.0.0.1", home.server.port, password, host=host)


def test_docker_logs_in_and_pushes_with_a_roles_token(home: Account) -> None:
    words = "GetAuthorizationToken CreateRepository InitiateLayerUpload UploadLayerPart CompleteLayerUpload PutImage"
    actions = f"{words} BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer ListImages".split()
    _, _, credentials = session_of(home, allow(*(f"ecr:{action}" for action in actions)))
    name = fresh_name()
    home.using(credentials, "ecr").create_repository(repositoryName=name)
    image = builders.image()
    with docker(home, credentials) as registry:
        assert registry.request("GET", "/v2/").status == 200
        registry.push_image(name, image, "v1")
        assert registry.request("GET", f"/v2/{name}/tags/list").json()["tags"] == ["v1"]
        assert registry.request("DELETE", f"/v2/{name}/manifests/v1").status == 403


def test_session_policies_hold_on_the_data_plane(home: Account) -> None:
    user = home.user()
    role = home.role(trust(user.arn), ALLOW_ALL)
    name = fresh_name()
    home.server.client("ecr", key=home.root).create_repository(repositoryName=name)
    policy = json.dumps(allow("ecr:GetAuthorizationToken", "ecr:ListImages"))
    made = home.sts(user.key).assume_role(RoleArn=role["Arn"], RoleSessionName="s1", Policy=policy)["Credentials"]
    with docker(home, made) as registry:
        assert registry.request("GET", f"/v2/{name}/tags/list").status == 200
        answer = registry.request("POST", f"/v2/{name}/blobs/uploads/")
        assert (answer.status, answer.code) == (403, "DENIED")
        assert "because no session policy allows the ecr:InitiateLayerUpload action" in answer.message


def test_a_registry_token_has_its_twelve_hours_whatever_the_session_has(home: Account) -> None:
    made = forge(home, issuer_key_id=home.root.access_key_id, expires_at=int(time.time()) + 30)
    data = home.using(made, "ecr").get_authorization_token()["authorizationData"][0]
    assert 43_100 < data["expiresAt"].timestamp() - time.time() <= 43_201
    now = int(time.time())
    over = Session(kind="SessionToken", name="", issued_at=now - 900, expires_at=now - 1, issuer_key_id=home.root.access_key_id)
    root = f"arn:aws:iam::{home.id}:root"
    claims = TokenClaims("ASIAAAAAAAAAAAAAAAAA", home.id, home.id, root, "aws", "us-east-1", now + 60, over)
    password = RegistryTokens(root_key(home.server).derive("registry tokens")).issue(claims)
    with RegistryClient("127.0.0.1", home.server.port, password, host=home.server.registry_host(home.id)) as registry:
        assert registry.request("GET", "/v2/").status == 200


def test_a_registry_token_may_end_with_its_session(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(options=["--tokens-end-with-session"])
    made = server.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    data = client(server, made, "ecr").get_authorization_token()["authorizationData"][0]
    assert data["expiresAt"] == made["Expiration"]
    data = server.client().get_authorization_token()["authorizationData"][0]
    assert data["expiresAt"].timestamp() - time.time() > 43_100


def test_a_token_of_another_region(home: Account) -> None:
    _, _, credentials = session_of(home)
    with docker(home, credentials, "eu-west-1") as registry:
        registry.host = home.server.registry_host(home.id)
        assert registry.request("GET", "/v2/").status == 401


# How sessions and their tokens end.


def end_key(home: Account, user: User, role: dict[str, Any]) -> None:
    home.iam.delete_access_key(UserName=user.name, AccessKeyId=user.key.access_key_id)


def end_by_disabling(home: Account, user: User, role: dict[str, Any]) -> None:
    home.iam.update_access_key(UserName=user.name, AccessKeyId=user.key.access_key_id, Status="Inactive")


def end_role(home: Account, user: User, role: dict[str, Any]) -> None:
    home.iam.delete_role_policy(RoleName=role["RoleName"], PolicyName="p")
    home.iam.delete_role(RoleName=role["RoleName"])


def end_user(home: Account, user: User, role: dict[str, Any]) -> None:
    end_key(home, user, role)
    home.iam.delete_user(UserName=user.name)


@pytest.mark.parametrize("end", [end_key, end_by_disabling, end_role, end_user])
def test_threat_25_the_end_of_key_role_or_user_is_the_end_of_the_session(home: Account, end: Callable[..., None]) -> None:
    user, role, credentials = session_of(home)
    home.using(credentials, "ecr").describe_registry()
    with docker(home, credentials) as registry:
        assert registry.request("GET", "/v2/").status == 200
        end(home, user, role)
        refused_everywhere(home, credentials)
        assert registry.request("GET", "/v2/").status == 401
        assert registry.request("GET", f"/v2/{fresh_name()}/tags/list").status == 401


def test_threat_25_own_sessions_end_with_their_key(home: Account) -> None:
    user = home.user(ALLOW_ALL)
    own = home.sts(user.key).get_session_token()["Credentials"]
    federated = home.sts(user.key).get_federation_token(Name="ann", Policy=json.dumps(ALLOW_ALL))["Credentials"]
    by_own = home.role(trust(user.arn), ALLOW_ALL)
    chained = home.using(own).assume_role(RoleArn=by_own["Arn"], RoleSessionName="s1")["Credentials"]
    for credentials in (own, federated, chained):
        home.using(credentials, "ecr").describe_registry()
    end_by_disabling(home, user, {})
    for credentials in (own, federated, chained):
        refused_everywhere(home, credentials)
    home.iam.update_access_key(UserName=user.name, AccessKeyId=user.key.access_key_id, Status="Active")
    home.using(own).get_caller_identity()


def test_a_role_of_the_same_name_is_another_role(home: Account) -> None:
    user, role, credentials = session_of(home)
    end_role(home, user, role)
    made = home.iam.create_role(RoleName=role["RoleName"], AssumeRolePolicyDocument=json.dumps(trust(user.arn)))["Role"]
    assert made["Arn"] == role["Arn"]
    refused_everywhere(home, credentials)


def test_threat_23_no_secret_in_the_log(home: Account) -> None:
    since = home.server.log_size()
    user, role, credentials = session_of(home)
    home.using(credentials, "ecr").describe_registry()
    end_key(home, user, role)
    refused_everywhere(home, credentials)
    log = home.server.log[since:]
    for secret in (credentials["SecretAccessKey"], credentials["SessionToken"], user.key.secret):
        assert secret not in log
