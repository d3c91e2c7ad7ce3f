"""The targets of the Makefile: each is named where people look, and makes what it needs by itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients import ROOT
from tests.docs.pages import text_of

TARGETS = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def _make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Call make as from a shell: the make that runs the tests would be its parent, and have a say."""
    plain = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    return subprocess.run(["make", *arguments], cwd=folder, env=plain, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """What a fresh clone has of what make looks at: nothing is installed."""
    for name in ("Makefile", "pyproject.toml", "requirements"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def test_every_target_is_named() -> None:
    phony = set(re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)[0].split())
    assert phony == {"help", *TARGETS}
    assert {line.split()[1] for line in _make().stdout.splitlines()} == set(TARGETS)
    named = set(re.findall(r"^\| `make (\w+)`", text_of(Path("CONTRIBUTING.md")), re.MULTILINE))
    assert set(TARGETS) - {"clean"} == named


@pytest.mark.parametrize("target", sorted(set(TARGETS) - {"clean"}))
def test_a_target_makes_what_it_needs(fresh: Path, target: str) -> None:
    planned = _make("-n", target, folder=fresh)
    assert planned.returncode == 0, planned.stderr
    steps = planned.stdout
    assert steps.index("-m venv .venv") < steps.index("requirements/serve.txt")
    if target == "conformance":
        assert steps.index("install_clients.py conformance") < steps.index("conformance/run.py")
    if target == "test":
        assert steps.index(".venv/awscli/bin/python") < steps.index("install_clients.py") < steps.index("-m pytest")
    if target == "bench":
        assert steps.index(".venv/bench/bin/python") < steps.index("-m bench")


def test_an_old_python_is_said_to_be_one(fresh: Path) -> None:
    old = fresh / "python3.9"
    told = "import sys; sys.version_info = (3, 9, 18); exec(sys.argv[1])"
    old.write_text(f'#!/bin/sh\ntest "$1" = -c && exec {sys.executable} -c \'{told}\' "$2"\n')
    old.chmod(0o755)
    done = _make("serve", f"PYTHON={old}", folder=fresh)
    assert done.returncode == 2
    assert f"Moorage needs Python 3.11 or newer, and {old} is 3.9: name another one" in done.stderr
    assert not (fresh / ".venv").exists()


def test_a_client_that_is_not_known(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/install_clients.py"), "netscape"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.partition(":")[0]) == (1, "no client of the tests")
