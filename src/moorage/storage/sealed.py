"""Sealing around any store: content goes in and out in the clear, what rests in the store is `moorage.storage.frames`."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moorage.model.errors import StorageCorrupt
from moorage.storage import buffers, frames
from moorage.storage.blob_store import BlobReader, BlobWriter, StorageKey, StoreUnavailable


class SealedWriter:
    """Seals into `raw` what it takes. The data key must be fresh: it seals this object and nothing else.

    Frames are encrypted straight into the raw writer's buffer where that has the room, so a byte is copied once on its way.
    """

    def __init__(self, raw: BlobWriter, data_key: bytes, key: StorageKey, frame_log2: int = frames.DEFAULT_FRAME_LOG2) -> None:
        header = frames.make_header(frame_log2)
        self._raw = raw
        self._cipher = _cipher(data_key)
        self._bound = frames.associated_data(header, key)
        self._frame_size = 1 << frame_log2
        self._frame = _FrameBuffer(self._frame_size)
        self._filled = 0
        self._frames_sealed = 0
        self._ended = False
        self._broken = False
        raw.write(header)

    @property
    def size(self) -> int:
        """Bytes of content taken so far."""
        return self._frames_sealed * self._frame_size + self._filled

    def buffer(self) -> memoryview:
        """The rest of the current frame."""
        self._must_be_open()
        return self._frame.view[self._filled :]

    def advance(self, count: int) -> None:
        """Take `count` bytes of the last `buffer`; a frame that is full now is sealed at once, while it is in the cache."""
        self._must_be_open()
        if not 0 <= count <= self._frame_size - self._filled:
            raise ValueError("more than the buffer's room")
        self._filled += count
        if self._filled == self._frame_size:
            self._seal(self._frame.view, last=False)
            self._frames_sealed += 1
            self._filled = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take `data`. Whole frames of it are sealed from where they lie, without a copy."""
        self._must_be_open()
        rest = memoryview(data).cast("B")
        while rest:
            if self._filled == 0 and len(rest) >= self._frame_size:
                self._seal(rest[: self._frame_size], last=False)
                self._frames_sealed += 1
                rest = rest[self._frame_size :]
                continue
            count = min(len(rest), self._frame_size - self._filled)
            self._frame.view[self._filled : self._filled + count] = rest[:count]
            self.advance(count)
            rest = rest[count:]

    def finish(self) -> int:
        """Seal the last frame and finish the raw object; return the size of the content."""
        self._must_be_open()
        size = self.size
        self._seal(self._frame.view[: self._filled] if self._filled else memoryview(b""), last=True)
        self._raw.finish()
        self._end()
        return size

    def abort(self) -> None:
        """Give up: the raw object is aborted."""
        self._raw.abort()
        self._end()

    def _seal(self, content: memoryview, last: bool) -> None:
        self._broken = True  # until it has worked: other content must never be sealed under the nonce of a frame that failed
        nonce = frames.nonce(self._frames_sealed, last)
        needed = len(content) + frames.TAG_SIZE
        room = self._raw.buffer()
        if len(room) >= needed:
            self._cipher.encrypt_into(nonce, content, self._bound, room[:needed])
            self._raw.advance(needed)
        else:
            self._raw.write(self._cipher.encrypt(nonce, content, self._bound))
        self._broken = last

    def _must_be_open(self) -> None:
        if self._ended or self._broken:
            raise RuntimeError("the writer has been finished or aborted, or has failed")

    def _end(self) -> None:
        self._ended = True
        self._frame.release()


