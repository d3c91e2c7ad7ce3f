"""Accounts with users and roles, made through IAM, and clients for whoever holds credentials."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config

from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import Pool, fresh_name

ALLOW_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def allow(*actions: str, resource: str = "*", **conditions: Any) -> dict[str, Any]:
    """A policy with a single Allow."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    if conditions:
        statement["Condition"] = conditions
    return {"Version": "2012-10-17", "Statement": [statement]}


def trust(*principals: str, actions: tuple[str, ...] = ("sts:AssumeRole",), **conditions: Any) -> dict[str, Any]:
    """A trust policy for principals of AWS."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": list(actions)}
    if conditions:
        statement["Condition"] = conditions
    return {"Version": "2012-10-17", "Statement": [statement]}


@dataclass(frozen=True)
class User:
    """A user with a key."""

    name: str
    arn: str
    unique_id: str
    key: KeyPair


class Account:
    """An account of a server, and what its root does in it."""

    def __init__(self, server: MoorageServer, root: KeyPair) -> None:
        self.server, self.root, self.id = server, root, root.account_id
        self.iam = server.client("iam", key=root)

    def user(self, policy: Mapping[str, Any] | None = None) -> User:
        """A fresh user, with an inline policy."""
        name = fresh_name("user")
        made = self.iam.create_user(UserName=name)["User"]
        if policy is not None:
            self.iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return User(name, made["Arn"], made["UserId"], KeyPair(self.id, key["AccessKeyId"], key["SecretAccessKey"]))

    def role(self, trust_policy: Mapping[str, Any], policy: Mapping[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """A fresh role, with an inline policy."""
        name = fresh_name("role")
        made: dict[str, Any] = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust_policy), **options)[
            "Role"
        ]
        if policy is not None:
            self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        return made

    def sts(self, key: KeyPair) -> Any:
        """STS for the holder of a long-term key."""
        return client(self.server, {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret})

    def using(self, credentials: Mapping[str, Any], service: str = "sts", region: str = "us-east-1") -> Any:
        """A client for temporary credentials, as STS answers them."""
        return client(self.server, credentials, service, region)


def client(server: MoorageServer, credentials: Mapping[str, Any], service: str = "sts", region: str = "us-east-1") -> Any:
    """A client for credentials that leaves all checks to the server."""
    return boto3.client(
        service,
        endpoint_url=server.endpoint,
        region_name=region,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials.get("SessionToken"),
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )


def anonymous(server: MoorageServer) -> Any:
    """A client of STS that signs nothing."""
    from botocore import UNSIGNED

    config = Config(retries={"total_max_attempts": 1}, signature_version=UNSIGNED)
    return boto3.client("sts", endpoint_url=server.endpoint, region_name="us-east-1", config=config)


@pytest.fixture(scope="session")
def _accounts() -> dict[tuple[str, str], Account]:
    return {}


@pytest.fixture
def home(pool: Pool, stack: str, server: MoorageServer, _accounts: dict[tuple[str, str], Account]) -> Iterator[Account]:
    """An account for these tests, the same for all of them: names are fresh."""
    if (stack, "home") not in _accounts:
        _accounts[stack, "home"] = Account(server, server.create_account("sts-home"))
    yield _accounts[stack, "home"]


@pytest.fixture
def abroad(pool: Pool, stack: str, server: MoorageServer, _accounts: dict[tuple[str, str], Account]) -> Iterator[Account]:
    """Another one."""
    if (stack, "abroad") not in _accounts:
        _accounts[stack, "abroad"] = Account(server, server.create_account("sts-abroad"))
    yield _accounts[stack, "abroad"]
