"""SIGKILL at each named point of a push and a delete: what was acknowledged is there, what was not can be done again."""

from __future__ import annotations

import contextlib
import http.client

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import PushFailed, RegistryClient
from moorage.testing.server import MoorageServer
from tests.crash.points import POINTS
from tests.integration.server.serving import until

KEPT, NEW, DOOMED = builders.image(1), builders.image(2), builders.image(3)
SMALL = b"small"
CHUNKED = bytes(range(256)) * 400
"""Larger than what a row holds, so it is a segment in the store."""


def push(client: RegistryClient) -> None:
    """A push by each of the ways: a blob in one request, in two, in chunks, and the manifest."""
    if client.request("POST", f"/v2/app/blobs/uploads/?digest={builders.digest(SMALL)}", SMALL).status != 201:
        raise PushFailed("POST")
    client.push_image("app", NEW, "new")
    location = client.start_upload("app")
    if client.request("PATCH", location, CHUNKED).status != 202:
        raise PushFailed("PATCH")
    if client.request("PUT", f"{location}?digest={builders.digest(CHUNKED)}", b"").status != 201:
        raise PushFailed("PUT")


def delete(client: RegistryClient) -> int:
    return client.request("DELETE", f"/v2/app/manifests/{DOOMED.digest}").status


@pytest.mark.parametrize("point", POINTS)
def test_nothing_is_lost_and_all_can_be_done_again(own_server: MoorageServer, point: str) -> None:
    server = own_server
    server.client().create_repository(repositoryName="app")
    with server.registry() as client:
        client.push_image("app", KEPT, "kept")
        client.push_image("app", DOOMED, "doomed")
    password = server.password()
    server.terminate()
    server.program = ["-m", "tests.crash.points", point]
    server.start()
    with (
        RegistryClient("127.0.0.1", server.port, password) as client,
        contextlib.suppress(OSError, http.client.HTTPException, PushFailed),
    ):
        push(client)
        delete(client)
    until(lambda: not server.is_running)
    server.program = ["-m", "moorage"]
    server.start()
    with RegistryClient("127.0.0.1", server.port, password) as client:
        client.require_image("app", KEPT, "kept")
        push(client)
        assert delete(client) in {202, 404}
        client.require_image("app", NEW, "new")
        for data in (SMALL, CHUNKED):
            assert client.get(f"/v2/app/blobs/{builders.digest(data)}").body == data
        assert client.get(f"/v2/app/manifests/{DOOMED.digest}").status == 404
        assert sorted(client.get("/v2/app/tags/list").json()["tags"]) == ["kept", "new"]
    assert server.run("fsck", "--deep").stdout == "no faults\n"
