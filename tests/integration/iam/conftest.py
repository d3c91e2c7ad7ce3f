"""What every test of IAM works with."""

from __future__ import annotations

from typing import Any

import pytest

from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.iam.documents import TRUST


@pytest.fixture
def iam(server: MoorageServer) -> Any:
    """boto3 as root of the default account."""
    return server.client("iam")


@pytest.fixture
def own(server: MoorageServer, account: KeyPair) -> Any:
    """boto3 as root of a fresh account: for what is about all of an account."""
    return server.client("iam", key=account)


@pytest.fixture
def user(iam: Any) -> str:
    name = fresh_name("user")
    iam.create_user(UserName=name)
    return name


@pytest.fixture
def group(iam: Any) -> str:
    name = fresh_name("group")
    iam.create_group(GroupName=name)
    return name


@pytest.fixture
def role(iam: Any) -> str:
    name = fresh_name("role")
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    return name
