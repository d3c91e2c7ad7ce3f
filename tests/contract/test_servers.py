"""The servers that other tests stand on: isolated databases, and nothing left behind."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg

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
