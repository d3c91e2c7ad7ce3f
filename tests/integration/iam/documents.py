"""Policy documents for tests."""

from __future__ import annotations

import json
from typing import Any

from moorage.testing.server import ROOT

ACCOUNT = ROOT.account_id
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"


def text(document: dict[str, Any]) -> str:
    """A document as it is sent."""
    return json.dumps(document)


def trusting(**principal: Any) -> dict[str, Any]:
    """A trust policy that lets `principal` assume the role."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }


def allowing(*actions: str, sid: str | None = None) -> dict[str, Any]:
    """An identity policy that allows actions on everything."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement | ({"Sid": sid} if sid else {})]}


def of_size(size: int) -> str:
    """An identity policy with so many characters that count, and white space that does not."""
    short = len("".join(json.dumps(allowing("ecr:A", sid="s")).split()))
    return json.dumps(allowing("ecr:A", sid="s" * (size - short + 1)), indent=4)


TRUST = text(trusting(Service="ecs-tasks.amazonaws.com"))
POLICY = text(allowing("ecr:GetAuthorizationToken"))


def arn(kind: str, name: str, account: str = ACCOUNT) -> str:
    """An ARN of the default account, or of another one."""
    return f"arn:aws:iam::{account}:{kind}/{name}"
