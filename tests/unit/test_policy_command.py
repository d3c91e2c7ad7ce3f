"""``moorage policy check``: what it prints, and its exit status."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from moorage.cli.main import main

GOOD = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:PutImage", "Resource": "*"}]}'
GRANT = '{"Version": "2012-10-17", "Statement": [\n{"Effect": "Allow", "Principal": "*", "Action": "ecr:PutImages"}]}'


def check(folder: Path, text: str, *options: str) -> tuple[int, str]:
    """Exit status and output, without the folder."""
    file = folder / "p.json"
    file.write_text(text)
    done = CliRunner().invoke(main, ["policy", "check", str(file), *options])
    return done.exit_code, done.output.replace(f"{folder}/", "")


def test_nothing_to_say(tmp_path: Path) -> None:
    assert check(tmp_path, GOOD) == (0, "")
    assert check(tmp_path, GOOD, "--kind", "identity") == (0, "")


def test_errors_and_findings(tmp_path: Path) -> None:
    assert check(tmp_path, GRANT) == (
        1,
        "p.json:2: error: Policy document should not specify a principal. (statement 1)\n",
    )
    assert check(tmp_path, GRANT, "--kind", "repository") == (
        1,
        "p.json:2: finding: unknown action: ecr:PutImages: ecr has no such action\n",
    )
    assert check(tmp_path, "{", "--kind", "trust")[0] == 1


@pytest.mark.parametrize("options", [["--kind", "nothing"], ["--nothing"], ["another"]])
def test_wrong_input(tmp_path: Path, options: list[str]) -> None:
    assert check(tmp_path, GOOD, *options)[0] == 252


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["policy", "check", str(tmp_path / "none.json")])
    assert (done.exit_code, "none.json" in done.output) == (252, True)
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe{")
    done = CliRunner().invoke(main, ["policy", "check", str(tmp_path / "bytes.json")])
    assert (done.exit_code, "not UTF-8" in done.output) == (252, True)
