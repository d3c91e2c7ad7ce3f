"""What an operator can do to a data folder: every command answers it with one line that says what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from moorage.cli.main import main
from tests.crash import databases

COMMANDS = [
    ["serve", "--listen", "127.0.0.1:0"],
    ["doctor"],
    ["fsck"],
    ["fsck", "--deep"],
    ["account", "list"],
    ["account", "create", "name"],
    ["key", "create"],
    ["key", "disable", "AKIAMOORAGETESTROOT0"],
    ["explain", "--principal", "000000000000", "--action", "ecr:GetAuthorizationToken"],
    ["who-can", "ecr:BatchGetImage", "app"],
    ["policy", "suggest", "--principal", "000000000000"],
    ["public", "list"],
    ["public", "verify", "000000000000"],
]


def a_file(folder: Path) -> None:
    folder.write_text("x")


def zeroes(folder: Path) -> None:
    databases.installation(folder)
    (folder / "moorage.db").write_bytes(bytes(8192))


def garbage(folder: Path) -> None:
    databases.installation(folder)
    (folder / "moorage.db").write_bytes(os.urandom(8192))


def another_program(folder: Path) -> None:
    folder.mkdir()
    connection = sqlite3.connect(folder / "moorage.db")
    connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()


def another_program_with_alembic(folder: Path) -> None:
    another_program(folder)
    connection = sqlite3.connect(folder / "moorage.db")
    connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    connection.execute("INSERT INTO alembic_version VALUES ('8f3a1c2b')")
    connection.commit()
    connection.close()


def a_folder_for_a_database(folder: Path) -> None:
    (folder / "moorage.db").mkdir(parents=True)


def half_a_key(folder: Path) -> None:
    databases.installation(folder)
    (folder / "root.key").write_text("c29tZQ")


def no_key(folder: Path) -> None:
    databases.installation(folder)
    (folder / "root.key").unlink()


def a_key_that_others_read(folder: Path) -> None:
    databases.installation(folder)
    (folder / "root.key").chmod(0o644)


def another_key(folder: Path) -> None:
    databases.installation(folder)
    (folder / "root.key").write_text("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n")


def newer(folder: Path) -> None:
    databases.installation(folder)
    connection = sqlite3.connect(folder / "moorage.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()


def a_file_for_the_blobs(folder: Path) -> None:
    databases.installation(folder)
    shutil.rmtree(folder / "blobs")
    (folder / "blobs").write_text("x")


def run(command: list[str], folder: Path) -> tuple[int, str, str]:
    """Exit status, output, and what was said on standard error, which is one line at most."""
    done = CliRunner().invoke(main, [*command, "--data", str(folder)])
    assert "Traceback" not in done.output
    if done.exit_code > 1:
        lines = done.stderr.splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("moorage: ")
        assert "a fault of Moorage" not in lines[0]
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MOORAGE_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (a_file, "is no folder|there is no installation in"),
        (zeroes, "is damaged, or no database of SQLite"),
        (garbage, "is damaged, or no database of SQLite"),
        (another_program, "is a database of another program"),
        (another_program_with_alembic, "is a database of another program"),
        (a_folder_for_a_database, "is a folder: a database is a file"),
        (half_a_key, "44 characters, and has 6: put a copy of the key back"),
        (no_key, "there is a database but no root key"),
        (a_key_that_others_read, "can be read by others: run chmod 600"),
        (another_key, "the database was sealed with root key"),
        (newer, "start the newer version that wrote it"),
        (a_file_for_the_blobs, "blobs, cannot be used: File exists"),
    ],
)
def test_one_line(tmp_path: Path, command: list[str], make: Callable[[Path], None], said: str) -> None:
    folder = tmp_path / "data"
    make(folder)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"}
    status, _, stderr = run(command, folder)
    assert status == 253
    assert any(each in stderr for each in said.split("|")), stderr
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"}
    assert after == before, "whoever cannot use a folder changes nothing in it"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_place_where_nothing_can_be_made(command: list[str]) -> None:
    status, _, stderr = run(command, Path("/proc/nowhere"))
    assert status == 253
    assert "cannot be made" in stderr if command[0] == "serve" else "there is no installation" in stderr


@pytest.mark.parametrize("command", [command for command in COMMANDS if command[0] != "serve"], ids=" ".join)
def test_commands_do_not_migrate(tmp_path: Path, command: list[str]) -> None:
    databases.installation(tmp_path / "data", "0003")
    status, _, stderr = run(command, tmp_path / "data")
    assert (status, "moorage serve brings it up to date" in stderr) == (253, True)
    assert databases.content(f"sqlite:///{tmp_path / 'data' / 'moorage.db'}")["alembic_version"] == (
        ("version_num",),
        [("0003",)],
    )


@pytest.mark.parametrize("command", [command for command in COMMANDS if command[0] != "serve"], ids=" ".join)
def test_a_truncated_database(tmp_path: Path, command: list[str]) -> None:
    """SQLite may notice it at once or at the first page that is not there."""
    folder = tmp_path / "data"
    databases.installation(folder)
    whole = (folder / "moorage.db").read_bytes()
    (folder / "moorage.db").write_bytes(whole[: len(whole) * 2 // 3])
    status, stdout, stderr = run(command, folder)
    if command[0] in {"fsck", "doctor"}:
        assert status in {1, 253}
    assert status in {0, 1, 253, 254}
    if status == 253:
        assert "is damaged" in stderr
    if command[0] == "fsck" and status == 1:
        assert "database: " in stdout


def test_fsck_and_doctor_name_a_damaged_page(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    databases.installation(folder)
    content = bytearray((folder / "moorage.db").read_bytes())
    page = len(content) // 4096 // 2
    content[page * 4096 : (page + 1) * 4096] = os.urandom(4096)
    (folder / "moorage.db").write_bytes(content)
    status, stdout, _ = run(["fsck"], folder)
    assert status == 1
    assert stdout.startswith("database: ")
    status, stdout, _ = run(["doctor"], folder)
    assert status == 1
    assert "error: the database is damaged" in stdout


def test_a_healthy_installation_has_warnings_and_status_0(tmp_path: Path) -> None:
    databases.installation(tmp_path / "data")
    status, stdout, _ = run(["doctor"], tmp_path / "data")
    assert (status, stdout.startswith("warning: the root key lies beside the data")) == (0, True)
    assert run(["fsck"], tmp_path / "data") == (0, "no faults\n", "")
