"""Pages of lists: every one starts after a key, so that entries that come or go meanwhile are neither lost nor repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

Key = Sequence[str | int]
"""What a page comes after; empty before the first."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some entries, and the key of the last one if there are more."""

    items: list[T]
    last: Key | None


def after_text(after: Key) -> str:
    """The one text that a key consists of; empty before the first page."""
    return str(after[0]) if after else ""


def page_of(found: Sequence[T], count: int, key: Callable[[T], Key]) -> Page[T]:
    """A page of what a query found that was asked for `count` + 1 entries."""
    items = list(found[:count])
    return Page(items, key(items[-1]) if len(found) > count else None)


def cut(found: Iterable[T], after: Key, count: int, key: Callable[[T], Key]) -> Page[T]:
    """A page of a list that a quota keeps short, in the order of the keys."""
    ordered = sorted(found, key=lambda item: list(key(item)))
    return page_of([item for item in ordered if list(key(item)) > list(after)][: count + 1], count, key)


def short_key(text: str) -> Key:
    """A key in the order of the texts' beginnings for texts that a marker would be too long with."""
    return [text[:32], hashlib.sha256(text.encode()).hexdigest()[:16]]
