"""Ten thousand connections that say nothing: they cost little, and nobody notices them."""

from __future__ import annotations

import contextlib
import resource
import socket
from pathlib import Path

import pytest

from moorage.testing import builders
from moorage.testing.server import MoorageServer

MANY = 10_000


@pytest.fixture(params=["sqlite+local"])
def stack(request: pytest.FixtureRequest) -> str:
    """Connections end at the server, whatever it stores on."""
    return str(request.param)


def resident_mib(pid: int) -> float:
    """Memory of a process."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


def test_ten_thousand_idle_connections(own_server: MoorageServer) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = MANY if hard == resource.RLIM_INFINITY else min(MANY, hard - 1000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, many + 500), hard))
    own_server.client().create_repository(repositoryName="app")
    with own_server.registry() as client:
        client.push_image("app", builders.image(1), "v1")
        before = resident_mib(own_server.pid)
        with contextlib.ExitStack() as idle:
            for _ in range(many):
                idle.enter_context(socket.create_connection(("127.0.0.1", own_server.port), 30))
            client.require_image("app", builders.image(1), "v1")
            client.push_image("app", builders.image(2), "v2")
            assert resident_mib(own_server.pid) - before < 200
