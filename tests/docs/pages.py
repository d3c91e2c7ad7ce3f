"""The pages of the documentation, and what can be found in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from tests.clients import ROOT

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([^`\s]+)`[^`\n]*:\n\n```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INTO_FILE = re.compile(r" [12]?>>? ?\S+$")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def every_page() -> list[Path]:
    """Every Markdown file of the checkout, relative to it."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").rglob("*.md")]
    return sorted(path.relative_to(ROOT) for path in found)


def text_of(page: Path) -> str:
    """The text of a page."""
    return (ROOT / page).read_text("utf-8")


def shell_blocks(page: Path) -> list[str]:
    """The shell commands of a page, block by block."""
    return [body for language, body in _BLOCK.findall(text_of(page)) if language == "sh"]


def files(page: Path) -> dict[str, str]:
    """The files that a page shows whole, by the names that its text gives them just before each."""
    return {name: body for name, language, body in _FILE.findall(text_of(page)) if language != "sh"}


def json_files(page: Path) -> dict[str, str]:
    """Those that are JSON."""
    return {name: body for name, body in files(page).items() if name.endswith(".json")}


def inline_code(page: Path) -> list[str]:
    """What stands between single backquotes, outside of blocks."""
    return _INLINE.findall(_BLOCK.sub("", text_of(page)))


def simple_commands(script: str) -> Iterator[list[str]]:
    """The commands of a script, each as its words, without a last redirection, assignments before it and comments behind it."""
    for line in script.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(_INTO_FILE.sub("", line), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        command: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("|&;()"):
                if command:
                    yield command
                command = []
            elif command or not re.match(r"[A-Z_]+=", word):
                command.append(word)
