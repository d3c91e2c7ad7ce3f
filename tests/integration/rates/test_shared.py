"""One bucket for several workers and several nodes: together they let through what one would, and one alone has all of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from moorage.auth.rates import most_held
from moorage.metadata.transaction import ReadTransaction
from moorage.model.token_bucket import Rate
from moorage.operations.usage.request_counts import requests_counted
from moorage.server.installation import open_installation
from moorage.server.settings import load
from moorage.testing import builders
from moorage.testing.server import MoorageServer
from tests.conftest import Pool
from tests.integration.rates.counting import ACCOUNT, counted, flood
from tests.integration.server.serving import until

RATE = Rate(50, 100)
SECONDS = 4.0
PATH = "/v2/app/manifests/v1"
THROTTLING = {"MOORAGE_THROTTLING": "on", "MOORAGE_RATES": f"BatchGetImage={RATE.per_second}/{RATE.burst}"}


def with_image(server: MoorageServer) -> MoorageServer:
    """A server with something to pull."""
    server.client().create_repository(repositoryName="app")
    with server.registry() as registry:
        registry.push_image("app", builders.image(1), "v1")
    return server


def hold(servers: Sequence[MoorageServer]) -> int:
    """Pull from servers that share a bucket for a while; how many were let through, which is held to the rate."""
    statuses, seconds = flood(servers, PATH, SECONDS)
    assert statuses.keys() == {200, 429}, statuses
    admitted = statuses[200]
    assert admitted <= RATE.burst + RATE.per_second * seconds + 1, statuses
    return admitted


@pytest.fixture
def nodes(pool: Pool) -> Iterator[Callable[..., list[MoorageServer]]]:
    """Starts servers on one PostgreSQL and one S3, with one root key."""
    with contextlib.ExitStack() as running:

        def make(count: int, environment: dict[str, str]) -> list[MoorageServer]:
            first = pool.new_server("postgres+s3", environment=environment)
            running.enter_context(first)
            key = {"MOORAGE_ROOT_KEY_FILE": str(first.data / "root.key")}
            shared = {name: value for name, value in first.environment.items() if name.startswith(("AWS_", "MOORAGE_"))}
            folders = [first.data.with_name(f"{first.data.name}-{number}") for number in range(1, count)]
            others = [MoorageServer(folder, environment=shared | key | {"MOORAGE_DATA": str(folder)}) for folder in folders]
            for other in others:
                running.enter_context(other)
            for each in (first, *others):
                running.callback(each.require_clean_log)
            return [first, *others]

        yield make


def test_two_workers_on_sqlite(pool: Pool) -> None:
    with pool.new_server("sqlite+local", options=["--workers", "2"], environment=THROTTLING) as server:
        with_image(server)
        admitted = hold([server])
        assert admitted >= 0.8 * (RATE.burst + RATE.per_second * SECONDS)
        until(lambda: counted(server, "ecr:BatchGetImage") > admitted)
        until(lambda: counted(server, "ecr:BatchGetImage", throttled=True) > 0)
        server.require_clean_log()


def test_two_nodes_on_postgresql(nodes: Callable[..., list[MoorageServer]]) -> None:
    first, second = nodes(2, THROTTLING)
    with_image(first)
    assert hold([first, second]) >= 0.8 * (RATE.burst + RATE.per_second * SECONDS)


def test_the_whole_rate_for_the_only_busy_node(nodes: Callable[..., list[MoorageServer]]) -> None:
    first, idle = nodes(2, THROTTLING)
    with_image(first)
    with idle.registry() as registry:  # it holds a lease that it does not use
        assert registry.get(PATH).status == 200
    assert hold([first]) >= 0.8 * (RATE.burst + RATE.per_second * SECONDS) - most_held(RATE)


def test_a_node_that_is_killed_takes_one_lease_along(nodes: Callable[..., list[MoorageServer]]) -> None:
    rate = Rate(1, 200)
    first, second = nodes(2, {"MOORAGE_THROTTLING": "on", "MOORAGE_RATES": f"BatchGetImage={rate.per_second}/{rate.burst}"})
    with_image(first)
    with first.registry() as registry:
        for _ in range(40):
            assert registry.get(PATH).status == 200
    first.kill()
    admitted = 40
    with second.registry() as registry:
        while registry.get(PATH).status == 200:
            admitted += 1
    assert rate.burst - most_held(rate) <= admitted
    first.start()
    with first.registry() as registry:  # it comes back with nothing
        answers = [registry.get(PATH).status for _ in range(20)]
    assert answers.count(200) < 20


def test_anonymous_pulls_of_an_address(nodes: Callable[..., list[MoorageServer]]) -> None:
    burst = 30
    servers = nodes(2, {"MOORAGE_PUBLIC_ANONYMOUS_PULLS_PER_SECOND": "1", "MOORAGE_PUBLIC_ANONYMOUS_PULL_BURST": str(burst)})
    uri = servers[0].client("ecr-public").create_repository(repositoryName="app")["repository"]["repositoryUri"]
    path = f"/v2/{uri.partition('/')[2]}/manifests/v1"
    with servers[0].public_registry() as publisher:
        publisher.push_image(str(uri.partition("/")[2]), builders.image(1), "v1")
    with servers[0].public_registry(anonymous=True) as one, servers[1].public_registry(anonymous=True) as other:
        statuses = [client.get(path).status for _ in range(burst) for client in (one, other)]
    assert statuses[0] == 200
    assert burst - most_held(Rate(1, burst)) <= statuses.count(200) <= burst + 20
    assert set(statuses) == {200, 429}


def test_counts_are_written_down(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(environment={"MOORAGE_THROTTLING": "on", "MOORAGE_RATES": "ListImages=1/3"})
    ecr = server.client()
    ecr.create_repository(repositoryName="app")
    refused = 0
    for _ in range(12):
        try:
            ecr.list_images(repositoryName="app")
        except ecr.exceptions.ClientError:
            refused += 1
    assert refused
    server.restart()  # the last of them are written at the end
    assert written(server, "ecr:ListImages") == {(12, refused)}
    assert written(server, "ecr:CreateRepository") == {(1, 0)}
    try:
        server.client().list_images(repositoryName="app")
    except ecr.exceptions.ClientError:  # the bucket outlives the process
        refused += 1
    until(lambda: written(server, "ecr:ListImages") == {(13, refused)})  # the others within seconds


def written(server: MoorageServer, operation: str) -> set[tuple[int, int]]:
    """Requests and throttled requests that the database knows of, in periods of each length.

    One while nothing is written: three statements see three states where reads are READ COMMITTED.
    """

    def ask(tx: ReadTransaction) -> set[tuple[int, int]]:
        now = tx.now // 1_000_000
        found = set()
        for period in (60, 300, 3600):
            rows = requests_counted(tx, (ACCOUNT, "us-east-1", operation), period, now - 7200, now + 1)
            assert all(begin % period == 0 for begin, _, _ in rows)
            found.add((sum(calls for _, calls, _ in rows), sum(throttles for _, _, throttles in rows)))
        return found

    installation: Any = open_installation(load(None, server.environment, {}).settings, server.environment, may_create=False)
    try:
        found: set[tuple[int, int]] = installation.db.run_read(ask)
    finally:
        installation.close()
    return found
