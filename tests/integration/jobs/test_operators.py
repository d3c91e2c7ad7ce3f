"""What operators see and do: the command, the metrics, doctor; and sweeps as jobs of a real server."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import urlopen

import pytest
from click.testing import CliRunner, Result
from msgspec import Struct

from moorage.cli.main import main
from moorage.metadata.database import Database
from moorage.metadata.jobs import administration, claims
from moorage.metadata.jobs.enqueueing import enqueue
from moorage.metadata.opening import open_database
from moorage.metadata.registry import repositories
from moorage.model.jobs import JobState, Lane
from moorage.server.settings import load
from moorage.testing import builders
from moorage.testing.server import MoorageServer
from tests.integration.jobs.conftest import PATIENCE_SECONDS


class Poison(Struct, array_like=True, frozen=True):
    """What no handler can read."""


def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something that the server brings about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


@contextmanager
def database_of(server: MoorageServer) -> Iterator[Database]:
    """The server's database, beside it."""
    db = open_database(load(None, server.environment, {}).settings.effective_database_url)
    yield db
    db.close()


def run(server: MoorageServer, *arguments: str) -> Result:
    """``moorage ARGUMENTS`` on the server's installation, in this process: a command takes a second to start."""
    environment: dict[str, str | None] = {name: value for name, value in server.environment.items() if "_" in name}
    return CliRunner(env=environment).invoke(main, list(arguments))


def listed(server: MoorageServer, *arguments: str) -> list[dict[str, Any]]:
    done = run(server, "jobs", "list", "--output", "json", *arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def metric(server: MoorageServer, name: str, kind: str) -> float | None:
    with urlopen(f"{server.endpoint}/metrics", timeout=10) as answer:
        found = re.search(rf'^{name}\{{kind="{kind}"\}} (\S+)$', answer.read().decode(), re.MULTILINE)
    return float(found[1]) if found else None


def test_a_failed_job_from_its_failure_to_its_end(own_server: MoorageServer) -> None:
    server = own_server
    assert metric(server, "moorage_jobs_failed", "expire-uploads") == 0
    with database_of(server) as db:
        poison = db.run_write(enqueue, "expire-uploads", Poison())
        until(lambda: [job.state for job in db.run_read(administration.list_page)] == [JobState.FAILED])
    (job,) = listed(server, "--state", "failed")
    assert (job["id"], job["kind"], job["attempts"], job["payload"]) == (poison, "expire-uploads", 1, [])
    assert job["error"].startswith("its payload cannot be read: Expected `object`, got `array`")
    assert f"{poison}  expire-uploads  failed  attempts 1  error: its payload" in run(server, "jobs", "list").stdout
    assert "error" in run(server, "jobs", "list", "--output", "table").stdout.splitlines()[0]
    shown = run(server, "jobs", "show", str(poison))
    assert "state: failed\n" in shown.stdout and "failedAt: 20" in shown.stdout
    assert metric(server, "moorage_jobs_failed", "expire-uploads") == 1
    assert metric(server, "moorage_jobs_overdue", "expire-uploads") == 0
    doctor = run(server, "doctor")
    assert "jobs of the kind expire-uploads have failed for good (1): see moorage jobs list --state failed" in doctor.stdout
    before = job["failedAt"]
    assert run(server, "jobs", "retry", "--failed", "--kind", "expire-uploads").stdout.startswith(f"job {poison} runs as soon")
    until(lambda: [(each["state"], (each["failedAt"] or "") >= before) for each in listed(server)] == [("failed", True)])
    assert run(server, "jobs", "cancel", str(poison)).stdout == f"job {poison} is removed\n"
    assert run(server, "jobs", "list").stdout == "no jobs\n"
    assert run(server, "jobs", "retry", "--failed").stdout == "no job has failed\n"
    assert metric(server, "moorage_jobs_failed", "expire-uploads") == 0
    for command in ("show", "retry", "cancel"):
        done = run(server, "jobs", command, str(poison))
        assert (done.exit_code, done.stderr.partition(":")[0]) == (254, "moorage")
        assert f"there is no job {poison}" in done.stderr
    assert run(server, "jobs", "retry").exit_code == 252
    assert run(server, "jobs", "retry", "1", "--failed").exit_code == 252


def test_jobs_that_run_and_that_nobody_runs(server: MoorageServer) -> None:
    """Of a kind that only a newer version knows."""
    newer = ("--kind", "of-a-newer-version")
    with database_of(server) as db:
        first, second = (db.run_write(enqueue, "of-a-newer-version", delay_seconds=-100 * number) for number in (1, 2))
        assert metric(server, "moorage_jobs_overdue", "of-a-newer-version") == 2
        oldest = metric(server, "moorage_jobs_oldest_due_seconds", "of-a-newer-version")
        assert oldest is not None and 200 <= oldest < 300
        assert "jobs of the kind of-a-newer-version wait for a server (2), the oldest for 2" in run(server, "doctor").stdout
        (held,) = db.run_write(claims.claim, "of-a-newer-version", Lane.SMALL, 1, 600.0, "another node")
        assert held.id == second
        assert run(server, "jobs", "retry", str(second)).stdout == f"job {second} runs already\n"
        assert run(server, "jobs", "cancel", str(second)).stdout.startswith(f"job {second} runs: it is told to stop")
        (job,) = listed(server, "--state", "leased", *newer)
        assert (job["id"], job["cancelled"], job["leasedBy"]) == (second, True, "another node")
        assert [job["id"] for job in listed(server, "--limit", "2", *newer)] == [first, second]
        fewer = run(server, "jobs", "list", "--limit", "1", *newer)
        assert fewer.stderr == "moorage: there are more: see --limit, now 1\n"
        assert fewer.stdout.startswith(f"{first}  ")
        assert db.run_write(claims.drop, held)
        assert run(server, "jobs", "cancel", str(first)).exit_code == 0
        assert listed(server, *newer) == []


def test_what_a_crash_left_is_swept_by_the_next_start(own_server: MoorageServer) -> None:
    server = own_server
    ecr = server.client()
    ecr.create_repository(repositoryName="app")
    with server.registry() as registry:
        registry.push_image("app", builders.image(1, layers=1, layer_bytes=30_000), "v1")
    ecr.delete_repository(repositoryName="app", force=True)
    server.kill()
    server.start()
    with database_of(server) as db:
        until(lambda: db.run_read(repositories.list_deleted, 1) == [] and db.run_read(administration.list_page) == [])


@pytest.mark.parametrize("stack", ["sqlite+local"])
def test_a_server_that_is_killed_leaves_no_lease_to_its_next_life(own_server: MoorageServer) -> None:
    """Nobody else works on its folder, so the next start need not wait for leases to run out."""
    server = own_server
    with database_of(server) as db:
        job = db.run_write(enqueue, "forget", unique_key="")
        db.run_write(claims.claim, "forget", Lane.SMALL, 1, 3600.0, "killed")
        server.kill()
        server.start()
        until(lambda: db.run_read(administration.find, job) is None)
