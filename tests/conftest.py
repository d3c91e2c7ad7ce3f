"""Real servers for all tests: one for each stack and session, isolation by fresh repositories and accounts."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage.testing import servers
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests import answers, clients

STACKS = ("sqlite+local", "postgres+s3")


class Pool:
    """What is started once in a session (with xdist: in each worker), when first asked for, and ended with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = contextlib.ExitStack()
        self._made: dict[str, Any] = {}
        self._count = itertools.count()

    def get(self, name: str, make: Callable[[], Any]) -> Any:
        """The thing of that name, made by entering `make`'s context manager if it is not there yet."""
        if name not in self._made:
            self._made[name] = self._stack.enter_context(make())
        return self._made[name]

    def close(self) -> None:
        """End everything, last one first."""
        self._stack.close()

    def new_server(self, stack: str, **settings: Any) -> MoorageServer:
        """A server on fresh storage of a stack, not yet started."""
        data = self.folder / f"server-{next(self._count)}"
        if stack == "sqlite+local":
            return MoorageServer(data, **settings)
        postgres, s3 = self.get("postgres", servers.run_postgres), self.get("s3", servers.run_s3)
        database = self._stack.enter_context(postgres.database())
        settings["environment"] = {**s3.environment, **settings.get("environment", {})}
        return MoorageServer(data, database_url=database, blob_store_url=s3.url(f"blobs-{next(self._count)}"), **settings)


def pytest_configure() -> None:
    """Hold every answer to boto3 against the service models."""
    answers.watch()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of clients that this machine does not have; in CI that is an error."""
    missing = clients.missing()
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in missing)]
    if left_out and os.environ.get("CI"):
        raise pytest.UsageError(f"clients are missing: {', '.join(sorted(missing))} (python tests/install_clients.py)")
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_report_header() -> str | None:
    """Say which clients are not there."""
    missing = clients.missing()
    return f"left out, because the client is not installed: {', '.join(sorted(missing))}" if missing else None


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    made = Pool(tmp_path_factory.mktemp("servers"))
    yield made
    made.close()


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(pool: Pool, stack: str) -> Iterator[MoorageServer]:
    """The session's server of the stack; a test that makes it log a traceback fails."""
    shared: MoorageServer = pool.get(f"moorage {stack}", lambda: pool.new_server(stack))
    since = shared.log_size()
    yield shared
    shared.require_clean_log(since)


@pytest.fixture
def make_server(pool: Pool, stack: str) -> Iterator[Callable[..., MoorageServer]]:
    """Starts servers of the test's own: to be configured, killed, filled."""
    with contextlib.ExitStack() as running:

        def make(**settings: Any) -> MoorageServer:
            started = pool.new_server(stack, **settings)
            running.enter_context(started)
            running.callback(started.require_clean_log)
            return started

        yield make


@pytest.fixture
def own_server(make_server: Callable[..., MoorageServer]) -> MoorageServer:
    """A server of the test's own."""
    return make_server()


_names = itertools.count()


def fresh_name(prefix: str = "repo") -> str:
    """A repository name that no other test uses."""
    return f"{prefix}-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}-{next(_names)}"


@pytest.fixture
def ecr(server: MoorageServer) -> Any:
    """boto3 as root of the default account."""
    return server.client()


@pytest.fixture
def repository(ecr: Any) -> str:
    """A fresh repository of the default account."""
    name = fresh_name()
    ecr.create_repository(repositoryName=name)
    return name


@pytest.fixture
def second_repository(ecr: Any) -> str:
    """Another one."""
    name = fresh_name("second")
    ecr.create_repository(repositoryName=name)
    return name


@pytest.fixture
def registry(server: MoorageServer) -> Iterator[RegistryClient]:
    """A logged-in client of the default account's registry."""
    with server.registry() as client:
        yield client


@pytest.fixture
def account(server: MoorageServer) -> KeyPair:
    """A fresh account, empty."""
    return server.create_account("fresh")


@pytest.fixture
def stranger(pool: Pool, stack: str, server: MoorageServer) -> KeyPair:
    """Another account of the server, the same for all tests: for what it may not do."""
    found: KeyPair = pool.get(f"stranger {stack}", lambda: contextlib.nullcontext(server.create_account("stranger")))
    return found


@pytest.fixture
def postgres_url(pool: Pool) -> Iterator[str]:
    """A fresh database on the session's PostgreSQL."""
    with pool.get("postgres", servers.run_postgres).database() as url:
        yield url


@pytest.fixture
def s3_server(pool: Pool) -> servers.S3Server:
    """The session's S3 server."""
    found: servers.S3Server = pool.get("s3", servers.run_s3)
    return found


@pytest.fixture
def postgres_server(pool: Pool) -> servers.PostgresServer:
    """The session's PostgreSQL."""
    found: servers.PostgresServer = pool.get("postgres", servers.run_postgres)
    return found
