"""Reference pages made from the code: ``make reference`` writes them, a test compares them with what is committed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from moorage.testing.reference import commands, errors, operations, routes, settings

ROOT = Path(__file__).resolve().parents[4]
"""The checkout: pages are written there, and tests are looked up there."""

FOLDER = Path("docs") / "reference"
_PAGES: dict[str, Callable[[], str]] = {
    "settings": settings.page,
    "commands": commands.page,
    "operations": lambda: operations.page(ROOT),
    "errors": errors.page,
    "routes": routes.page,
}


def pages() -> dict[Path, str]:
    """Every page, by its path below the checkout, as the code of this moment has it."""
    return {FOLDER / f"{name}.md": make() for name, make in _PAGES.items()}
