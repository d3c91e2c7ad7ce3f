"""A disk without room: pushes are refused clearly, pulls go on, and all goes on once there is room again."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from moorage.testing import builders
from moorage.testing.builders import digest
from moorage.testing.server import MoorageServer

pytestmark = pytest.mark.root


def test_a_full_disk_refuses_pushes_and_serves_pulls(small_disk: Path) -> None:
    with MoorageServer(small_disk / "data") as server:
        ecr = server.client()
        ecr.create_repository(repositoryName="app")
        first, second = os.urandom(20 * 2**20), os.urandom(20 * 2**20)
        with server.registry() as registry:
            uploads = "/v2/app/blobs/uploads/?digest="
            assert registry.request("POST", uploads + digest(first), body=first).status == 201
            filler = small_disk / "filler"
            fill(filler)
            refused = registry.request("POST", uploads + digest(second), body=second)
            assert refused.status == 507
            assert b"no room left" in refused.body
        with pytest.raises(ClientError, match="no room left"):
            for number in range(2000):  # the write-ahead log may have a little room of its own
                ecr.create_repository(repositoryName=f"more-{number}")
        with server.registry() as registry:
            assert registry.request("GET", f"/v2/app/blobs/{digest(first)}").body == first
            deadline = time.monotonic() + 10  # readiness is looked at once a second
            while registry.request("GET", "/readyz").status != 503:
                assert time.monotonic() < deadline
            assert registry.request("GET", "/readyz?pulls").status == 200
            filler.unlink()
            assert registry.request("POST", uploads + digest(second), body=second).status == 201
            assert registry.request("GET", f"/v2/app/blobs/{digest(second)}").body == second
        ecr.create_repository(repositoryName="after")
        server.require_clean_log()


def test_pulls_are_held_to_a_rate_without_room_to_write_it_down(small_disk: Path) -> None:
    rates = {"MOORAGE_THROTTLING": "on", "MOORAGE_RATES": "BatchGetImage=1/40"}
    slow = {"MOORAGE_PUBLIC_ANONYMOUS_PULLS_PER_SECOND": "1", "MOORAGE_PUBLIC_ANONYMOUS_PULL_BURST": "40"}
    with MoorageServer(small_disk / "data", environment=rates | slow) as server:
        server.client().create_repository(repositoryName="app")
        uri = server.client("ecr-public").create_repository(repositoryName="app")["repository"]["repositoryUri"]
        public_path = str(uri.partition("/")[2])
        built = builders.image(1)
        with server.registry() as registry, server.public_registry() as publisher:
            registry.push_image("app", built, "v1")
            publisher.push_image(public_path, built, "v1")
        with server.registry() as registry, server.public_registry(anonymous=True) as anybody:
            fill(small_disk / "filler")
            for client, path in ((registry, "app"), (anybody, public_path)):
                statuses = []
                for _ in range(400):  # some of the first leases may still find room in the write-ahead log
                    statuses.append(client.get(f"/v2/{path}/manifests/v1").status)
                    if statuses[-1] == 429 and len(statuses) > 60:
                        break
                assert set(statuses) == {200, 429}
                assert 40 <= statuses.count(200) <= 100
        server.require_clean_log()


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65536))
