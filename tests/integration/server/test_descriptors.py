"""No number of connections, regions or registries takes the descriptors that everything else needs."""

from __future__ import annotations

import contextlib
import http.client
import resource
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from moorage.metadata.registry import registries, repositories, seals
from moorage.metadata.transaction import Transaction
from moorage.model.names import parse_repository_name
from moorage.model.scope import Scope
from moorage.model.seal import SealKey
from moorage.server.installation import open_installation
from moorage.server.regions import known_regions
from moorage.server.settings import load
from moorage.testing.server import ROOT, MoorageServer
from tests.conftest import fresh_name

FILES = 256


def open_files(server: MoorageServer) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


@contextlib.contextmanager
def held(server: MoorageServer, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Connections of one address that say this much and then nothing."""
    sockets = []
    try:
        for _ in range(count):
            sockets.append(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            with contextlib.suppress(ConnectionError):  # others have its place already
                sockets[-1].sendall(sent)
        yield sockets
    finally:
        for each in sockets:
            each.close()


def ask(server: MoorageServer, path: str) -> int:
    """One request of somebody else, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20, source_address=("127.0.0.2", 0))
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /v2/ HTTP/1.1\r\nHost: a\r\nX: ", b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"],
    ids=["silent", "half a head", "idle"],
)
def test_thousands_of_connections_leave_room(make_server: Callable[..., MoorageServer], stack: str, sent: bytes) -> None:
    if stack != "sqlite+local" and sent:
        return  # what the connections say is no matter of the stack
    server = make_server(open_files=FILES)
    name = fresh_name()
    with held(server, 2000, sent):
        for _ in range(20):
            begun = time.monotonic()
            assert ask(server, "/readyz") == 200  # which reads the database and the store
            assert time.monotonic() - begun < 10
        assert open_files(server) < FILES * 3 // 4
        server.client().create_repository(repositoryName=name)
    assert "connections are open, as many as there may be" in server.log
    server.client().describe_repositories(repositoryNames=[name])


def test_descriptors_that_run_out_all_the_same_are_waited_for(make_server: Callable[..., MoorageServer], stack: str) -> None:
    if stack != "sqlite+local":
        return
    server = make_server()
    assert ask(server, "/readyz") == 200
    limit = open_files(server) + 12
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (limit, limit))
    with held(server, 100, b""):
        for _ in range(20):
            assert ask(server, "/healthz") == 200
    assert ask(server, "/readyz") == 200
    assert "no connection can be accepted (Too many open files)" in server.log


def test_who_may_ask_for_a_token_takes_no_descriptor(own_server: MoorageServer) -> None:
    own_server.client().get_authorization_token()
    before = open_files(own_server)
    for region in sorted(known_regions()):
        # From one client: each has connections of its own.
        token = own_server.client(region=region).get_authorization_token()["authorizationData"][0]
        here = region == "us-east-1"
        host = own_server.host if here else own_server.registry_host(ROOT.account_id, region)
        assert token["proxyEndpoint"] == f"http://{host}"
    own_server.close_clients()
    deadline = time.monotonic() + 20
    while open_files(own_server) > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert open_files(own_server) <= before


def test_a_region_that_is_none_is_refused_on_both_planes_and_by_all_services(own_server: MoorageServer) -> None:
    for service, call in (
        ("ecr", "get_authorization_token"),
        ("ecr-public", "get_authorization_token"),
        ("sts", "get_caller_identity"),
        ("iam", "get_account_summary"),
        ("organizations", "list_accounts"),
        ("service-quotas", "list_services"),
    ):
        client = own_server.client(service, region="xx-invented-1")
        with pytest.raises(ClientError) as refused:
            getattr(client, call)()
        told = refused.value.response["Error"]
        assert told["Code"] in {"InvalidSignatureException", "SignatureDoesNotMatch"}
        assert "Credential should be scoped to a valid region" in told["Message"]
    with (
        own_server.registry() as registry,
        registry.other(host=own_server.registry_host(ROOT.account_id, "xx-invented-1")) as other,
    ):
        answer = other.get("/v2/")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")
    assert "setting `regions`" in answer.message


def test_a_region_that_is_added_is_one(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(environment={"MOORAGE_REGIONS": "+us-lab-1"})
    uri = server.client(region="us-lab-1").create_repository(repositoryName="app")["repository"]["repositoryUri"]
    assert uri.startswith("127.")
    with server.registry(region="us-lab-1") as registry:
        assert registry.get("/v2/").status == 200
    server.client(region="eu-west-1").get_authorization_token()


def add_registries(tx: Transaction, used: int, unused: int) -> None:
    """Registries of invented regions, some of them with a repository, as an older version let them be made."""
    for number in range(used + unused):
        made = registries.ensure_registry(tx, Scope.of(f"eu-{'abcdefghij'[number % 10]}xy-{number // 10 + 1}", ROOT.account_id))
        if number < used:
            repositories.insert(
                tx,
                made,
                parse_repository_name("app"),
                tag_mutability="MUTABLE",
                filters=(),
                scan_on_push=False,
                encryption_type="AES256",
                kms_key=None,
                seal=seals.ensure_own(tx, made, "AES256", SealKey("", b"sealed")),
            )


def test_an_installation_with_many_invented_regions_starts(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(open_files=FILES)
    server.terminate()
    installation = open_installation(load(None, server.environment, {}).settings, server.environment, may_create=False)
    try:
        installation.db.run_write(add_registries, 60, 400)
    finally:
        installation.close()
    server.start()
    assert open_files(server) < FILES // 2
    assert "such addresses already" in server.log
    # Regions with repositories stay, by their names where there was no address left; the others are none.
    client = server.client(region="eu-axy-1")
    assert client.describe_repositories()["repositories"][0]["repositoryName"] == "app"
    last = server.client(region="eu-jxy-6").describe_repositories()["repositories"][0]["repositoryUri"]
    assert last == f"{server.registry_host(ROOT.account_id, 'eu-jxy-6')}/app"
    with server.registry(region="eu-jxy-6") as registry:
        assert registry.get("/v2/_catalog").json() == {"repositories": ["app"]}
    with pytest.raises(ClientError):
        server.client(region="eu-axy-30").get_authorization_token()


def test_the_soft_limit_is_raised(own_server: MoorageServer) -> None:
    limits = Path(f"/proc/{own_server.pid}/limits").read_text("utf-8")
    (line,) = [line for line in limits.splitlines() if line.startswith("Max open files")]
    soft, hard = line.split()[3:5]
    assert soft == hard or int(soft) == 1 << 20
