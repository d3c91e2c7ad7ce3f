"""What a process remembers of one database between transactions.

A database has one `Memory`, and all of its transactions see it. What is kept there is a copy of committed rows that says itself
how long it counts (an epoch, a version); whoever keeps something decides what and how much. Nothing here is shared by databases.
"""

from __future__ import annotations

from typing import Any, TypeVar

K = TypeVar("K")


class Memory:
    """One object of each kind, made when first asked for. Any thread may ask."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[type[Any], Any] = {}

    def of(self, kind: type[K]) -> K:
        """The object of this kind; `kind` is called without arguments to make it."""
        kept: K | None = self._kept.get(kind)
        if kept is None:
            kept = self._kept.setdefault(kind, kind())
        return kept
