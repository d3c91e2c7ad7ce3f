"""Policies made to take long: patterns, depth, size. Whatever the kind, refusing and deciding stay quick."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import Person, allow, document, grant, repository_arn
from tests.integration.sts.conftest import client as client_for

SECONDS = 10.0
"""Far above what any of it takes (milliseconds), far below what a pattern that backtracks would."""
LONG_NAME = "a" * 200


@contextmanager
def soon() -> Iterator[None]:
    """The block is done in bounded time."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < SECONDS


PATTERNS = ["a*" * 60 + "b", "*a" * 60 + "*b", "?*" * 60 + "b", "*" * 200 + "b", "*?" * 100 + "b", "a" + "*a" * 90 + "!"]


@pytest.fixture
def root(server: MoorageServer, account: KeyPair) -> Any:
    return server.client("iam", key=account)


@pytest.fixture
def repository(server: MoorageServer, account: KeyPair) -> str:
    name = f"{LONG_NAME}{fresh_name('x')}"
    server.client(key=account).create_repository(repositoryName=name)
    return name


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_that_backtrack(server: MoorageServer, account: KeyPair, root: Any, repository: str, pattern: str) -> None:
    """In actions, resources and conditions of policies of every kind."""
    ecr = server.client(key=account)
    long_value = {"StringLike": {"aws:UserAgent": pattern, "aws:PrincipalArn": pattern, "aws:userid": pattern}}
    arn_like = {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::*:user/{pattern}"}}
    person = Person(server, account)
    with soon():
        person.may(
            allow(f"ecr:{pattern.replace('!', '')}"),
            allow("ecr:*", resource=repository_arn(account, pattern)),
            allow("ecr:*", Condition={**long_value, **arn_like}),
        )
        ecr.set_repository_policy(
            repositoryName=repository, policyText=document(grant("*", "ecr:*", Condition={**long_value, **arn_like}))
        )
        ecr.put_registry_policy(policyText=document(grant("*", "ecr:*", Resource=repository_arn(account, pattern))))
        everything = document(allow("*", resource=repository_arn(account, pattern), Condition=long_value))
        limit = root.create_policy(PolicyName=fresh_name("limit"), PolicyDocument=everything)["Policy"]["Arn"]
        root.put_user_permissions_boundary(UserName=person.name, PermissionsBoundary=limit)
        named = {"StringLike": {"sts:RoleSessionName": pattern, "sts:ExternalId": pattern}}
        trust = document(grant({"AWS": person.arn}, "sts:AssumeRole", Condition=named))
        role = root.create_role(RoleName=fresh_name("role"), AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        sts = server.client("sts", key=person.key)
        with pytest.raises(ClientError):
            sts.assume_role(RoleArn=role, RoleSessionName="a" * 64, ExternalId="a" * 1200)
        session = server.client("sts", key=account).get_federation_token(Name="fred", Policy=everything)["Credentials"]
        with pytest.raises(ClientError):
            client_for(server, session, "ecr").list_images(repositoryName=repository)
        for _ in range(5):
            with pytest.raises(person.ecr.exceptions.ClientError):
                person.ecr.list_images(repositoryName=repository)
        root.simulate_custom_policy(
            PolicyInputList=[document(allow("*", resource=repository_arn(account, pattern)))],
            ActionNames=["ecr:ListImages"],
            ResourceArns=[repository_arn(account, "a" * 1500)] * 20,
        )
    ecr.delete_registry_policy()


def _texts() -> dict[str, str]:
    deep = "[" * 60_000 + "]" * 60_000
    statement = allow("ecr:*")
    return {
        "depth": deep,
        "deep condition": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*","Condition":'
        + '{"a":' * 20_000
        + "1"
        + "}" * 20_000
        + "}]}",
        "many statements": json.dumps({"Version": "2012-10-17", "Statement": [statement] * 1700})[:131_072],
        "many keys": '{"Version":"2012-10-17","Statement":[{' + ",".join(f'"k{n}":1' for n in range(10_000)) + "}]}",
        "the same key": '{"Version":"2012-10-17",' + '"Statement":[],' * 8_000 + '"Id":"x"}',
        "a long number": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*","Condition":'
        + '{"NumericEquals":{"aws:EpochTime":'
        + "9" * 100_000
        + "}}}]}",
        "a long string": json.dumps({"Version": "2012-10-17", "Id": "x" * 130_000, "Statement": []}),
        "escapes": '{"Version":"2012-10-17","Id":"' + "\\u0061" * 20_000 + '","Statement":[]}',
        "surrogates": '{"Version":"2012-10-17","Id":"' + "\\ud800" * 10_000 + '","Statement":[]}',
        "variables": document(allow("ecr:*", resource="arn:aws:ecr:*:*:repository/" + "${aws:username}" * 8_000)),
        "open variables": document(allow("ecr:*", resource="arn:aws:ecr:*:*:repository/" + "${" * 60_000)),
        "white space": '{"Version":"2012-10-17",' + " " * 130_000 + '"Statement":[]}',
        "nothing": "",
        "zero bytes": "\0" * 1000,
    }


@pytest.mark.parametrize("name", list(_texts()))
def test_documents_that_are_too_much(server: MoorageServer, account: KeyPair, root: Any, repository: str, name: str) -> None:
    """They are refused, or taken and decided, in no time; and never by a fault of the server."""
    text = _texts()[name]
    ecr, person = server.client(key=account), Person(server, account, allow("sts:GetFederationToken"))
    trust = document({"Effect": "Allow", "Principal": {"AWS": account.account_id}, "Action": "sts:AssumeRole"})
    role = fresh_name("role")
    root.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    ways: list[Callable[[], Any]] = [
        lambda: root.put_user_policy(UserName=person.name, PolicyName="bomb", PolicyDocument=text),
        lambda: root.create_policy(PolicyName=fresh_name("bomb"), PolicyDocument=text),
        lambda: root.update_assume_role_policy(RoleName=role, PolicyDocument=text),
        lambda: ecr.set_repository_policy(repositoryName=repository, policyText=text),
        lambda: ecr.put_registry_policy(policyText=text),
        lambda: server.client("sts", key=person.key).get_federation_token(Name="fred", Policy=text or "{"),
        lambda: root.simulate_custom_policy(PolicyInputList=[text], ActionNames=["ecr:PutImage"]),
        lambda: root.simulate_custom_policy(
            PolicyInputList=[trust], ActionNames=["ecr:PutImage"], ResourcePolicy=text, CallerArn=person.arn
        ),
        lambda: root.get_context_keys_for_custom_policy(PolicyInputList=[text]),
    ]
    for number, way in enumerate(ways):
        with soon():
            try:
                way()
            except ParamValidationError:
                pass  # boto3 itself does not send it
            except ClientError as error:
                assert 400 <= error.response["ResponseMetadata"]["HTTPStatusCode"] < 500, (name, number, error)
    with soon():
        server.client(key=account).describe_registry()


def test_many_policies_that_all_have_to_be_asked(server: MoorageServer, account: KeyPair, root: Any, repository: str) -> None:
    """Ten managed policies full of statements whose conditions fail: a refusal still comes at once."""
    person = Person(server, account)
    failing = {"StringLike": {"aws:UserAgent": "*a*a*a*a*b"}}
    statements = [allow("ecr:*", resource=repository_arn(account, f"a*{n}*"), Condition=failing) for n in range(30)]
    for _ in range(10):
        made = root.create_policy(PolicyName=fresh_name("many"), PolicyDocument=document(*statements))["Policy"]["Arn"]
        root.attach_user_policy(UserName=person.name, PolicyArn=made)
    with soon():
        for _ in range(20):
            with pytest.raises(person.ecr.exceptions.ClientError):
                person.ecr.list_images(repositoryName=repository)
