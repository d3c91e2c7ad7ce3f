"""A server of two processes: one registry to whoever talks to it, whichever answers."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import pytest

from moorage.testing import builders
from moorage.testing.server import MoorageServer
from tests.integration.server.serving import until


@pytest.fixture
def two(make_server: Callable[..., MoorageServer]) -> MoorageServer:
    """Two workers."""
    return make_server(options=["--workers", "2"])


def workers_of(server: MoorageServer) -> list[int]:
    """The processes below the supervising one."""
    return [int(pid) for pid in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]


def counted(server: MoorageServer, method: str, status: int) -> int:
    """How many requests to the registry the metrics tell of."""
    with urlopen(f"{server.endpoint}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.search(rf'moorage_http_requests_total{{method="{method}",plane="registry",status="{status}"}} ([0-9.]+)', text)
    return int(float(found[1])) if found else 0


def pull(server: MoorageServer, times: int) -> None:
    """As many pulls, each over a connection of its own."""
    with server.registry() as first:
        password = first.password
    for _ in range(times):
        with server.registry() as client:
            client.password = password
            assert client.get("/v2/app/manifests/v1").status == 200


def test_metrics_are_those_of_the_server(two: MoorageServer) -> None:
    two.client().create_repository(repositoryName="app")
    with two.registry() as client:
        client.push_image("app", builders.image(1), "v1")
    pull(two, 20)
    until(lambda: counted(two, "GET", 200) == 20)
    first, second = workers_of(two)
    os.kill(first, signal.SIGTERM)
    until(lambda: len(workers_of(two)) == 2 and first not in workers_of(two))
    assert second in workers_of(two)
    until(lambda: all(counted(two, "GET", 200) == 20 for _ in range(5)))  # whoever answers: nothing is forgotten
    pull(two, 5)
    until(lambda: all(counted(two, "GET", 200) == 25 for _ in range(5)))


def test_a_worker_that_is_killed_is_replaced(two: MoorageServer) -> None:
    two.client().create_repository(repositoryName="app")
    with two.registry() as client:
        client.push_image("app", builders.image(1), "v1")
    for victim in workers_of(two):
        os.kill(victim, signal.SIGKILL)
        until(lambda victim=victim: len(workers_of(two)) == 2 and victim not in workers_of(two))  # type: ignore[misc]  # bound now
    pull(two, 5)


def test_what_one_worker_wrote_the_other_knows(two: MoorageServer) -> None:
    iam = two.client("iam")
    iam.create_user(UserName="bob")
    for number in range(10):
        two.client().create_repository(repositoryName=f"r{number}")
        with two.registry() as client:
            client.push_image(f"r{number}", builders.image(number), "v1")
        with two.registry() as client:
            client.require_image(f"r{number}", builders.image(number), "v1")
