"""Folders and files of somebody else: one line, whichever command asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import databases

pytestmark = pytest.mark.root

_AS_NOBODY = """
import os, sys
from click.testing import CliRunner
from moorage.cli.main import main
import encodings.idna, moorage.cli.serving, moorage.cli.program, moorage.jobs.fsck, moorage.server.tls, moorage.metadata.sqlite
os.setgroups([]); os.setgid(65534); os.setuid(65534); os.umask(0o077)
commands = ["serve --listen 127.0.0.1:0", "doctor", "fsck", "account list", "key create", "tls init"]
for command in map(str.split, commands):
    done = CliRunner().invoke(main, [*command, "--data", sys.argv[1]])
    print(command[0], done.exit_code, done.stderr.strip().replace(sys.argv[1], "DATA"), sep="|")
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter, which pytest's are not."""
    folder = Path(tempfile.mkdtemp(prefix="moorage-rights-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_nobody(folder: Path) -> dict[str, tuple[int, str]]:
    """Status and standard error of each command, run by a user without rights."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MOORAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(folder)], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout
    rows = [line.split("|") for line in done.stdout.splitlines()]
    return {name: (int(status), said) for name, status, said in rows}


def test_a_folder_that_cannot_be_made(place: Path) -> None:
    said = as_nobody(place / "data")
    assert said["serve"] == (253, "moorage: DATA cannot be made: Permission denied; name another folder by --data")
    assert said["tls"][0] == 253
    for name in ("doctor", "fsck", "account", "key"):
        assert said[name] == (
            253,
            "moorage: there is no installation in DATA: start it once with moorage serve, or name it by --data",
        )


def test_a_folder_that_cannot_be_entered(place: Path) -> None:
    databases.installation(place / "data")
    said = as_nobody(place / "data")
    assert said["serve"] == (253, "moorage: DATA cannot be written: Permission denied; a server keeps its data there (--data)")
    assert said["tls"][0] == 253
    for name in ("doctor", "fsck", "account", "key"):
        assert said[name] == (253, "moorage: DATA/moorage.db cannot be looked at: Permission denied")


def test_files_that_cannot_be_read(place: Path) -> None:
    databases.installation(place / "data")
    (place / "data").chmod(0o755)
    said = as_nobody(place / "data")
    for name in ("doctor", "fsck", "account", "key"):
        status, line = said[name]
        assert (status, "DATA/moorage.db cannot be opened: look at the rights of the file" in line) == (253, True)
