"""PostgreSQL is restarted, is away, or hangs: what comes then is refused soon and in form, what comes afterwards is served."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from typing import Any

import psycopg
import pytest
from botocore.exceptions import ClientError

from moorage.testing.builders import image
from moorage.testing.registry_client import Answer, RegistryClient
from moorage.testing.server import MoorageServer
from moorage.testing.servers import MortalPostgres
from tests.conftest import fresh_name
from tests.integration.outages.conftest import BACK_SECONDS, TIMEOUT_SECONDS, until

CLIENTS = 8
SLACK_SECONDS = 1.5
"""What a machine under load adds."""


@pytest.fixture
def repository(server: MoorageServer) -> str:
    name = fresh_name("outage")
    server.client().create_repository(repositoryName=name)
    return name


@pytest.fixture
def clients(server: MoorageServer) -> Iterator[list[RegistryClient]]:
    password = server.password()
    made = [RegistryClient("127.0.0.1", server.port, password) for _ in range(CLIENTS)]
    yield made
    for each in made:
        each.close()


def status_of(server: MoorageServer, path: str, host: str = "") -> tuple[int, str]:
    """Status and body of a GET without a login."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", path, headers={"Host": host} if host else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def at_once(work: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(work, range(CLIENTS)))


def push(clients: list[RegistryClient], repository: str, number: int) -> None:
    clients[number].push_image(repository, image(number), f"t{number}")


def test_a_restart_costs_nobody_a_request(
    server: MoorageServer, database: MortalPostgres, repository: str, clients: list[RegistryClient]
) -> None:
    """All connections of the pool are dead, which nobody knows before one is used."""
    at_once(partial(push, clients, repository))  # so that there are as many as there can be
    database.stop()
    database.start()
    at_once(partial(push, clients, repository))
    server.client().describe_repositories()


def test_a_restart_under_load(
    server: MoorageServer, database: MortalPostgres, repository: str, clients: list[RegistryClient]
) -> None:
    """What was acknowledged is there; refused are at most those whose commit was under way when the database went."""
    stop, done, refused = threading.Event(), [], Counter[int]()

    def work(number: int) -> None:
        turn = 0
        while not stop.is_set():
            built = image(number * 1000 + turn, layers=1)
            answers: list[Answer] = []
            for name, data in built.blobs.items():
                path = f"/v2/{repository}/blobs/uploads/?digest={name}"
                answers.append(clients[number].request("POST", path, data))
            answers.append(clients[number].put_manifest(repository, f"w{number}-{turn}", built.manifest))
            if all(answer.status == 201 for answer in answers):
                done.append((built, f"w{number}-{turn}"))
            else:
                refused.update(answer.status for answer in answers if answer.status != 201)
            turn += 1

    with ThreadPoolExecutor(CLIENTS) as pool:
        working = [pool.submit(work, number) for number in range(CLIENTS)]
        until(lambda: len(done) > 2 * CLIENTS, 30)
        database.stop()
        database.start()
        before = len(done)
        until(lambda: len(done) > before + 4 * CLIENTS, 30)
        stop.set()
        for each in working:
            each.result()
    assert set(refused) <= {503, 400}, refused  # 400: the manifest of a blob that was refused
    assert refused[503] <= CLIENTS
    for built, tag in done:
        clients[0].require_image(repository, built, tag)


def test_a_standby_takes_its_place(server: MoorageServer, database: MortalPostgres, repository: str) -> None:
    """The name of the database leads to a server that only reads, until a failover is done."""
    only_reads = "ALTER DATABASE postgres SET default_transaction_read_only = on"
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = %s"
    ecr = server.client()
    with psycopg.connect(database.server.url("template1"), autocommit=True) as admin:
        admin.execute(only_reads)
        try:
            admin.execute(ended, ["client backend"])
            begun = time.monotonic()
            with pytest.raises(ClientError) as refused:
                ecr.create_repository(repositoryName=fresh_name("outage"))
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
            assert time.monotonic() - begun < TIMEOUT_SECONDS + SLACK_SECONDS
            assert ecr.describe_repositories(repositoryNames=[repository])["repositories"]
        finally:
            admin.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
    ecr.create_repository(repositoryName=fresh_name("outage"))  # by a connection that was opened before


