"""The first start: its key is shown once somebody can use it, whatever went wrong before, and two starts at once do no harm."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moorage.operations.accounts import accounts
from moorage.server.installation import open_installation
from moorage.server.settings import load
from moorage.testing.server import KeyPair, MoorageServer, make_client
from tests.crash import starting

_KEY = re.compile(r"export AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+)")
_ANOTHER = re.compile(r"Another one: (?:\S+ -m )?moorage key create 000000000000 --data (\S+)$", re.MULTILINE)
_UNUSED = "No key of the root of 000000000000 has been used yet. Another one: "


@pytest.fixture
def server(tmp_path: Path) -> MoorageServer:
    """A server that chooses its own key."""
    return MoorageServer(tmp_path / "data", root=None)


@pytest.fixture
def taken(server: MoorageServer) -> Iterator[socket.socket]:
    """Somebody else on the server's port."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.port))
        other.listen()
        yield other


def key_in(text: str) -> KeyPair:
    found = _KEY.search(text)
    assert found is not None, text
    return KeyPair("000000000000", found[1], found[2])


def use(server: MoorageServer, key: KeyPair) -> None:
    """What a key that is shown is for."""
    ecr = make_client(server.endpoint, "ecr", key)
    try:
        assert ecr.describe_repositories()["repositories"] == []
    finally:
        ecr.close()


def test_a_busy_port_swallows_no_key(server: MoorageServer, taken: socket.socket) -> None:
    done = server.run("serve", "--listen", f"127.0.0.1:{server.port}", check=False)
    assert (done.returncode, done.stdout) == (253, "")
    assert done.stderr == (
        f"moorage: cannot listen on 127.0.0.1:{server.port}: Address already in use; choose another with --listen\n"
    )
    assert not server.data.exists()
    taken.close()
    with server:
        use(server, key_in(server.output))


def test_the_key_is_shown_until_a_start_has_shown_it(server: MoorageServer) -> None:
    assert starting.start(server.data, "")  # a start that makes the key, and is ended before it serves
    with server:
        shown = key_in(server.output)
        assert _ANOTHER.findall(server.output) == [str(server.data)]
    with server:
        assert _KEY.search(server.output) is None
        assert _UNUSED in server.output
        assert _ANOTHER.findall(server.output) == [str(server.data)]
        use(server, shown)
        made = server.run("key", "create").stdout
        assert server.create_key("000000000000").secret not in made
    with server:
        assert "moorage key create" not in server.output
    installation = open_installation(load(None, server.environment, {}).settings, server.environment, may_create=False)
    (account,) = installation.db.run_read(accounts.list_accounts)
    installation.close()
    assert next(key for key, _ in account[2]) == shown.access_key_id
    assert len(account[2]) == 3


def test_several_workers_say_it_once(tmp_path: Path) -> None:
    with MoorageServer(tmp_path / "data", root=None, options=["--workers", "3"]) as server:
        use(server, key_in(server.output))
        assert server.output.count("Moorage serves ") == 1
        assert server.output.count("AWS_SECRET_ACCESS_KEY=") == 1


def test_standard_output_that_is_closed_keeps_the_key_for_the_next_start(server: MoorageServer) -> None:
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115  # the process has it
    process = subprocess.Popen(
        [sys.executable, "-m", "moorage", "serve", "--listen", f"127.0.0.1:{server.port}"],
        env=server.environment,
        stdout=full,
        stderr=subprocess.PIPE,
        text=True,
    )
    full.close()
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "what a start says could not be printed: " in line:
                break
        else:
            pytest.fail("the server ended")
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0
    with server:
        use(server, key_in(server.output))


def test_an_ephemeral_server_shows_its_key_when_it_serves(tmp_path: Path) -> None:
    with MoorageServer(tmp_path / "data", root=None, options=["--ephemeral"]) as server:
        use(server, key_in(server.output))
        assert "moorage key create" not in server.output


def test_a_key_that_the_settings_name_is_not_shown(tmp_path: Path) -> None:
    with MoorageServer(tmp_path / "data") as server:
        assert "AWS_SECRET_ACCESS_KEY" not in server.output
        assert "moorage key create" not in server.output


def test_two_starts_on_one_folder(server: MoorageServer) -> None:
    with server:
        done = server.run("serve", "--listen", "127.0.0.1:0", check=False)
        assert (done.returncode, done.stdout) == (253, "")
        assert done.stderr == f"moorage: another server works on {server.data}: stop it, or choose another folder with --data\n"


def test_two_first_starts_on_one_postgresql(tmp_path: Path, postgres_url: str) -> None:
    """Both wait for the one that migrates, and both serve."""
    key = {"MOORAGE_ROOT_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
    nodes = [MoorageServer(tmp_path / name, database_url=postgres_url, environment=key, root=None) for name in ("a", "b")]
    with ThreadPoolExecutor(2) as threads:
        for started in [threads.submit(node.start) for node in nodes]:
            started.result(60)
        # Within the pool: a server ends with the thread that has started it.
        assert len({key_in(node.output).access_key_id for node in nodes if _KEY.search(node.output)}) == 1
        for node in nodes:
            use(node, next(key_in(each.output) for each in nodes if _KEY.search(each.output)))
            assert node.terminate() == 0
            node.require_clean_log()
