"""Links, commands, flags and variables that pages name."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from moorage.cli.main import main
from moorage.server.settings import FIELDS
from moorage.testing.reference.commands import commands
from moorage.testing.reference.settings import VARIABLES, variable_of
from tests.clients import ROOT
from tests.docs.pages import every_page, inline_code, shell_blocks, simple_commands, text_of

PAGES = every_page()
USERS_PAGES = [page for page in PAGES if page.parts[0] != "bench"]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_MACHINE = re.compile(r"(?<![\w.])/(?:work|root|Users|home/\w+)/|\.pyenv|/tmp/\w+/")
_FLAGS_OF_OTHERS = {"--endpoint-url", "--region", "--tls-verify", "--cache-to"}


def _ids(page: Path) -> str:
    return page.as_posix()


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(text_of(page)):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        found = (ROOT / page).parent / path if path else ROOT / page
        assert found.exists(), f"{page} links to {target}"
        assert found.resolve().is_relative_to(ROOT), f"{page} links out of the checkout: {target}"
        if anchor:
            assert anchor in _anchors(found), f"{page} links to {target}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_no_path_of_one_machine(page: Path) -> None:
    assert not _MACHINE.findall(text_of(page))


@pytest.mark.parametrize("page", USERS_PAGES, ids=_ids)
def test_commands_parse(page: Path) -> None:
    for block in shell_blocks(page):
        for command in simple_commands(block):
            if Path(command[0]).name == "moorage":
                _parse(command[1:])
    for text in inline_code(page):
        if text.startswith("moorage "):
            for words in simple_commands(text.replace("<", "").replace(">", "")):
                _parse(words[1:], is_mention=True)


def _parse(words: list[str], *, is_mention: bool = False) -> None:
    """Parse a command as click does, without running it. A mention may leave out what the command needs."""
    command: click.Command = main
    names = ["moorage"]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"there is no command {' '.join([*names, words[0]])}"
        names.append(words[0])
        command, words = found, words[1:]
    if is_mention and isinstance(command, click.Group) and not words:
        return
    try:
        command.make_context(" ".join(names), list(words))
    except click.MissingParameter:
        assert is_mention, f"{' '.join([*names, *words])} lacks an argument"
    except click.exceptions.Exit as ended:
        assert ended.exit_code == 0


@pytest.mark.parametrize(
    "wrong", [["nothing"], ["serve", "--nothing"], ["key", "delete"], ["fsck", "extra"], ["account", "crate", "name"]]
)
def test_a_wrong_command_does_not_parse(wrong: list[str]) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        _parse(wrong)


@pytest.mark.parametrize("page", USERS_PAGES, ids=_ids)
def test_flags_exist(page: Path) -> None:
    known = {option for _, command in commands() for parameter in command.params for option in parameter.opts}
    known |= {option for _, command in commands() for parameter in command.params for option in parameter.secondary_opts}
    known |= {"--help", "--version"} | _FLAGS_OF_OTHERS
    named = {text.split()[0].partition("=")[0] for text in inline_code(page) if text.startswith("--")}
    assert named <= known


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_variables_exist(page: Path) -> None:
    known = {variable_of(name) for name in FIELDS} | VARIABLES.keys()
    assert set(re.findall(r"\bMOORAGE_[A-Z_]*[A-Z]", text_of(page))) <= known


def test_the_index_names_every_page() -> None:
    index = Path("docs") / "index.md"
    linked = {((ROOT / index).parent / target.partition("#")[0]).resolve() for target in _LINK.findall(text_of(index))}
    assert {ROOT / page for page in PAGES if page.parts[0] == "docs" and page != index} <= linked


WALKED = [page for page in PAGES if page.parts[:2] in {("docs", "how-to"), ("docs", "tutorials")} and shell_blocks(page)]
_TESTS = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))


@pytest.mark.parametrize("page", WALKED, ids=_ids)
def test_a_test_walks_the_page(page: Path) -> None:
    """Whoever adds a page with commands adds a test that runs them."""
    assert f'{page.name}"' in _TESTS
