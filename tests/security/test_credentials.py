"""Credentials that should be worth nothing any more, or were put together of others': each test's name says what was tried."""

from __future__ import annotations

import json

import pytest

from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import Person, allow, deny, document
from tests.integration.aws.errors import refused
from tests.security.roles import Roles, sts_of


@pytest.mark.parametrize("ended", ["key deleted", "key disabled", "user deleted", "role deleted", "role made anew"])
def test_credentials_used_after_their_end(server: MoorageServer, account: KeyPair, roles: Roles, ended: str) -> None:
    """Keys, sessions and registry tokens: all of them end with what they stand on, at once."""
    ecr = server.client(key=account)
    repository = fresh_name("repo")
    ecr.create_repository(repositoryName=repository)
    person = Person(server, account, allow("*"))
    role = roles.make(person.arn, allow("*"))
    name = role.rpartition("/")[2]
    session, own = roles.assume(sts_of(person), role), sts_of(person).get_session_token()["Credentials"]
    keys = {"key": person.ecr, "session": roles.using(session), "own session": roles.using(own)}
    tokens = {}
    for kind, holder in keys.items():
        data = holder.get_authorization_token()["authorizationData"][0]
        tokens[kind] = data["authorizationToken"]
    for holder in keys.values():
        holder.list_images(repositoryName=repository)
    iam, key = roles.iam, person.key.access_key_id
    if ended == "key deleted":
        iam.delete_access_key(UserName=person.name, AccessKeyId=key)
        gone = {"key", "session", "own session"}
    elif ended == "key disabled":
        iam.update_access_key(UserName=person.name, AccessKeyId=key, Status="Inactive")
        gone = {"key", "session", "own session"}
    elif ended == "user deleted":
        iam.delete_user_policy(UserName=person.name, PolicyName="own")
        iam.delete_access_key(UserName=person.name, AccessKeyId=key)
        iam.delete_user(UserName=person.name)
        gone = {"key", "session", "own session"}
    else:
        trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        iam.delete_role_policy(RoleName=name, PolicyName="p")
        iam.delete_role(RoleName=name)
        if ended == "role made anew":
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow("*")))
        gone = {"session"}
    with server.registry(key=account) as client:
        for kind, holder in keys.items():
            answer = client.request("GET", f"/v2/{repository}/tags/list", authorization=f"Basic {tokens[kind]}")
            assert answer.status == (401 if kind in gone else 200), kind
            if kind in gone:
                with refused("UnrecognizedClientException"):
                    holder.list_images(repositoryName=repository)
            else:
                holder.list_images(repositoryName=repository)


def test_the_key_of_an_accounts_root_after_its_end(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    key = server.create_key(account.account_id)
    session = server.client("sts", key=key).get_session_token()["Credentials"]
    holders = [server.client(key=key), roles.using(session)]
    for holder in holders:
        holder.describe_registry()
    server.run("key", "delete", key.access_key_id)
    for holder in holders:
        with refused("UnrecognizedClientException"):
            holder.describe_registry()


def test_a_registry_token_that_forgets_the_limits_of_its_session(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    """What limits a session limits the token that it asks for: session policy, MFA, tags, federation."""
    ecr, repository = server.client(key=account), fresh_name("repo")
    ecr.create_repository(repositoryName=repository)
    person = Person(
        server, account, allow("ecr:*", "sts:*"), deny("ecr:PutImage*", Condition={"Null": {"aws:TokenIssueTime": "true"}})
    )
    limits = document(allow("ecr:GetAuthorizationToken"), allow("ecr:ListImages"))
    role = roles.make(person.arn, allow("ecr:*"))
    sts = sts_of(person)
    mfa = roles.make(person.arn, allow("ecr:*"), deny("ecr:StartImageScan", "ecr:InitiateLayerUpload", Condition={
        "BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}))  # fmt: skip
    for credentials in (
        roles.assume(sts, role, Policy=limits),
        sts.get_federation_token(Name="fred", Policy=limits)["Credentials"],
        roles.assume(sts, mfa),
    ):
        data = roles.using(credentials).get_authorization_token()["authorizationData"][0]
        with server.registry(key=account) as client:
            basic = f"Basic {data['authorizationToken']}"
            assert client.request("GET", f"/v2/{repository}/tags/list", authorization=basic).status == 200
            assert client.request("POST", f"/v2/{repository}/blobs/uploads/", b"", authorization=basic).status == 403


def test_the_token_of_one_session_with_the_key_of_another(server: MoorageServer, account: KeyPair, roles: Roles) -> None:
    person = Person(server, account)
    weak = roles.assume(sts_of(person), roles.make(person.arn))
    strong = roles.assume(sts_of(person), roles.make(person.arn, allow("*")))
    long_term = {"AccessKeyId": person.key.access_key_id, "SecretAccessKey": person.key.secret}
    for mixed in (
        {**weak, "SessionToken": strong["SessionToken"]},
        {**strong, "SessionToken": weak["SessionToken"]},
        {**long_term, "SessionToken": strong["SessionToken"]},
        {name: value for name, value in strong.items() if name != "SessionToken"},
        {**strong, "SessionToken": strong["SessionToken"][:-2]},
        {**strong, "SessionToken": strong["SessionToken"] + "AA"},
        {**strong, "SessionToken": ""},
    ):
        with pytest.raises(person.ecr.exceptions.ClientError) as caught:
            roles.using(mixed).create_repository(repositoryName=fresh_name("loot"))
        assert caught.value.response["Error"]["Code"] in {
            "UnrecognizedClientException",
            "AccessDeniedException",
            "InvalidSignatureException",
        }
