"""Several processes on one database: one is killed, one stands still, one has another clock, all want the same slot."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moorage.metadata.database import Database
from moorage.model.jobs import JobState
from moorage.server.parent import end_with_parent
from tests.integration.jobs.conftest import PATIENCE_SECONDS, add, jobs_in
from tests.integration.jobs.node import LEASE_SECONDS, SLOT_SECONDS

ON_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("url", ["postgresql"], indirect=True)
"""Processes take seconds to start, and what is looked at here is the same on both."""
Start = Callable[..., subprocess.Popen[bytes]]


def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something that another process brings about."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "notes"
    made.mkdir()
    return made


def lines(folder: Path, file: str) -> list[str]:
    """What was noted."""
    path = folder / file
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def start(url: str, folder: Path) -> Iterator[Start]:
    with contextlib.ExitStack() as ending:

        def begin(name: str, *before: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                [*before, sys.executable, "-m", "tests.integration.jobs.node", url, str(folder), name],
                cwd=Path(__file__).parents[3],
                preexec_fn=lambda: end_with_parent(signal.SIGKILL),  # noqa: PLW1509  # one system call
                start_new_session=True,
            )
            ending.callback(process.wait, 30)
            ending.callback(kill, process)
            return process

        yield begin


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to it and its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def test_another_node_takes_over_when_one_is_killed(db: Database, start: Start, folder: Path) -> None:
    for number in range(3):
        add(db, "wait", number)
    first = start("first")
    until(lambda: len(lines(folder, "runs")) == 3)
    kill(first)
    first.wait(30)
    start("second")
    until(lambda: len(lines(folder, "runs")) == 6)
    assert sorted(lines(folder, "runs")[3:]) == ["second 0 2", "second 1 2", "second 2 2"]
    assert lines(folder, "ends") == []
    (folder / "go-on").touch()
    until(lambda: not jobs_in(db))
    assert sorted(lines(folder, "ends")) == ["second 0 2", "second 1 2", "second 2 2"]


@ON_SQLITE
def test_a_job_that_kills_its_node_fails_after_its_attempts(db: Database, start: Start, folder: Path) -> None:
    """Its handler never comes to say that it failed."""
    add(db, "wait")
    for attempt in (1, 2):
        node = start(f"node-{attempt}")
        until(lambda attempt=attempt: len(lines(folder, "runs")) == attempt)  # type: ignore[misc]  # bound now
        kill(node)
        node.wait(30)
    start("last")
    until(lambda: [job.state for job in jobs_in(db)] == [JobState.FAILED])
    (failed,) = jobs_in(db)
    assert failed.last_error == "its lease ran out: node-2 died or hung"
    assert len(lines(folder, "runs")) == 2


@ON_POSTGRESQL
def test_a_node_that_hangs_loses_its_job_and_its_late_finish_is_refused(db: Database, start: Start, folder: Path) -> None:
    add(db, "wait")
    first = start("first")
    until(lambda: lines(folder, "runs") == ["first 0 1"])
    os.killpg(first.pid, signal.SIGSTOP)
    start("second")
    until(lambda: lines(folder, "runs") == ["first 0 1", "second 0 2"])
    (folder / "go-on").touch()
    until(lambda: not jobs_in(db))
    os.killpg(first.pid, signal.SIGCONT)
    until(lambda: lines(folder, "refused") == ["first 0 1"])
    assert lines(folder, "ends") == ["second 0 2"]


@pytest.mark.faketime
@ON_POSTGRESQL  # processes on one machine have one clock
@pytest.mark.parametrize("by", ["+5h", "-5h"])
def test_a_node_with_another_clock_takes_nothing_from_others(db: Database, start: Start, folder: Path, by: str) -> None:
    add(db, "wait")
    start("first")
    until(lambda: lines(folder, "runs") == ["first 0 1"])
    start("another", str(shutil.which("faketime")), "-f", by)
    until(lambda: lines(folder, "started") == ["first", "another"])
    add(db, "wait", 1)
    deadline = time.monotonic() + LEASE_SECONDS + 1
    until(lambda: time.monotonic() > deadline)
    assert [line for line in lines(folder, "runs") if line.split()[1] == "0"] == ["first 0 1"]
    (folder / "go-on").touch()
    until(lambda: not jobs_in(db))
    assert sorted(line.split()[1] for line in lines(folder, "ends")) == ["0", "1"]
    assert lines(folder, "refused") == []


@ON_POSTGRESQL
def test_each_slot_is_one_nodes(db: Database, start: Start, folder: Path) -> None:
    names = ["ticking-one", "ticking-two", "ticking-three"]
    for name in names:
        start(name)
    until(lambda: len(lines(folder, "started")) == 3)
    begun, before = time.time(), len(lines(folder, "ticks"))
    until(lambda: len(lines(folder, "ticks")) >= before + 3)
    ticks, passed = len(lines(folder, "ticks")) - before, time.time() - begun
    assert ticks <= passed / SLOT_SECONDS + 2, "more than one in a slot"
