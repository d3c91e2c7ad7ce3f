"""Blobs kept in memory: what enters, what leaves, and when."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from moorage.model.errors import StorageCorrupt
from moorage.transfer.hot_blobs import HotBlobs, OpenSource

KIB = 1024
CONTENT = os.urandom(300 * KIB)


class Stored:
    """A blob in the store: 64 KiB pieces, opened by nobody else. `fails_at` is where it turns out to be corrupt."""

    def __init__(self, fails_at: int | None = None, gate: threading.Event | None = None) -> None:
        self.size = len(CONTENT)
        self.closed = False
        self._fails_at = fails_at
        self._gate = gate

    def view(self, offset: int) -> memoryview:
        assert not self.closed
        if self._gate is not None:
            assert self._gate.wait(10)
        if self._fails_at is not None and offset >= self._fails_at:
            raise StorageCorrupt("authentication")
        return memoryview(CONTENT)[offset : offset + 64 * KIB]

    def descriptor(self) -> int | None:
        return None

    def close(self) -> None:
        self.closed = True


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def hot(time: Time) -> Iterator[HotBlobs]:
    cache = HotBlobs(1024 * KIB, clock=time)
    yield cache
    cache.close()
    assert cache.held_bytes == 0


def use(hot: HotBlobs, key: str, wanted: int = len(CONTENT)) -> bool:
    """Ask for a blob; tell whether it came from memory."""
    source = hot.open(key, Stored, wanted)
    found = source.descriptor() is not None
    source.close()
    return found


def heat(hot: HotBlobs, key: str) -> None:
    use(hot, key)
    use(hot, key)
    hot.settle()


def test_the_third_use_comes_from_memory(hot: HotBlobs) -> None:
    assert [use(hot, "a"), use(hot, "a")] == [False, False]
    hot.settle()
    source = hot.open("a", Stored, 1)
    descriptor = source.descriptor()
    assert descriptor is not None
    assert os.pread(descriptor, source.size + 1, 0) == CONTENT
    assert bytes(source.view(5)) == CONTENT[5:]
    with pytest.raises(OSError, match="not permitted"):
        os.write(descriptor, b"x")
    with pytest.raises(OSError, match="not permitted"):
        os.ftruncate(descriptor, 0)
    source.close()
    source.close()


def test_uses_outside_the_window_do_not_count(hot: HotBlobs, time: Time) -> None:
    use(hot, "a")
    time.now += 61
    use(hot, "a")
    hot.settle()
    assert not use(hot, "a")


def test_ranges_count_once_they_add_up(hot: HotBlobs) -> None:
    for _ in range(10):
        assert not use(hot, "a", 30 * KIB)
    hot.settle()
    assert hot.held_bytes == 0
    use(hot, "a", 30 * KIB)
    hot.settle()
    assert use(hot, "a", 30 * KIB)


def test_without_a_budget_nothing_is_kept() -> None:
    cache = HotBlobs(0)
    for _ in range(5):
        assert not use(cache, "a")
    assert cache.held_bytes == 0


def test_a_blob_above_half_of_the_budget_is_not_kept() -> None:
    cache = HotBlobs(2 * len(CONTENT) - 2)
    heat(cache, "a")
    assert cache.held_bytes == 0
    cache.close()


def test_the_least_recently_used_makes_room(hot: HotBlobs) -> None:
    for key in "abc":
        heat(hot, key)
    assert hot.held_bytes == 3 * len(CONTENT)
    assert use(hot, "a")
    heat(hot, "d")
    heat(hot, "d")
    assert [use(hot, key) for key in "acd"] == [True, True, True]
    assert not use(hot, "b")


def test_a_working_set_larger_than_the_budget_is_not_filled_again_and_again(hot: HotBlobs) -> None:
    for _ in range(5):
        for key in "abcdefgh":
            use(hot, key)
            hot.settle()
    kept = [key for key in "abcdefgh" if use(hot, key)]
    assert kept == ["a", "b", "c"]


def test_what_was_in_demand_long_ago_gives_way(hot: HotBlobs, time: Time) -> None:
    for key in "abc":
        for _ in range(10):
            heat(hot, key)
    time.now += 61
    assert use(hot, "a")
    heat(hot, "d")
    assert use(hot, "d")


def test_what_is_in_use_is_not_evicted_and_counts(hot: HotBlobs) -> None:
    held = []
    for key in "abc":
        heat(hot, key)
        held.append(hot.open(key, Stored, 1))
    heat(hot, "d")
    assert not use(hot, "d")
    for source in held:
        descriptor = source.descriptor()
        assert descriptor is not None
        assert os.pread(descriptor, 10, 0) == CONTENT[:10]
        source.close()


def test_unused_entries_leave_after_a_while(hot: HotBlobs, time: Time) -> None:
    heat(hot, "a")
    time.now += 59
    hot.expire()
    assert hot.held_bytes == len(CONTENT)
    time.now += 2
    hot.expire()
    assert hot.held_bytes == 0


def test_corrupt_blobs_are_never_kept(hot: HotBlobs, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        hot.open("a", lambda: Stored(fails_at=200 * KIB), len(CONTENT)).close()
    hot.settle()
    assert hot.held_bytes == 0
    assert not use(hot, "a")
    assert len(caplog.records) == 1


def test_forgetting_drops_an_entry_but_not_under_a_transfer(hot: HotBlobs) -> None:
    heat(hot, "a")
    source = hot.open("a", Stored, 1)
    hot.forget("a")
    assert not use(hot, "a")
    descriptor = source.descriptor()
    assert descriptor is not None
    assert os.pread(descriptor, 10, 0) == CONTENT[:10]
    source.close()
    assert hot.held_bytes == 0


def test_forgetting_stops_a_fill_under_way(hot: HotBlobs) -> None:
    gate = threading.Event()
    opened: list[Stored] = []

    def opener() -> OpenSource:
        opened.append(Stored(gate=gate))
        return opened[-1]

    for _ in range(2):
        hot.open("a", opener, len(CONTENT)).close()
    hot.forget("a")
    gate.set()
    hot.settle()
    assert hot.held_bytes == 0
    assert all(source.closed for source in opened)


def test_many_threads_fill_once_and_read_the_truth(hot: HotBlobs) -> None:
    barrier = threading.Barrier(8)
    wrong: list[str] = []
    fills: list[int] = []

    def counted() -> OpenSource:
        if threading.current_thread().name == "hot-blobs":
            fills.append(1)
        return Stored()

    def work() -> None:
        barrier.wait()
        for turn in range(200):
            source = hot.open("a", counted, len(CONTENT))
            descriptor = source.descriptor()
            start = turn * 1000 % len(CONTENT)
            part = os.pread(descriptor, 100, start) if descriptor is not None else bytes(source.view(start)[:100])
            if part != CONTENT[start : start + 100][: len(part)] or not part:
                wrong.append(f"{turn}")
            source.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    hot.settle()  # the fill runs in a thread of its own, which may come later than all who asked
    assert fills == [1]
