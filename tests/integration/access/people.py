"""Users, roles and policies for tests of access: made through the APIs, as their users would."""

from __future__ import annotations

import itertools
import json
import os
from typing import Any

from moorage.testing.server import KeyPair, MoorageServer

PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
PUSH = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
)
LOGIN = "ecr:GetAuthorizationToken"
_numbers = itertools.count()


def fresh(prefix: str) -> str:
    """A name of IAM that no other test uses."""
    return f"{prefix}-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}-{next(_numbers)}"


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> str:
    """A policy's text."""
    return json.dumps({"Version": version, "Statement": list(statements)})


def allow(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """An Allow of an identity policy."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """A Deny of an identity policy."""
    return {"Effect": "Deny", "Action": list(actions), "Resource": resource, **more}


def grant(principal: Any, *actions: str, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """A statement of a repository's policy."""
    return {"Effect": effect, "Principal": principal, "Action": list(actions), **more}


class Person:
    """A user with a key of its own."""

    def __init__(self, server: MoorageServer, account: KeyPair, *statements: dict[str, Any]) -> None:
        self.server, self.account = server, account
        self.iam = server.client("iam", key=account)
        self.name = fresh("user")
        made = self.iam.create_user(UserName=self.name)["User"]
        self.arn, self.id = made["Arn"], made["UserId"]
        key = self.iam.create_access_key(UserName=self.name)["AccessKey"]
        self.key = KeyPair(account.account_id, key["AccessKeyId"], key["SecretAccessKey"])
        if statements:
            self.may(*statements)

    def may(self, *statements: dict[str, Any], name: str = "own") -> None:
        """Replace an inline policy."""
        self.iam.put_user_policy(UserName=self.name, PolicyName=name, PolicyDocument=document(*statements))

    @property
    def ecr(self) -> Any:
        """boto3 with the user's key."""
        return self.server.client(key=self.key)


def repository_arn(account: KeyPair, name: str) -> str:
    """Of the usual region."""
    return f"arn:aws:ecr:us-east-1:{account.account_id}:repository/{name}"


def denied(arn: str, action: str, resource: str, reason: str) -> str:
    """The text of a denial."""
    return f"User: {arn} is not authorized to perform: {action} on resource: {resource} {reason}"
