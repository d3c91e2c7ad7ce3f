"""The arithmetic and the header of sealed objects, with frame sizes other than the default."""

from __future__ import annotations

import os
import resource
import secrets
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moorage.model.errors import StorageCorrupt, StorageFull
from moorage.storage import frames
from moorage.storage.blob_store import StorageKey
from moorage.storage.local import LocalStore
from moorage.storage.sealed import SealedReader, SealedWriter


@given(size=st.integers(0, 1 << 45), frame_log2=st.sampled_from(frames.FRAME_LOG2_RANGE))
def test_sizes_go_there_and_back(size: int, frame_log2: int) -> None:
    assert frames.plain_size(frames.sealed_size(size, frame_log2), frame_log2) == size


@given(sealed=st.integers(0, 1 << 20))
def test_a_size_is_the_size_of_some_object_or_refused(sealed: int) -> None:
    try:
        size = frames.plain_size(sealed, 12)
    except StorageCorrupt:
        return
    assert frames.sealed_size(size, 12) == sealed


def test_a_header_names_the_frame_size() -> None:
    for frame_log2 in frames.FRAME_LOG2_RANGE:
        header = frames.make_header(frame_log2)
        assert len(header) == frames.HEADER_SIZE
        assert frames.parse_header(header) == frame_log2
    for frame_log2 in (0, 11, 25, 255):
        with pytest.raises(ValueError):
            frames.make_header(frame_log2)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame_log2=st.sampled_from([12, 14, 18, 20, 21]), size=st.integers(0, 5_000_000), offset=st.integers(0, 5_000_000))
def test_readers_take_the_frame_size_from_the_header(tmp_path: Path, frame_log2: int, size: int, offset: int) -> None:
    store = LocalStore(tmp_path)
    key = StorageKey(secrets.token_hex(16))
    data_key = os.urandom(32)
    data = os.urandom(4099) * (size // 4099 + 1)
    writer = SealedWriter(store.create(key), data_key, key, frame_log2)
    writer.write(data[:size])
    assert writer.finish() == size
    raw = store.open(key)
    assert raw.size == frames.sealed_size(size, frame_log2)
    reader = SealedReader(raw, data_key, key, size)
    view = reader.view(offset)
    assert view == data[offset : offset + len(view)] if offset < size else len(view) == 0
    assert offset >= size or len(view) == min(size, ((offset >> frame_log2) + 1) << frame_log2) - offset
    reader.close()


def test_a_size_that_the_metadata_does_not_know_is_corrupt(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    key = StorageKey(secrets.token_hex(16))
    data_key = os.urandom(32)
    writer = SealedWriter(store.create(key), data_key, key)
    writer.write(b"content")
    writer.finish()
    with pytest.raises(StorageCorrupt):
        SealedReader(store.open(key), data_key, key, 8)
    with pytest.raises(StorageCorrupt):
        SealedReader(store.open(key), os.urandom(32), key)


def test_a_writer_that_failed_seals_nothing_more(tmp_path: Path) -> None:
    """Other content under the nonce of the frame that failed would give both away."""
    store = LocalStore(tmp_path)
    key = StorageKey(secrets.token_hex(16))
    writer = SealedWriter(store.create(key), os.urandom(32), key)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))  # a write beyond it fails as on a full disk
    try:
        with pytest.raises(StorageFull):
            writer.write(bytes(1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    for attempt in (writer.finish, writer.buffer, lambda: writer.write(b"x")):
        with pytest.raises(RuntimeError):
            attempt()
    writer.abort()
    assert list(store.keys()) == []
