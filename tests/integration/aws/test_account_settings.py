"""GetAccountSetting, PutAccountSetting, and what BLOB_MOUNTING does on /v2/."""

from __future__ import annotations

from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import Person, allow
from tests.integration.aws.errors import each, refused
from tests.integration.aws.registries import registry_of

DEFAULTS = {"BASIC_SCAN_TYPE_VERSION": "AWS_NATIVE", "BLOB_MOUNTING": "ENABLED", "REGISTRY_POLICY_SCOPE": "V2"}


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_defaults(server: MoorageServer, account: KeyPair, name: str) -> None:
    theirs = server.client(key=account)
    told = theirs.get_account_setting(name=name)
    assert (told["name"], told["value"]) == (name, DEFAULTS[name])
    told = theirs.put_account_setting(name=name, value=DEFAULTS[name])
    assert (told["name"], told["value"]) == (name, DEFAULTS[name])


def test_what_there_is_not(ecr: Any) -> None:
    for call in each(
        lambda: ecr.get_account_setting(name="NOTHING"),
        lambda: ecr.put_account_setting(name="NOTHING", value="x"),
        lambda: ecr.put_account_setting(name="BASIC_SCAN_TYPE_VERSION", value="CLAIR"),
        lambda: ecr.put_account_setting(name="BLOB_MOUNTING", value="enabled"),
        lambda: ecr.put_account_setting(name="REGISTRY_POLICY_SCOPE", value="V3"),
    ):
        with refused("ValidationException", "Invalid value for account setting"):
            call()


def test_blobs_are_mounted_only_where_they_may_be(server: MoorageServer, account: KeyPair) -> None:
    theirs = server.client(key=account)
    source, target = fresh_name("source"), fresh_name("target")
    for name in (source, target):
        theirs.create_repository(repositoryName=name)
    with registry_of(server, account) as registry:
        data = b"a blob"
        digest = builders.digest(data)
        registry.push_blob(source, data, digest)
        path = f"/v2/{target}/blobs/uploads/?mount={digest}&from={source}"
        theirs.put_account_setting(name="BLOB_MOUNTING", value="DISABLED")
        assert registry.request("POST", path).status == 202
        theirs.put_account_setting(name="BLOB_MOUNTING", value="ENABLED")
        assert registry.request("POST", path).status == 201


def test_the_setting_is_a_condition_key(server: MoorageServer, account: KeyPair) -> None:
    condition = {"StringEquals": {"ecr:AccountSetting": "BLOB_MOUNTING"}}
    person = Person(server, account, allow("ecr:PutAccountSetting", "ecr:GetAccountSetting", Condition=condition))
    person.ecr.put_account_setting(name="BLOB_MOUNTING", value="DISABLED")
    assert person.ecr.get_account_setting(name="BLOB_MOUNTING")["value"] == "DISABLED"
    for name in ("REGISTRY_POLICY_SCOPE", "NOTHING"):
        with refused("AccessDeniedException"):
            person.ecr.get_account_setting(name=name)


def test_settings_are_of_a_region(server: MoorageServer, account: KeyPair, registry: RegistryClient) -> None:
    server.client(key=account).put_account_setting(name="BLOB_MOUNTING", value="DISABLED")
    elsewhere = server.client(key=account, region="eu-west-1")
    assert elsewhere.get_account_setting(name="BLOB_MOUNTING")["value"] == "ENABLED"
