"""Texts from outside in logs: one line, bounded, in both formats."""

from __future__ import annotations

import json
import logging

import pytest

from moorage.model.shown import MOST_CHARACTERS, MOST_OF_A_LINE, one_line, shown
from moorage.server import logs

HOSTILE = "a\r\n2026-01-01 ERROR moorage: forged\x1b[31m\u2028\u202e\ud800"


@pytest.mark.parametrize("text", [HOSTILE, HOSTILE.encode("utf-8", "replace"), "x" * 100_000, b"\xff" * 100_000, "", "'\"\\"])
def test_names_are_quoted_and_bounded(text: str | bytes) -> None:
    found = shown(text)
    assert found[0] in "'\"" and found[-1] in "'\""
    assert found.isprintable() and len(found.splitlines()) == 1
    assert len(found) <= 6 * MOST_CHARACTERS


def test_lines_are_bounded_and_stay_one() -> None:
    assert one_line("as it is: ä €") == "as it is: ä €"
    assert len(one_line("x" * 100_000)) < MOST_OF_A_LINE + 50
    assert len(one_line(HOSTILE).splitlines()) == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_nobody_writes_a_second_line(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logs.configure(form, "info")
        logging.getLogger("moorage.test").warning("no such host: %s", HOSTILE)
        logging.getLogger("moorage.test").warning("no such host: %s", "x" * 100_000)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) < MOST_OF_A_LINE + 300
    if form == "json":
        assert json.loads(lines[0])["message"].startswith("no such host: a\\x0d\\x0a2026")
