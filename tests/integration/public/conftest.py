"""A server whose public registries may be pulled from as often as tests like."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import Pool, fresh_name

UNLIMITED = ("--public-anonymous-pulls-per-second", "0")


@pytest.fixture
def server(pool: Pool, stack: str) -> Iterator[MoorageServer]:
    """The session's server of the stack for these tests; a test that makes it log a traceback fails."""
    shared: MoorageServer = pool.get(f"public {stack}", lambda: pool.new_server(stack, options=UNLIMITED))
    since = shared.log_size()
    yield shared
    shared.require_clean_log(since)


@pytest.fixture
def stranger(pool: Pool, stack: str, server: MoorageServer) -> KeyPair:
    """Another account of that server, the same for all tests: for what it may not do."""
    found: KeyPair = pool.get(f"public stranger {stack}", lambda: contextlib.nullcontext(server.create_account("stranger")))
    return found


@pytest.fixture
def public(server: MoorageServer) -> Any:
    """boto3 for ECR Public, as root of the default account."""
    return server.client("ecr-public")


@pytest.fixture
def alias(public: Any) -> str:
    """The default alias of the default account's public registry."""
    found = public.describe_registries()["registries"][0]["aliases"]
    return str(next(entry["name"] for entry in found if entry["defaultRegistryAlias"]))


@pytest.fixture
def repository(public: Any) -> str:
    """A fresh public repository of the default account."""
    name = fresh_name("public")
    public.create_repository(repositoryName=name)
    return name


@pytest.fixture
def path(alias: str, repository: str) -> str:
    """Where it is on the host of the public registries."""
    return f"{alias}/{repository}"


@pytest.fixture
def publisher(server: MoorageServer) -> Iterator[RegistryClient]:
    """The default account's root, logged in at the public registries."""
    with server.public_registry() as client:
        yield client


@pytest.fixture
def anybody(server: MoorageServer) -> Iterator[RegistryClient]:
    """Nobody in particular, with the token that everybody is given."""
    with server.public_registry(anonymous=True) as client:
        yield client
