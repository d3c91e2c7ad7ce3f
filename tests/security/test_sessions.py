"""Sessions against what went wrong elsewhere: a token taken for a permission, scopes that one route forgot."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.builders import BuiltImage
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.sts.conftest import allow, client, trust

LOGIN = "ecr:GetAuthorizationToken"
NEEDS = {
    ("GET", "tags/list"): "ecr:ListImages",
    ("GET", "manifests/v1"): "ecr:BatchGetImage",
    ("HEAD", "manifests/v1"): "ecr:BatchGetImage",
    ("DELETE", "manifests/v1"): "ecr:BatchDeleteImage",
    ("POST", "blobs/uploads/"): "ecr:InitiateLayerUpload",
    ("GET", "blobs/{layer}"): "ecr:GetDownloadUrlForLayer",
    ("PUT", "manifests/v2"): "ecr:PutImage",
}
"""Routes of a repository and the action that each needs."""


class Owner:
    """An account with an image, a user and a role that may do everything to it."""

    def __init__(self, server: MoorageServer) -> None:
        self.server, self.root = server, server.create_account("sessions")
        iam = server.client("iam", key=self.root)
        name = fresh_name("user")
        user = iam.create_user(UserName=name)["User"]
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self.key = KeyPair(self.root.account_id, key["AccessKeyId"], key["SecretAccessKey"])
        role = iam.create_role(RoleName=fresh_name("role"), AssumeRolePolicyDocument=json.dumps(trust(user["Arn"])))["Role"]
        iam.put_role_policy(RoleName=role["RoleName"], PolicyName="p", PolicyDocument=json.dumps(allow("ecr:*")))
        self.role: str = role["Arn"]
        self.repository, self.image = fresh_name(), builders.image(seed=40)
        server.client(key=self.root).create_repository(repositoryName=self.repository)
        with server.registry(key=self.root) as registry:
            registry.push_image(self.repository, self.image, "v1")

    def session(self, *actions: str) -> dict[str, Any]:
        """Credentials of the role that a session policy limits to these actions."""
        sts = client(self.server, {"AccessKeyId": self.key.access_key_id, "SecretAccessKey": self.key.secret})
        policy = json.dumps(allow(*actions))
        made: dict[str, Any] = sts.assume_role(RoleArn=self.role, RoleSessionName="s1", Policy=policy)["Credentials"]
        return made

    def registry(self, *actions: str) -> RegistryClient:
        """The account's registry, for such a session."""
        data = client(self.server, self.session(LOGIN, *actions), "ecr").get_authorization_token()["authorizationData"][0]
        password = base64.b64decode(data["authorizationToken"]).decode().partition(":")[2]
        return RegistryClient("127.0.0.1", self.server.port, password, host=self.server.registry_host(self.root.account_id))


@pytest.fixture
def owner(server: MoorageServer) -> Iterator[Owner]:
    yield Owner(server)


def ask(registry: RegistryClient, owner: Owner, method: str, rest: str, image: BuiltImage) -> int:
    path = f"/v2/{owner.repository}/{rest.format(layer=image.layers[0])}"
    body = image.manifest if method == "PUT" else None
    return registry.request(method, path, body, headers={"Content-Type": image.media_type} if body else {}).status


def test_threat_40_a_session_policy_holds_on_every_route(owner: Owner) -> None:
    for action in sorted(set(NEEDS.values()) - {"ecr:BatchDeleteImage"}):
        with owner.registry(action) as registry:
            for (method, rest), needed in NEEDS.items():
                status = ask(registry, owner, method, rest, owner.image)
                assert (status == 403) is (needed != action), (action, method, rest, status)


def test_threat_47_a_token_by_itself_allows_nothing(owner: Owner) -> None:
    with owner.registry() as registry:
        assert registry.request("GET", "/v2/").status == 200
        for method, rest in NEEDS:
            assert ask(registry, owner, method, rest, owner.image) == 403


def test_threat_15_a_session_reaches_no_other_account(owner: Owner, server: MoorageServer) -> None:
    other = Owner(server)
    with owner.registry("ecr:*") as registry:
        registry.host = server.registry_host(other.root.account_id)
        for method, rest in NEEDS:
            path = f"/v2/{other.repository}/{rest.format(layer=other.image.layers[0])}"
            assert registry.request(method, path).status == 403
