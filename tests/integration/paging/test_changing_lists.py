"""While a list is walked, items come and go: what was there all the time is seen once, and nothing is seen twice."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from moorage.testing.server import KeyPair, MoorageServer
from tests.integration.paging.lists import CHANGING, Changing, Images, ImageTags, Repositories, counts


@pytest.fixture(params=CHANGING, ids=lambda kind: kind.__name__)
def changing(request: pytest.FixtureRequest, server: MoorageServer, account: KeyPair) -> Changing:
    made: Changing = request.param(server, account)
    return made


def walk(changing: Changing, size: int, between: Any) -> list[Any]:
    """All items, page by page, with something done after each page."""
    seen: list[Any] = []
    token = None
    while True:
        page = changing.page(size, token)
        seen += changing.items(page)
        token = page.get("nextToken")
        if token is None:
            return seen
        between(seen)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_item_at_which_a_page_ended_goes_away(changing: Changing, size: int) -> None:
    before = changing.everything()
    seen = walk(changing, size, lambda so_far: changing.drop(so_far[-1]))
    assert seen == before


def test_items_that_come_and_go(changing: Changing) -> None:
    before = changing.everything()
    gone: set[Any] = set()

    def change(so_far: list[Any]) -> None:
        changing.add()
        waiting = [name for name in before if name not in so_far and name not in gone]
        if len(waiting) > 2:
            changing.drop(waiting[1])
            gone.add(waiting[1])

    seen = walk(changing, 1, change) if isinstance(changing, ImageTags | Images) else walk_bounded(changing, change)
    assert not list(counts(seen))
    assert [name for name in seen if name in before] == [name for name in before if name not in gone]


def walk_bounded(changing: Changing, change: Any) -> list[Any]:
    """As `walk`, of a list at whose end new items appear: after a while no more are made, or it would never end."""
    turns = iter(range(4))
    return walk(changing, 1, lambda so_far: change(so_far) if next(turns, None) is not None else None)


@pytest.mark.parametrize("kind", [Images, ImageTags, Repositories])
def test_others_write_all_the_time(server: MoorageServer, account: KeyPair, kind: type[Changing]) -> None:
    changing = kind(server, account)
    before = changing.everything()
    stop = threading.Event()
    failures: list[Exception] = []

    def write() -> None:
        try:
            while not stop.is_set():
                changing.add()
                others = [name for name in changing.everything() if name not in before]
                changing.drop(others[0])
        except Exception as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            seen = walk(changing, 2, lambda _: None)
            assert not list(counts(seen))
            assert [name for name in seen if name in before] == before
    finally:
        stop.set()
        writer.join()
    assert not failures
