"""Starts and commands on disks that are full or cannot be written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from moorage.testing.server import MoorageServer
from tests.crash import databases
from tests.crash.test_full_disk import fill

pytestmark = pytest.mark.root

WRITING = [["account", "create", "x"], ["key", "create"], ["public", "verify", "000000000000"]]
READING = [
    ["account", "list"],
    ["fsck", "--deep"],
    ["explain", "--principal", "000000000000", "--action", "ecr:GetAuthorizationToken"],
    ["who-can", "ecr:BatchGetImage", "app"],
    ["public", "list"],
    ["settings"],
]


def read_only(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)


def refused(server: MoorageServer, *command: str) -> str:
    """The one line of a command that cannot work."""
    done = server.run(*command, check=False)
    assert (done.returncode, done.stdout) == (253, ""), done.stderr
    (line,) = done.stderr.splitlines()
    return line


def test_an_installation_that_can_only_be_read(small_disk: Path) -> None:
    databases.installation(small_disk / "data")
    read_only(small_disk)
    server = MoorageServer(small_disk / "data")
    for command in READING:
        server.run(*command)
    for command in WRITING:
        assert "cannot be written" in refused(server, *command)
    assert refused(server, "serve", "--listen", "127.0.0.1:0") == (
        f"moorage: {small_disk / 'data'} cannot be written: Read-only file system; a server keeps its data there (--data)"
    )
    assert "Read-only file system" in server.run("tls", "init", check=False).stderr
    done = server.run("doctor", check=False)
    assert done.returncode == 1
    assert "error: the blob store: it cannot be written, so pushes will fail and pulls go on" in done.stdout
    assert "moorage.db cannot be written: its file system is read-only" in done.stdout


def test_what_a_killed_server_left_is_read_too(small_disk: Path) -> None:
    """Its last commits are in the log beside the database: they are not passed over because that cannot be opened as usual."""
    server = MoorageServer(small_disk / "data")
    server.start()
    server.client().create_repository(repositoryName="fresh")
    server.close_clients()
    server.kill()
    read_only(small_disk)
    assert "everybody" not in server.run("who-can", "ecr:BatchGetImage", "fresh").stdout
    server.run("fsck")


def test_no_installation_where_nothing_can_be_made(small_disk: Path) -> None:
    read_only(small_disk)
    server = MoorageServer(small_disk / "data")
    assert refused(server, "serve", "--listen", "127.0.0.1:0") == (
        f"moorage: {small_disk / 'data'} cannot be made: Read-only file system; name another folder by --data"
    )
    assert "there is no installation in" in refused(server, "doctor")


def test_no_room_for_a_first_start(small_disk: Path) -> None:
    fill(small_disk / "filler")
    server = MoorageServer(small_disk / "data")
    line = refused(server, "serve", "--listen", "127.0.0.1:0")
    assert "No space left on device" in line or "full" in line
    (small_disk / "filler").unlink()
    server.start()
    server.terminate()


def test_no_room_for_the_copy_before_a_migration(small_disk: Path) -> None:
    databases.installation(small_disk / "data", "0002")
    before = databases.content(f"sqlite:///{small_disk / 'data' / 'moorage.db'}")
    fill(small_disk / "filler")
    server = MoorageServer(small_disk / "data")
    for _ in range(2):
        line = refused(server, "serve", "--listen", "127.0.0.1:0")
        assert line.endswith(": make room and start again")
    assert not list((small_disk / "data").glob("*before*"))
    assert not list((small_disk / "data").glob(".*"))
    (small_disk / "filler").unlink()
    assert databases.content(f"sqlite:///{small_disk / 'data' / 'moorage.db'}") == before
    with server:
        assert len(server.client().describe_repositories()["repositories"]) == 2
    assert len(list((small_disk / "data").glob(f"moorage.db.before-{databases.NEWEST}-was-0002"))) == 1
