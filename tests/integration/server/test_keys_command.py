"""``moorage key create``: for roots and for users, in every form of output, beside a running server."""

from __future__ import annotations

import json

import pytest

from moorage.testing.server import KeyPair, MoorageServer, make_client


@pytest.fixture(params=["sqlite+local"])
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def arn_of(server: MoorageServer, key: KeyPair) -> str:
    sts = make_client(server.endpoint, "sts", key)
    try:
        return str(sts.get_caller_identity()["Arn"])
    finally:
        sts.close()


def test_roots_and_users(server: MoorageServer, account: KeyPair) -> None:
    server.client("iam", key=account).create_user(UserName="robot")
    made = json.loads(server.run("key", "create", account.account_id, "--output", "json").stdout)
    assert (made["account"], made["user"]) == (account.account_id, None)
    assert arn_of(server, KeyPair(account.account_id, made["accessKeyId"], made["secretAccessKey"])) == (
        f"arn:aws:iam::{account.account_id}:root"
    )
    made = json.loads(server.run("key", "create", account.account_id, "--user", "robot", "--output", "json").stdout)
    assert arn_of(server, KeyPair(account.account_id, made["accessKeyId"], made["secretAccessKey"])) == (
        f"arn:aws:iam::{account.account_id}:user/robot"
    )
    text = server.run("key", "create", account.account_id, "--user", "robot").stdout
    assert text.startswith(f"# account {account.account_id} user robot\nexport AWS_ACCESS_KEY_ID=AKIA")
    refused = server.run("key", "create", account.account_id, "--user", "robot", check=False)
    assert (refused.returncode, refused.stderr) == (254, "moorage: Cannot exceed quota for AccessKeysPerUser: 2\n")
    table = server.run("account", "list", "--output", "table").stdout.splitlines()
    assert table[0].split() == ["account", "name", "key", "status"]
    assert any(line.split() == [account.account_id, "fresh", made["accessKeyId"], "Active"] for line in table)
    listed = json.loads(server.run("account", "list", "--output", "json").stdout)
    (mine,) = [each for each in listed if each["account"] == account.account_id]
    assert {"id": made["accessKeyId"], "status": "Active"} in mine["keys"]


def test_who_is_not_there(server: MoorageServer) -> None:
    for arguments, said in (
        (["999999999999"], "there is no account 999999999999: see moorage account list"),
        (["000000000000", "--user", "nobody"], "account 000000000000 has no user nobody"),
        (["999999999999", "--user", "nobody"], "account 999999999999 has no user nobody"),
    ):
        done = server.run("key", "create", *arguments, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (254, "", f"moorage: {said}\n")