class SealedReader:
    """Opens the frames of one object as they are asked for, and keeps the last one.

    `size` is what the caller knows about the content from a trusted place (the metadata); without it the last frame is opened
    at once, since only that proves how long the object is. Raises StorageCorrupt when size or header are wrong; `raw` is closed
    then.
    """

    def __init__(self, raw: BlobReader, data_key: bytes, key: StorageKey, size: int | None = None) -> None:
        self._raw = raw
        self._cipher = _cipher(data_key)
        self._frame: _FrameBuffer | None = None
        self._scratch: _FrameBuffer | None = None
        self._loaded = -1
        self._length = 0
        try:
            header = bytes(self._raw_bytes(0, frames.HEADER_SIZE))
            self._frame_log2 = frames.parse_header(header)
            self._bound = frames.associated_data(header, key)
            self._size = frames.plain_size(raw.size, self._frame_log2)
            self._last_frame = self._size >> self._frame_log2
            if size is None:
                self._load(self._last_frame)
            elif size != self._size:
                raise StorageCorrupt(f"an object of {size} bytes has {self._size} bytes now")
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """The length of the content."""
        return self._size

    def view(self, offset: int) -> memoryview:
        """Content from `offset` to the end of its frame; empty at the end."""
        if offset < 0:
            raise ValueError("a negative offset")
        if offset >= self._size:
            return memoryview(b"")
        index = offset >> self._frame_log2
        if index != self._loaded:
            self._load(index)
        assert self._frame is not None
        return self._frame.view[offset - (index << self._frame_log2) : self._length]

    def descriptor(self) -> None:
        """None: the file holds no plaintext."""

    def close(self) -> None:
        """Close the raw reader and give the buffers back."""
        self._loaded = -1
        for buffer in (self._frame, self._scratch):
            if buffer is not None:
                buffer.release()
        self._frame = self._scratch = None
        self._raw.close()

    def _load(self, index: int) -> None:
        last = index == self._last_frame
        length = self._size - (index << self._frame_log2) if last else 1 << self._frame_log2
        if self._frame is None:
            self._frame = _FrameBuffer(1 << self._frame_log2)
        self._loaded = -1
        sealed = self._raw_bytes(frames.frame_offset(index, self._frame_log2), length + frames.TAG_SIZE)
        try:
            self._cipher.decrypt_into(frames.nonce(index, last), sealed, self._bound, self._frame.view[:length])
        except InvalidTag:
            raise StorageCorrupt(f"frame {index} of a sealed object fails authentication") from None
        self._loaded, self._length = index, length

    def _raw_bytes(self, offset: int, length: int) -> memoryview:
        """Exactly `length` raw bytes in one piece: read from the file, or a piece that the raw reader has, or pieces put
        together.
        """
        descriptor = self._raw.descriptor()
        if descriptor is None:
            piece = self._raw.view(offset)
            if len(piece) >= length:
                return piece[:length]
        if self._scratch is None:
            self._scratch = _FrameBuffer(max(length, frames.HEADER_SIZE), pool=buffers.PIECES)
        elif len(self._scratch.view) < length:
            self._scratch.release()
            self._scratch = _FrameBuffer(length, pool=buffers.PIECES)
        target = self._scratch.view[:length]
        filled = 0
        while filled < length:
            if descriptor is not None:
                try:
                    count = os.preadv(descriptor, [target[filled:]], offset + filled)
                except OSError as error:
                    raise StoreUnavailable(f"a sealed object cannot be read: {error.strerror}") from error
            else:
                piece = self._raw.view(offset + filled)[: length - filled]
                count = len(piece)
                target[filled : filled + count] = piece
            if count == 0:
                raise StorageCorrupt("a sealed object ends too early")
            filled += count
        return target


class _FrameBuffer:
    """A buffer from `pool` if the pool's size will do, else one of its own."""

    def __init__(self, size: int, pool: buffers.BufferPool = buffers.FRAMES) -> None:
        self._pool = pool if size <= pool.size else None
        self._whole = self._pool.acquire() if self._pool else memoryview(bytearray(size))
        self.view = self._whole[:size] if pool is buffers.FRAMES else self._whole

    def release(self) -> None:
        """Give the memory back. Idempotent."""
        if self._pool is not None:
            self._pool.release(self._whole)
            self._pool = None
        self.view = memoryview(b"")


def _cipher(data_key: bytes) -> AESGCM:
    if len(data_key) != frames.KEY_SIZE:
        raise ValueError("a data key has 32 bytes")
    return AESGCM(data_key)
