"""Commands that look at an installation never make one: a wrong folder is an error, not an empty success."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "command", [["fsck"], ["doctor"], ["account", "list"], ["account", "create", "x"], ["key", "delete", "AKIA"]]
)
def test_a_wrong_folder_is_named(tmp_path: Path, command: list[str]) -> None:
    wrong = tmp_path / "wrong"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MOORAGE_")}
    done = subprocess.run(
        [sys.executable, "-m", "moorage", *command, "--data", str(wrong)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 253
    assert "there is no installation" in done.stderr
    assert "Traceback" not in done.stderr
    assert not wrong.exists()
