"""The demo walks to its end, fails with a message, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_SECONDS = 280
_COMMAND = [sys.executable, "-m", "moorage.testing.demo"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the demo makes its own folder; with a short name, as podman asks for."""
    with tempfile.TemporaryDirectory(prefix="m-") as name:
        yield Path(name)


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}


def test_to_the_end(folder: Path) -> None:
    done = subprocess.run(_COMMAND, env=_environment(folder), capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no faults" in done.stdout
    assert "All 10 steps did what they should" in done.stdout
    assert not list(folder.iterdir())


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(folder: Path, end: signal.Signals) -> None:
    with subprocess.Popen(
        _COMMAND, env=_environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout is not None
        shown = iter(demo.stdout)
        serving = next(line for line in shown if "Moorage serves" in line)
        demo.send_signal(end)
        _, said = demo.communicate(timeout=_SECONDS)
    assert demo.returncode == 130
    assert "interrupted" in said
    assert not list(folder.iterdir())
    data = serving.split()[-1]
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/environ") if _is_readable(path)]
    assert not [environment for environment in running if f"MOORAGE_DATA={data}\0".encode() in environment]


def _is_readable(path: Path) -> bool:
    try:
        return bool(path.read_bytes())
    except OSError:  # it ended meanwhile, or is another user's
        return False


def test_a_step_that_fails(folder: Path) -> None:
    broken = folder / "bin"
    broken.mkdir()
    (broken / "skopeo").write_text("#!/bin/sh\necho 'no such luck' >&2; exit 7\n")
    (broken / "skopeo").chmod(0o755)
    environment = _environment(folder) | {"PATH": f"{broken}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(_COMMAND, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 1
    assert "step 7 (Push and pull with real clients) failed" in done.stderr
    assert "no such luck" in done.stderr
    assert list(folder.iterdir()) == [broken]
