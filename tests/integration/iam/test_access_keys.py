"""Access keys: two per principal, by name or one's own."""

from __future__ import annotations

from typing import Any

from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.aws.errors import refused


def test_life_of_a_key(iam: Any, user: str) -> None:
    made = iam.create_access_key(UserName=user)["AccessKey"]
    assert (made["UserName"], made["Status"], len(made["AccessKeyId"]), len(made["SecretAccessKey"])) == (user, "Active", 20, 40)
    (listed,) = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    assert listed == {name: made[name] for name in ("UserName", "AccessKeyId", "Status", "CreateDate")}
    iam.update_access_key(UserName=user, AccessKeyId=made["AccessKeyId"], Status="Inactive")
    assert iam.list_access_keys(UserName=user)["AccessKeyMetadata"][0]["Status"] == "Inactive"
    used = iam.get_access_key_last_used(AccessKeyId=made["AccessKeyId"])
    assert used["UserName"] == user
    assert used["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    iam.delete_access_key(UserName=user, AccessKeyId=made["AccessKeyId"])
    assert iam.list_access_keys(UserName=user)["AccessKeyMetadata"] == []


def test_two_are_enough(iam: Any, user: str) -> None:
    keys = [iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"] for _ in range(2)]
    with refused("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", 409):
        iam.create_access_key(UserName=user)
    pages = list(iam.get_paginator("list_access_keys").paginate(UserName=user, PaginationConfig={"PageSize": 1}))
    assert [page["AccessKeyMetadata"][0]["AccessKeyId"] for page in pages] == keys


def test_a_key_belongs_to_one_user(iam: Any, own: Any, user: str) -> None:
    other = fresh_name("other")
    iam.create_user(UserName=other)
    own.create_user(UserName=other)
    key = iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    text = f"The Access Key with id {key} cannot be found"
    for client in (iam, own):
        with refused("NoSuchEntity", text, 404):
            client.update_access_key(UserName=other, AccessKeyId=key, Status="Inactive")
        with refused("NoSuchEntity", text, 404):
            client.delete_access_key(UserName=other, AccessKeyId=key)
    for client, name in ((own, key), (iam, "AKIAUNKNOWNUNKNOWN00")):
        with refused("NoSuchEntity", f"The Access Key with id {name} cannot be found", 404):
            client.get_access_key_last_used(AccessKeyId=name)


def test_status_must_be_one(iam: Any, user: str) -> None:
    key = iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"]
    with refused("ValidationError"):
        iam.update_access_key(UserName=user, AccessKeyId=key, Status="Sleeping")
    with refused("InvalidInput", "The status of an access key is Active or Inactive"):
        iam.update_access_key(UserName=user, AccessKeyId=key, Status="Expired")


def test_keys_of_the_root(server: MoorageServer, account: KeyPair, own: Any) -> None:
    made = own.create_access_key()["AccessKey"]
    assert "UserName" not in made
    second = server.client("sts", key=KeyPair(account.account_id, made["AccessKeyId"], made["SecretAccessKey"]))
    assert second.get_caller_identity()["Arn"] == f"arn:aws:iam::{account.account_id}:root"
    assert [key["AccessKeyId"] for key in own.list_access_keys()["AccessKeyMetadata"]] == [
        account.access_key_id,
        made["AccessKeyId"],
    ]
    with refused("LimitExceeded", status=409):
        own.create_access_key()
    own.update_access_key(AccessKeyId=made["AccessKeyId"], Status="Inactive")
    with refused("InvalidClientTokenId", status=403):
        second.get_caller_identity()
    own.update_access_key(AccessKeyId=made["AccessKeyId"], Status="Active")
    assert second.get_caller_identity()["Account"] == account.account_id
    own.delete_access_key(AccessKeyId=made["AccessKeyId"])
    with refused("InvalidClientTokenId", status=403):
        second.get_caller_identity()