@pytest.mark.parametrize("how", ["away", "hangs"])
def test_an_outage(
    server: MoorageServer, database: MortalPostgres, repository: str, clients: list[RegistryClient], how: str
) -> None:
    at_once(partial(push, clients, repository))
    ecr, iam, password = server.client(), server.client("iam"), server.password()
    if how == "away":
        database.stop()
    else:
        database.suspend()
    begun = time.monotonic()
    try:
        until(lambda: status_of(server, "/readyz")[0] == 503, 1 + 2 + SLACK_SECONDS)  # an answer counts for a second
        told = json.loads(status_of(server, "/readyz")[1])["database"]
        assert told in {"timed out", "does not answer as it should"}, "anybody may ask: no address, no user"
        for _ in range(3):  # long enough for waits that double to be long
            _require_refusals(server, repository, clients[0], password, ecr, iam)
    finally:
        if how == "away":
            database.start()
        else:
            database.resume()
    assert time.monotonic() - begun > 2 * TIMEOUT_SECONDS
    took = until(lambda: clients[1].head(f"/v2/{repository}/manifests/t1").status == 200, BACK_SECONDS)
    assert took < BACK_SECONDS
    until(lambda: status_of(server, "/readyz")[0] == 200, BACK_SECONDS)
    at_once(partial(push, clients, repository))


def _require_refusals(
    server: MoorageServer, repository: str, registry: RegistryClient, password: str, ecr: Any, iam: Any
) -> None:
    """Every plane says 503 in its own form within the time that the settings allow, however many ask."""
    most = TIMEOUT_SECONDS + SLACK_SECONDS

    def timed(call: Callable[[], Any]) -> Any:
        begun = time.monotonic()
        result = call()
        assert time.monotonic() - begun < most, call
        return result

    def pulled() -> Answer:
        with registry.other(password) as own:
            return own.get(f"/v2/{repository}/manifests/t1")

    def posted() -> Answer:
        with registry.other(password) as own:
            return own.request("POST", f"/v2/{repository}/blobs/uploads/?digest={image(99).config}", b"no")

    def asked(operation: Callable[..., Any], **parameters: Any) -> Any:
        with pytest.raises(ClientError) as caught:
            operation(**parameters)
        return caught.value.response

    def probed() -> tuple[int, str]:
        return status_of(server, "/readyz")

    calls = [pulled] * 16 + [posted] * 4
    with ThreadPoolExecutor(40) as pool:
        probes = [pool.submit(timed, probed) for _ in range(8)]
        answers = [pool.submit(timed, call) for call in calls]
        strange = pool.submit(timed, lambda: status_of(server, "/v2/", f"{'1' * 12}.dkr.ecr.eu-west-1.localhost:{server.port}"))
        described = pool.submit(timed, lambda: asked(ecr.describe_repositories))
        listed = pool.submit(timed, lambda: asked(iam.list_users))
        assert status_of(server, "/healthz")[0] == 200
        for probe in probes:
            status, body = probe.result()
            assert status == 503
            assert "database" in json.loads(body)
        for answer in answers:
            assert answer.result().status in {503, 400}  # 400: what its digest denies needs no database
            if answer.result().status == 503:
                assert int(answer.result().header("Retry-After")) > 0
                assert answer.result().code == "UNKNOWN"
        assert strange.result()[0] in {401, 503}
        for told, code in ((described.result(), "ServiceUnavailableException"), (listed.result(), "ServiceUnavailable")):
            assert told["Error"]["Code"] == code
            assert told["ResponseMetadata"]["HTTPStatusCode"] == 503
            assert int(told["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) > 0
