"""``python -m moorage.testing.reference``: write the generated pages into the checkout."""

from __future__ import annotations

import click

from moorage.testing.reference import ROOT, pages


def main() -> None:
    """Write what has changed and say so."""
    for path, text in pages().items():
        target = ROOT / path
        if not target.exists() or target.read_text("utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
            click.echo(f"wrote {path}")


if __name__ == "__main__":
    main()
