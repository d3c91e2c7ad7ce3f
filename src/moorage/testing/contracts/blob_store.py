"""The specification of `moorage.storage.blob_store.BlobStore`, as tests.

A plug-in's suite subclasses `BlobStoreContract` and defines the fixture `open_store`: a picklable function that opens the same
store each time it is called, also in another process. A store that seals subclasses `SealedStoreContract` and adds the fixture
`open_raw`, which opens the store underneath.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moorage.model.errors import StorageCorrupt
from moorage.storage import frames
from moorage.storage.blob_store import BlobReader, BlobStore, KeyTaken, ObjectMissing, StorageKey

OpenStore = Callable[[], BlobStore]

MIB = 1 << 20
_PATTERN = secrets.token_bytes(MIB + 13)  # longer than a frame by an odd amount, so that no two frames are alike

_PROPERTY = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


def new_key() -> StorageKey:
    """A random key."""
    return StorageKey(secrets.token_hex(16))


def content(size: int) -> bytes:
    """`size` bytes in which every place of some length is different."""
    return (_PATTERN * (size // len(_PATTERN) + 1))[:size]


def put(store: BlobStore, data: bytes, key: StorageKey | None = None, chunk: int = 300_000) -> StorageKey:
    """Store `data` under a new key, in pieces of at most `chunk` bytes."""
    key = key or new_key()
    writer = store.create(key)
    for start in range(0, len(data), chunk):
        writer.write(data[start : start + chunk])
    assert writer.finish() == len(data)
    return key


def read(store: BlobStore, key: StorageKey, start: int = 0, stop: int | None = None) -> bytes:
    """The bytes of an object from `start` to `stop`."""
    reader = store.open(key)
    try:
        return read_range(reader, start, reader.size if stop is None else stop)
    finally:
        reader.close()


def read_range(reader: BlobReader, start: int, stop: int) -> bytes:
    """The bytes from `start` to `stop`, view by view."""
    found = bytearray()
    while start + len(found) < stop:
        view = reader.view(start + len(found))
        assert len(view) > 0
        found += view[: stop - start - len(found)]
    return bytes(found)


def _read_elsewhere(open_store: OpenStore, key: StorageKey) -> bytes:
    store = open_store()
    try:
        return read(store, key)
    finally:
        store.close()


class BlobStoreContract:
    """What every store promises."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """Opens the store under test."""
        raise NotImplementedError("a suite defines this fixture")

    @pytest.fixture
    def store(self, open_store: OpenStore) -> Iterator[BlobStore]:
        """The store under test."""
        store = open_store()
        yield store
        store.close()

    @pytest.mark.parametrize("size", [0, 1, 300, 4096, MIB - 1, MIB, MIB + 1, 2 * MIB, 13 * MIB + 5])
    def test_what_was_written_is_read(self, store: BlobStore, size: int) -> None:
        data = content(size)
        key = put(store, data)
        reader = store.open(key)
        assert reader.size == size
        assert read_range(reader, 0, size) == data
        assert len(reader.view(size)) == 0
        reader.close()
        reader.close()

    def test_a_buffer_can_be_filled_in_place(self, store: BlobStore) -> None:
        data = content(3 * MIB + 17)
        key = new_key()
        writer = store.create(key)
        taken = 0
        while taken < len(data):
            buffer = writer.buffer()
            assert len(buffer) > 0
            assert not buffer.readonly
            count = min(len(buffer), 65_521, len(data) - taken)
            buffer[:count] = data[taken : taken + count]
            writer.advance(count)
            taken += count
            assert writer.size == taken
        assert writer.finish() == len(data)
        assert read(store, key) == data

    def test_advancing_beyond_the_buffer_is_refused(self, store: BlobStore) -> None:
        writer = store.create(new_key())
        with pytest.raises(ValueError):
            writer.advance(len(writer.buffer()) + 1)
        writer.abort()

    def test_a_range_across_every_border_is_exact(self, store: BlobStore) -> None:
        data = content(5 * MIB + 100)
        reader = store.open(put(store, data))
        for border in range(MIB, 5 * MIB + 1, MIB):
            for start, stop in (
                (border - 1, border + 1),
                (border, border + 1),
                (border - 1, border),
                (border - 70_000, border + 70_000),
            ):
                assert read_range(reader, start, min(stop, len(data))) == data[start:stop]
        assert read_range(reader, 10, 20) == data[10:20]
        reader.close()

    def test_an_unknown_key_is_missing(self, store: BlobStore) -> None:
        with pytest.raises(ObjectMissing):
            store.open(new_key())

    def test_a_key_that_leads_elsewhere_is_refused(self, store: BlobStore) -> None:
        for key in ("", "short", "../" + "a" * 32, "a" * 31 + "/", "A" * 32, "a" * 65, "a" * 32 + "\n"):
            with pytest.raises(ValueError):
                store.create(StorageKey(key))
            with pytest.raises(ValueError):
                store.open(StorageKey(key))
            with pytest.raises(ValueError):
                store.delete(StorageKey(key))

    @pytest.mark.parametrize("size", [10, 7 * MIB])
    def test_a_key_is_used_once(self, store: BlobStore, size: int) -> None:
        key = put(store, b"first")

        def again() -> None:
            put(store, content(size), key)

        with pytest.raises(KeyTaken):
            again()
        assert read(store, key) == b"first"

    def test_delete_removes_and_absent_is_success(self, store: BlobStore) -> None:
        key = put(store, b"content")
        store.delete(key)
        store.delete(key)
        with pytest.raises(ObjectMissing):
            store.open(key)

    @pytest.mark.parametrize("size", [0, 10, 9 * MIB])
    def test_abort_leaves_nothing(self, store: BlobStore, size: int) -> None:
        key = new_key()
        writer = store.create(key)
        writer.write(content(size))
        writer.abort()
        writer.abort()
        with pytest.raises(ObjectMissing):
            store.open(key)
        assert key not in set(store.keys())

    def test_finish_after_abort_is_refused(self, store: BlobStore) -> None:
        writer = store.create(new_key())
        writer.write(b"content")
        writer.abort()
        with pytest.raises(RuntimeError):
            writer.finish()
        with pytest.raises(RuntimeError):
            writer.buffer()

    def test_abort_after_finish_has_no_effect(self, store: BlobStore) -> None:
        key = new_key()
        writer = store.create(key)
        writer.write(b"content")
        writer.finish()
        writer.abort()
        assert read(store, key) == b"content"

    def test_keys_lists_what_exists(self, store: BlobStore) -> None:
        expected = {put(store, b"x") for _ in range(5)}
        assert expected <= set(store.keys())
        store.check()
        gone = expected.pop()
        store.delete(gone)
        listed = list(store.keys())
        assert gone not in listed
        assert expected <= set(listed)
        assert len(listed) == len(set(listed))

    def test_another_process_sees_finished_bytes(self, store: BlobStore, open_store: OpenStore) -> None:
        data = content(MIB + 1)
        key = put(store, data)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            assert pool.submit(_read_elsewhere, open_store, key).result(60) == data

    def test_concurrent_readers_and_writers(self, store: BlobStore) -> None:
        data = content(2 * MIB + 7)
        shared = put(store, data)
        start = threading.Barrier(6)

        def reads() -> bool:
            start.wait(60)
            return all(read(store, shared) == data for _ in range(3))

        def writes() -> bool:
            start.wait(60)
            return all(read(store, put(store, data[n:])) == data[n:] for n in range(3))

        with ThreadPoolExecutor(6) as pool:
            work = [pool.submit(reads) for _ in range(3)] + [pool.submit(writes) for _ in range(3)]
            assert all(done.result(120) for done in work)

    def test_a_descriptor_holds_the_content_or_there_is_none(self, store: BlobStore) -> None:
        reader = store.open(put(store, b"content"))
        descriptor = reader.descriptor()
        assert descriptor is None or os.pread(descriptor, 100, 0) == b"content"
        reader.close()

    def test_the_room_left_is_a_number_or_unknown(self, store: BlobStore) -> None:
        free = store.free_bytes()
        assert free is None or free > 0

    @_PROPERTY
    @given(
        chunks=st.lists(st.integers(0, 1_200_000), max_size=5),
        ranges=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 1_500_000)), max_size=4),
    )
    def test_any_chunks_and_any_ranges(self, store: BlobStore, chunks: list[int], ranges: list[tuple[float, int]]) -> None:
        data = content(sum(chunks))
        key = new_key()
        writer = store.create(key)
        taken = 0
        for chunk in chunks:
            writer.write(data[taken : taken + chunk])
            taken += chunk
        assert writer.finish() == len(data)
        reader = store.open(key)
        assert reader.size == len(data)
        for place, length in ranges:
            start = int(place * len(data))
            stop = min(start + length, len(data))
            assert read_range(reader, start, stop) == data[start:stop]
        reader.close()
        store.delete(key)


class SealedStoreContract(BlobStoreContract):
    """What a store that seals promises beyond that: nothing but the authentic bytes ever comes out, or an error."""

    @pytest.fixture
    def open_raw(self) -> OpenStore:
        """Opens the store that holds the sealed bytes."""
        raise NotImplementedError("a suite defines this fixture")

    @pytest.fixture
    def raw(self, open_raw: OpenStore) -> Iterator[BlobStore]:
        """The store with the sealed bytes."""
        raw = open_raw()
        yield raw
        raw.close()

    def replace(self, raw: BlobStore, key: StorageKey, sealed: bytes) -> None:
        """Put other bytes where an object rests."""
        raw.delete(key)
        put(raw, sealed, key)

    def refused(self, store: BlobStore, key: StorageKey, genuine: bytes) -> None:
        """Every byte that can be read is the genuine one, and at least one read is refused."""
        try:
            reader = store.open(key)
        except StorageCorrupt:
            return
        corrupt = False
        for offset in range(0, reader.size, MIB):
            try:
                view = reader.view(offset)
            except StorageCorrupt:
                corrupt = True
            else:
                assert view == genuine[offset : offset + len(view)]
        reader.close()
        assert corrupt

    def test_plaintext_does_not_rest(self, store: BlobStore, raw: BlobStore) -> None:
        marker = b"a text that would be seen"
        key = put(store, marker * 50_000)
        sealed = read(raw, key)
        assert marker[:8] not in sealed
        assert len(sealed) == frames.sealed_size(len(marker) * 50_000)

    @pytest.mark.parametrize("size", [0, 40])
    def test_every_flipped_byte_is_detected(self, store: BlobStore, raw: BlobStore, size: int) -> None:
        data = content(size)
        key = put(store, data)
        sealed = read(raw, key)
        for place in range(len(sealed)):
            changed = bytearray(sealed)
            changed[place] ^= 1
            self.replace(raw, key, bytes(changed))
            self.refused(store, key, data)

    @_PROPERTY
    @given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def test_a_flipped_bit_in_any_frame_is_detected(self, store: BlobStore, raw: BlobStore, place: float, bit: int) -> None:
        data = content(3 * MIB + 9)
        key = put(store, data)
        changed = bytearray(read(raw, key))
        changed[int(place * len(changed))] ^= 1 << bit
        self.replace(raw, key, bytes(changed))
        self.refused(store, key, data)

    def test_truncation_is_detected_at_every_border(self, store: BlobStore, raw: BlobStore) -> None:
        data = content(2 * MIB)
        key = put(store, data)
        sealed = read(raw, key)
        borders = [frames.frame_offset(n, frames.DEFAULT_FRAME_LOG2) for n in range(3)]
        for length in sorted({0, 1, len(sealed) - 1, *(border + step for border in borders for step in (-1, 0, 1, 15, 16, 17))}):
            if length < len(sealed):
                self.replace(raw, key, sealed[:length])
                self.refused(store, key, data)

    def test_added_bytes_are_detected(self, store: BlobStore, raw: BlobStore) -> None:
        data = content(MIB + 50)
        key = put(store, data)
        sealed = read(raw, key)
        for addition in (b"\0", bytes(16), bytes(17), sealed[frames.HEADER_SIZE :]):
            self.replace(raw, key, sealed + addition)
            self.refused(store, key, data)

    def test_frames_that_changed_places_are_detected(self, store: BlobStore, raw: BlobStore) -> None:
        data = content(3 * MIB + 5)
        key = put(store, data)
        sealed = read(raw, key)
        cut = [frames.frame_offset(n, frames.DEFAULT_FRAME_LOG2) for n in range(4)]
        head, one, two, three, rest = (
            sealed[: cut[0]],
            sealed[cut[0] : cut[1]],
            sealed[cut[1] : cut[2]],
            sealed[cut[2] : cut[3]],
            sealed[cut[3] :],
        )
        for order in ((two, one, three), (one, one, three), (one, three), (one, two, two, three)):
            self.replace(raw, key, head + b"".join(order) + rest)
            self.refused(store, key, data)

    def test_an_object_of_another_key_is_refused(self, store: BlobStore, raw: BlobStore) -> None:
        first, second = put(store, b"first content"), put(store, b"other content")
        self.replace(raw, first, read(raw, second))
        self.refused(store, first, b"first content")
