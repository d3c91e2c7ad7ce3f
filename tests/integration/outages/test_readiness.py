"""`/readyz` says no as soon as it is so, in the time that is set, however many ask; and before the server stops."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from moorage.testing.server import MoorageServer
from moorage.testing.servers import run_s3
from tests.integration.outages.conftest import until
from tests.integration.outages.test_postgresql_goes import SLACK_SECONDS, status_of

READY_SECONDS = 1
"""readiness_timeout_seconds of the servers here."""


def test_a_blob_store_that_is_away(tmp_path: Path) -> None:
    settings = {"MOORAGE_READINESS_TIMEOUT_SECONDS": str(READY_SECONDS)}
    with run_s3() as s3:
        server = MoorageServer(tmp_path / "data", blob_store_url=s3.url(), environment={**s3.environment, **settings})
        server.start()
    try:  # the store has ended
        until(lambda: status_of(server, "/readyz")[0] == 503, 1 + READY_SECONDS + SLACK_SECONDS)

        def timed(_: int) -> tuple[float, int, str]:
            begun = time.monotonic()
            return (*_after(begun, status_of(server, "/readyz")),)

        with ThreadPoolExecutor(16) as pool:
            for seconds, status, body in pool.map(timed, range(32)):
                assert status == 503
                assert "blobs" in json.loads(body)
                assert s3.endpoint not in body, "anybody may ask"
                assert "database" not in json.loads(body)
                assert seconds < READY_SECONDS + SLACK_SECONDS
        assert status_of(server, "/healthz")[0] == 200
        assert "not ready: blobs: " in server.log
    finally:
        server.kill()


def _after(begun: float, answer: tuple[int, str]) -> tuple[float, int, str]:
    return time.monotonic() - begun, *answer


def test_before_it_stops_it_is_not_ready_and_serves(tmp_path: Path) -> None:
    with MoorageServer(tmp_path / "data", environment={"MOORAGE_SHUTDOWN_DELAY_SECONDS": "2"}) as server:
        ecr = server.client()
        ecr.create_repository(repositoryName="served")
        assert status_of(server, "/readyz")[0] == 200
        begun = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        until(lambda: status_of(server, "/readyz")[0] == 503, 1)
        assert "shutdown" in json.loads(status_of(server, "/readyz")[1])
        assert status_of(server, "/healthz")[0] == 200
        ecr.describe_repositories()  # on a connection that it has, and on a new one
        assert status_of(server, "/v2/")[0] == 401
        until(lambda: not server.is_running, 10)
        assert time.monotonic() - begun >= 2


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    with MoorageServer(tmp_path / "data", environment={"MOORAGE_SHUTDOWN_DELAY_SECONDS": "60"}) as server:
        os.kill(server.pid, signal.SIGTERM)
        until(lambda: status_of(server, "/readyz")[0] == 503, 2)
        os.kill(server.pid, signal.SIGTERM)
        until(lambda: not server.is_running, 10)
