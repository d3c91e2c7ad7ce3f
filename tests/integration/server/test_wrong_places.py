"""An operator who names a database or a store that is not there reads one line, not a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage.testing.server import MoorageServer
from moorage.testing.servers import free_ports


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://user:canary@127.0.0.1:{port}/registry", "the database does not answer"),
        ("postgresql://[/", "the URL of the database cannot be read"),
        ("mysql://user:canary@somewhere", "database_url must start with postgresql://"),
    ],
)
def test_databases(tmp_path: Path, url: str, message: str) -> None:
    _refused(MoorageServer(tmp_path / "data", database_url=url.format(port=free_ports(1)[0])), message)


def test_a_file_of_sqlite_where_no_folder_is(tmp_path: Path) -> None:
    done = MoorageServer(tmp_path / "data", database_url="sqlite:////nowhere/at/all.db").run(
        "serve", "--listen", "127.0.0.1:0", check=False
    )
    assert (done.returncode, done.stderr) == (253, "moorage: /nowhere/at/all.db: No such file or directory\n")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://somewhere", "blob_store_url: no blob store has URLs that begin with ftp:"),
        ("s3://bucket?colour=red", "blob_store_url: unknown parameter of an s3:// URL: colour"),
        ("/proc/nowhere", "blob_store_url: the folder of the blob store, /proc/nowhere, cannot be"),
    ],
)
def test_blob_stores(tmp_path: Path, url: str, message: str) -> None:
    _refused(MoorageServer(tmp_path / "data", blob_store_url=url), message)


def test_a_root_key_of_another_account(tmp_path: Path) -> None:
    with MoorageServer(tmp_path / "data") as server:
        other = server.create_account("other")
    done = MoorageServer(tmp_path / "data", root=other).run("serve", "--listen", "127.0.0.1:0", check=False)
    assert done.returncode == 253
    assert done.stderr == (
        f"moorage: the access key {other.access_key_id} of the settings belongs to account {other.account_id}\n"
    )


def _refused(server: MoorageServer, message: str) -> None:
    for command in (["serve", "--listen", "127.0.0.1:0"], ["doctor"]):  # no port that another test may have
        done = server.run(*command, check=False)
        assert (done.returncode, done.stdout) == (253, "")
        assert done.stderr.startswith(f"moorage: {message}"), done.stderr
        assert "Traceback" not in done.stderr
        assert "canary" not in done.stderr
