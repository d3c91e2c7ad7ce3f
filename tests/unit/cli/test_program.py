"""The frame around the commands: statuses, one line instead of a traceback, forms of output, and how little a start imports."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from moorage.cli import accounts as account_commands
from moorage.cli.main import COMMANDS, main
from moorage.operations.accounts import accounts
from moorage.server.settings import FIELDS
from moorage.testing.reference.commands import commands
from tests.crash import databases

CPU_SECONDS = 0.6
"""What a start may cost at most: the target is 0.3 s of one core of today, and machines of tests are slower. Importing the
server costs over a second."""
HEAVY = [
    "sqlalchemy",
    "botocore",
    "aiohttp",
    "httptools",
    "obstore",
    "cryptography",
    "psycopg",
    "moorage.server.app",
    "moorage.metadata",
]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MOORAGE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    databases.installation(tmp_path / "data")
    return tmp_path / "data"


def test_lines_of_help_are_what_the_commands_say() -> None:
    context = click.Context(main)
    for name, (_, line) in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None
        assert command.name == name
        full = (command.help or "").partition("\n")[0]
        assert full.startswith(line.rstrip(".")), name
    assert account_commands._ACCESS_ROLE == accounts.ACCESS_ROLE


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--version"], 0),
        (["--help"], 0),
        (["serve", "--help"], 0),
        ([], 252),
        (["nothing"], 252),
        (["serve", "--nothing"], 252),
        (["serve", "--workers", "many"], 252),
        (["serve", "--region", "nowhere"], 252),
        (["key", "delete"], 252),
        (["account", "create", ""], 252),
        (["account", "create", "name", "--id", "12"], 252),
        (["account", "list", "--output", "yaml"], 252),
        (["account", "list", "--config", "/nowhere/m.toml"], 253),
        (["account", "list", "--data", "/nowhere"], 253),
    ],
)
def test_statuses(arguments: list[str], status: int) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == status, done.output
    assert "Traceback" not in done.output


def test_settings_of_the_surroundings_have_another_status_than_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOORAGE_WORKERS", "many")
    assert CliRunner().invoke(main, ["settings"]).exit_code == 253
    monkeypatch.delenv("MOORAGE_WORKERS")
    (tmp_path / "m.toml").write_text("wokers = 2\n")
    done = CliRunner().invoke(main, ["settings", "--config", str(tmp_path / "m.toml")])
    assert (done.exit_code, "did you mean 'workers'?" in done.stderr) == (253, True)
    monkeypatch.setenv("MOORAGE_WOKERS", "2")
    done = CliRunner().invoke(main, ["settings"])
    assert done.exit_code == 0
    assert done.stderr == "moorage: warning: MOORAGE_WOKERS is ignored, for it is no setting: did you mean MOORAGE_WORKERS?\n"


def test_what_nobody_expected_is_one_line_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a surprise\nof two lines")

    monkeypatch.setattr(accounts, "list_accounts", broken)
    done = CliRunner().invoke(main, ["account", "list", "--data", str(folder)])
    assert done.exit_code == 255
    said = "a fault of Moorage: RuntimeError: a surprise of two lines (moorage --debug ... shows where)"
    assert done.stderr == f"moorage: {said}\n"
    with pytest.raises(RuntimeError):
        CliRunner().invoke(main, ["--debug", "account", "list", "--data", str(folder)], catch_exceptions=False)


def test_ctrl_c(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(accounts, "list_accounts", interrupted)
    assert CliRunner().invoke(main, ["account", "list", "--data", str(folder)]).exit_code == 130


def test_a_reader_that_goes_away(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "moorage", "settings", "--output", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 255


@pytest.mark.parametrize("form", ["text", "json", "table"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["account", "list"],
        ["account", "create", "another"],
        ["key", "create"],
        ["public", "list"],
        ["settings"],
        ["fsck"],
        ["doctor"],
        ["explain", "--principal", "000000000000", "--action", "ecr:GetAuthorizationToken"],
        ["who-can", "ecr:BatchGetImage", "app"],
        ["tls", "init"],
    ],
    ids=" ".join,
)
def test_every_form_of_output(folder: Path, arguments: list[str], form: str) -> None:
    done = CliRunner().invoke(main, [*arguments, "--output", form, "--data", str(folder)])
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    if form == "json":
        data: Any = json.loads(done.stdout)
        assert isinstance(data, dict | list)
    else:
        assert done.stdout.strip()


def test_every_command_that_prints_data_has_every_form() -> None:
    silent = {"moorage serve", "moorage key enable", "moorage key disable", "moorage key delete", "moorage public alias"}
    silent |= {"moorage public verify", "moorage policy suggest"}  # a policy is JSON
    silent |= {"moorage jobs retry", "moorage jobs cancel"}
    for words, command in commands():
        has_output = any("--output" in parameter.opts for parameter in command.params)
        assert has_output != (words in silent), words


def test_settings_of_the_server_are_flags_of_the_server() -> None:
    for words, command in commands():
        taken = {parameter.name for parameter in command.params} & FIELDS.keys()
        if words in {"moorage serve", "moorage settings"}:
            assert taken == FIELDS.keys()
        else:
            assert len(taken) <= 6, words


@pytest.mark.parametrize("arguments", [["--version"], ["nothing"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_a_start_imports_no_server(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom moorage.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        f"found = [name for name in {HEAVY!r} if name in sys.modules]\nsys.exit(str(found) if found else 0)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr[-500:]
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < CPU_SECONDS


def test_a_command_on_the_database_costs_little_more_than_its_library(folder: Path) -> None:
    library = cpu_seconds([sys.executable, "-c", "import sqlalchemy"])
    command = cpu_seconds([sys.executable, "-m", "moorage", "account", "list", "--data", str(folder)])
    assert command < 1.8 * library, (command, library)


def cpu_seconds(command: list[str]) -> float:
    """The least of five runs: whatever else the machine does adds to it."""
    runs = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True, timeout=60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        runs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(runs)


def test_completion() -> None:
    environment = {**os.environ, "_MOORAGE_COMPLETE": "bash_complete", "COMP_WORDS": "moorage pub", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "moorage"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == "plain,public\n", done.stderr
