"""What commands print: text for people, JSON for programs, a table for lists that are looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

Row = Mapping[str, Any]

with_output = click.option(
    "--output",
    "form",
    type=click.Choice(["text", "json", "table"]),
    default="text",
    metavar="text|json|table",
    show_default=True,
    help="how to print what was found",
)


def show(form: str, data: Any, text: str | Callable[[], str], rows: Sequence[Row] | None = None) -> None:
    """Print in the form that was asked for.

    Args:
        data: what JSON is made of.
        text: what people read.
        rows: what the table has; left out: `data` itself, which then is a list of flat objects, or one.
    """
    if form == "json":
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    elif form == "table":
        click.echo(_table(rows if rows is not None else data if isinstance(data, list) else [data]))
    else:
        shown = text if isinstance(text, str) else text()
        if shown:
            click.echo(shown)


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return "nothing"
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(each) for each in value) or "-"
    return " ".join(str(value).split())
