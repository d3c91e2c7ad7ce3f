"""Fixtures for those who test against a registry: in a conftest, or by ``pytest -p moorage.testing.pytest_plugin``.

A server of the session keeps everything in memory and is reset before each test that asks for it::

    pytest_plugins = ["moorage.testing.pytest_plugin"]

    def test_push(moorage):
        moorage.client("ecr").create_repository(repositoryName="app")
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest

from moorage.testing.server import MoorageServer


class EphemeralServer(MoorageServer):
    """A `MoorageServer` that keeps nothing. It has `client`, `registry`, `endpoint`, `host` and `root`, and `reset`."""

    def reset(self) -> None:
        """Forget everything that was made since the start; the seed is there again."""
        self.close_clients()
        with urlopen(Request(f"{self.endpoint}/_moorage/reset", method="POST"), timeout=30) as answer:  # noqa: S310  # our own
            answer.read()


@pytest.fixture(scope="session")
def moorage_options() -> list[str]:
    """Further options of the server, such as ``--seed FILE`` or ``--authentication off``: override it."""
    return []


@pytest.fixture(scope="session")
def moorage_session(tmp_path_factory: pytest.TempPathFactory, moorage_options: list[str]) -> Iterator[EphemeralServer]:
    """The server of the session, as the tests left it."""
    folder = tmp_path_factory.mktemp("moorage")
    with EphemeralServer(folder / "unused", options=["--ephemeral", *moorage_options]) as server:
        yield server


@pytest.fixture
def moorage(moorage_session: EphemeralServer) -> EphemeralServer:
    """A server with nothing in it but its seed."""
    moorage_session.reset()
    return moorage_session
