"""Roles of an account, and whoever has them."""

from __future__ import annotations

from typing import Any

from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import Person, document
from tests.integration.sts.conftest import client as client_for


class Roles:
    """An account's roles, made by its root."""

    def __init__(self, server: MoorageServer, account: KeyPair) -> None:
        self.server, self.account = server, account
        self.iam = server.client("iam", key=account)

    def make(self, trusted: Any, *statements: dict[str, Any], actions: Any = "sts:AssumeRole", **more: Any) -> str:
        """A role for `trusted`, and its ARN."""
        name = fresh_name("role")
        trust = {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": actions, **more}
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]
        if statements:
            self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
        return str(made["Arn"])

    def assume(self, source: Any, arn: str, **asked: Any) -> dict[str, Any]:
        """Credentials of a role; `source` is a client of STS."""
        given = {"RoleSessionName": "session", **asked}
        credentials: dict[str, Any] = source.assume_role(RoleArn=arn, **given)["Credentials"]
        return credentials

    def using(self, credentials: dict[str, Any], service: str = "ecr") -> Any:
        """A client for temporary credentials."""
        return client_for(self.server, credentials, service)


def sts_of(person: Person) -> Any:
    return person.server.client("sts", key=person.key)
