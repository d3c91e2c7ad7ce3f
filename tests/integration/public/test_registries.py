"""DescribeRegistries, the registry's catalog data, GetAuthorizationToken, and the operator's ``moorage public``."""

from __future__ import annotations

import base64
import re
import time
from typing import Any

import pytest

from moorage.testing.server import KeyPair, MoorageServer
from tests.integration.access.people import Person, allow, denied
from tests.integration.aws.errors import parameter, refused

TOKEN, BEARER = "ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"


def registry_of(client: Any) -> dict[str, Any]:
    (found,) = client.describe_registries()["registries"]
    return dict(found)


def test_a_registry_is_made_on_first_use(server: MoorageServer, account: KeyPair) -> None:
    client = server.client("ecr-public", key=account)
    found = registry_of(client)
    (alias,) = found["aliases"]
    assert re.fullmatch("[a-z][0-9a-z]{7}", alias["name"])
    assert alias == {"name": alias["name"], "status": "ACTIVE", "primaryRegistryAlias": True, "defaultRegistryAlias": True}
    assert found == {
        "registryId": account.account_id,
        "registryArn": f"arn:aws:ecr-public::{account.account_id}:registry/{account.account_id}",
        "registryUri": f"127.63.0.1:{server.port}/{alias['name']}",
        "verified": False,
        "aliases": [alias],
    }
    assert registry_of(client) == found
    assert registry_of(server.client("ecr-public", key=account, region="us-west-2")) == found


def test_there_is_no_second_page(public: Any) -> None:
    assert len(public.describe_registries(maxResults=1)["registries"]) == 1
    with refused("InvalidParameterException", parameter("nextToken", "Invalid token")):
        public.describe_registries(nextToken="x")


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-2"])
def test_only_in_its_regions(server: MoorageServer, region: str) -> None:
    client = server.client("ecr-public", region=region)
    message = f"ECR Public is not available in {region}: use us-east-1."
    for call in (client.describe_registries, client.describe_repositories, client.get_authorization_token):
        with refused("UnsupportedCommandException", message):
            call()


def test_display_name(server: MoorageServer, account: KeyPair) -> None:
    client = server.client("ecr-public", key=account)
    assert client.get_registry_catalog_data()["registryCatalogData"] == {}
    for name in ("Team A", "Équipe ⚓", ""):
        assert client.put_registry_catalog_data(displayName=name)["registryCatalogData"] == {"displayName": name}
        assert client.get_registry_catalog_data()["registryCatalogData"] == {"displayName": name}
    with refused("InvalidParameterException", parameter("displayName", "Member must have length less than or equal to 100")):
        client.put_registry_catalog_data(displayName="x" * 101)
    assert client.put_registry_catalog_data()["registryCatalogData"] == {}
    assert client.get_registry_catalog_data()["registryCatalogData"] == {}


def test_aliases_are_given_by_the_operator(server: MoorageServer, account: KeyPair, stranger: KeyPair) -> None:
    client = server.client("ecr-public", key=account)
    owner, name = account.account_id, f"team-{account.account_id[-6:]}"
    default = registry_of(client)["aliases"][0]["name"]
    server.run("public", "alias", owner, name)
    found = registry_of(client)
    assert [entry["name"] for entry in found["aliases"]] == [name, default]
    assert [entry["primaryRegistryAlias"] for entry in found["aliases"]] == [True, False]
    assert [entry["defaultRegistryAlias"] for entry in found["aliases"]] == [False, True]
    assert found["registryUri"].endswith(f"/{name}")
    for other, wrong in (
        (stranger.account_id, name),
        (owner, default),
        (owner, "Team"),
        (owner, "a"),
        (owner, "a--b"),
        ("1", "ok"),
    ):
        assert server.run("public", "alias", other, wrong, check=False).returncode == 254
    newer = f"{name}.x"
    server.run("public", "alias", owner, newer)
    assert [entry["name"] for entry in registry_of(client)["aliases"]] == [newer, name, default]
    for gone in (newer, name):
        server.run("public", "alias", owner, gone, "--remove")
    assert server.run("public", "alias", owner, default, "--remove", check=False).returncode == 254
    assert [entry["name"] for entry in registry_of(client)["aliases"]] == [default]


def test_accounts_are_verified_by_the_operator(server: MoorageServer, account: KeyPair) -> None:
    client = server.client("ecr-public", key=account)
    server.run("public", "verify", account.account_id)
    assert registry_of(client)["verified"] is True
    assert f"{account.account_id}  verified\n" in server.run("public", "list").stdout
    server.run("public", "verify", account.account_id, "--withdraw")
    assert registry_of(client)["verified"] is False
    assert server.run("public", "verify", "999999999999", check=False).returncode == 254


def test_token(server: MoorageServer, public: Any) -> None:
    data = public.get_authorization_token()["authorizationData"]
    assert set(data) == {"authorizationToken", "expiresAt"}
    assert 12 * 3600 - 60 < data["expiresAt"].timestamp() - time.time() <= 12 * 3600
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    with server.public_registry(anonymous=True) as registry:
        assert registry.request("GET", "/v2/", authorization=f"Bearer {password}").status == 200


def test_a_token_takes_two_permissions(server: MoorageServer, account: KeyPair) -> None:
    person = Person(server, account, allow(TOKEN))
    client = server.client("ecr-public", key=person.key)
    reason = "because no identity-based policy allows the {} action"
    with refused("AccessDeniedException", denied(person.arn, BEARER, "*", reason.format(BEARER))):
        client.get_authorization_token()
    person.may(allow(BEARER))
    with refused("AccessDeniedException", denied(person.arn, TOKEN, "*", reason.format(TOKEN))):
        client.get_authorization_token()
    only_for = {"StringEquals": {"sts:AWSServiceName": "ecr-public.amazonaws.com"}}
    person.may(allow(TOKEN), allow(BEARER, Condition=only_for))
    assert client.get_authorization_token()["authorizationData"]["authorizationToken"]


def test_operations_on_registries_are_about_their_arn(server: MoorageServer, account: KeyPair) -> None:
    person = Person(server, account)
    client = server.client("ecr-public", key=person.key)
    arn = f"arn:aws:ecr-public::{account.account_id}:registry/{account.account_id}"
    calls = {
        "DescribeRegistries": client.describe_registries,
        "GetRegistryCatalogData": client.get_registry_catalog_data,
        "PutRegistryCatalogData": client.put_registry_catalog_data,
    }
    for name, call in calls.items():
        action = f"ecr-public:{name}"
        with refused(
            "AccessDeniedException",
            denied(person.arn, action, arn, f"because no identity-based policy allows the {action} action"),
        ):
            call()
        person.may(allow(action, resource=arn))
        call()
    person.may(allow("ecr:*"))
    with refused("AccessDeniedException"):
        client.describe_registries()
