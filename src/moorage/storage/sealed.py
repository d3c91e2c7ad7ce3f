"""Sealed objects: AES-256-GCM in frames, so that a range opens only the frames it touches.

Format: a header of 16 bytes (magic, version, log2 of the frame size), then frames of that many bytes of content and a
tag each; the last may be shorter, and an object always has one. One data key per object; the nonce is the frame's
number with a flag for the last one (the STREAM construction); header and storage key are bound to every frame. So
frames that are altered, cut off, swapped, or of another object do not open.
"""

from __future__ import annotations

import threading

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moorage.model.errors import StorageCorrupt
from moorage.storage.blob_store import BlobReader, BlobWriter, StorageKey

FRAME_BITS = 20
TAG_BYTES = 16
_MAGIC = b"MOORSEAL"
_VERSION = 1
_HEADER_BYTES = 16
_FRAME_BITS_MIN, _FRAME_BITS_MAX = 12, 24
_FULL_BUFFER = (1 << FRAME_BITS) + TAG_BYTES
_SMALL_BYTES = 64 * 1024
_SPARE_BUFFERS = 12


def sealed_size(size: int, frame_bits: int = FRAME_BITS) -> int:
    """How many bytes `size` bytes of content take."""
    frames = max(1, -(-size // (1 << frame_bits)))
    return _HEADER_BYTES + size + frames * TAG_BYTES


def plain_size(stored: int, frame_bits: int = FRAME_BITS) -> int:
    """How many bytes of content `stored` bytes hold. Raises StorageCorrupt for a length that no object has."""
    body, full = stored - _HEADER_BYTES, (1 << frame_bits) + TAG_BYTES
    whole, rest = divmod(body, full)
    if body < TAG_BYTES or 0 < rest < TAG_BYTES or (rest == TAG_BYTES and whole):
        raise StorageCorrupt(f"an object of {stored} bytes is cut off")
    return (whole << frame_bits) + max(0, rest - TAG_BYTES)


def _header(frame_bits: int) -> bytes:
    return _MAGIC + bytes((_VERSION, frame_bits)) + bytes(_HEADER_BYTES - len(_MAGIC) - 2)


def _nonce(frame: int, *, last: bool) -> bytes:
    return frame.to_bytes(11, "big") + (b"\x01" if last else b"\x00")


class _Buffers:
    """Frame buffers that are used again; a bounded number is kept while nobody needs them."""

    def __init__(self) -> None:
        self._spare: list[bytearray] = []
        self._lock = threading.Lock()

    def take(self) -> bytearray:
        with self._lock:
            return self._spare.pop() if self._spare else bytearray(_FULL_BUFFER)

    def give(self, buffer: bytearray) -> None:
        with self._lock:
            if len(buffer) == _FULL_BUFFER and len(self._spare) < _SPARE_BUFFERS:
                self._spare.append(buffer)

    def clear(self) -> None:
        with self._lock:
            self._spare.clear()


_buffers = _Buffers()


def drop_spare_buffers() -> None:
    """Give the memory of idle buffers back."""
    _buffers.clear()


class SealedWriter:
    """Seals what it is given into another writer. Small content never takes a whole frame's buffer.

    A frame is sealed only when more content comes, or the end: the last one has to be marked.
    """

    def __init__(self, raw: BlobWriter, data_key: bytes, key: StorageKey) -> None:
        self._raw = raw
        self._aead = AESGCM(data_key)
        header = _header(FRAME_BITS)
        self._bound = header + key.encode()
        self._plain = bytearray(_SMALL_BYTES)
        self._room = _SMALL_BYTES
        self._sealed: bytearray | None = None
        self._filled = 0
        self._frame = 0
        self._done = False
        raw.write(header)

    @property
    def size(self) -> int:
        """Bytes of content taken so far."""
        return (self._frame << FRAME_BITS) + self._filled

    def buffer(self) -> memoryview:
        """Room in the current frame."""
        if self._filled == self._room:
            if self._room < 1 << FRAME_BITS:
                grown = _buffers.take()
                grown[: self._filled] = self._plain
                self._plain, self._room = grown, 1 << FRAME_BITS
            else:
                self._seal(last=False)
        return memoryview(self._plain)[self._filled : self._room]

    def advance(self, count: int) -> None:
        """`count` bytes of `buffer` are content now."""
        self._filled += count

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take `data`."""
        rest = memoryview(data)
        while rest:
            room = self.buffer()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self.advance(count)
            rest = rest[count:]

    def finish(self) -> int:
        """Seal the last frame and make all of it durable; return the size of the content."""
        if self._done:
            raise ValueError("finish after finish or abort")
        size = self.size
        self._seal(last=True)
        self._raw.finish()
        self._release()
        return size

    def abort(self) -> None:
        """Give up."""
        if not self._done:
            self._raw.abort()
            self._release()

    def _seal(self, *, last: bool) -> None:
        nonce, plain = _nonce(self._frame, last=last), memoryview(self._plain)[: self._filled]
        if self._filled <= _SMALL_BYTES:
            self._raw.write(self._aead.encrypt(nonce, plain, self._bound))
        else:
            if self._sealed is None:
                self._sealed = _buffers.take()
            out = memoryview(self._sealed)[: self._filled + TAG_BYTES]
            self._aead.encrypt_into(nonce, plain, self._bound, out)
            self._raw.write(out)
        if not last:
            self._frame += 1
            self._filled = 0

    def _release(self) -> None:
        self._done = True
        for buffer in (self._plain, self._sealed):
            if buffer is not None:
                _buffers.give(buffer)
        self._plain, self._sealed = bytearray(), None


class SealedReader:
    """Opens frames of another reader, one at a time."""

    def __init__(self, raw: BlobReader, data_key: bytes, key: StorageKey) -> None:
        self._raw = raw
        self._aead = AESGCM(data_key)
        header = bytearray(_HEADER_BYTES)
        complete = raw.read_into(0, memoryview(header)) == _HEADER_BYTES
        self._bits = header[len(_MAGIC) + 1]
        if not complete or not _FRAME_BITS_MIN <= self._bits <= _FRAME_BITS_MAX or header != _header(self._bits):
            raise StorageCorrupt(f"object {key} has no valid header")
        self._bound = bytes(header) + key.encode()
        self._size = plain_size(raw.size, self._bits)
        self._last = max(0, (self._size - 1) >> self._bits)
        self._frame = -1
        self._sealed: bytearray | None = None
        self._plain: bytearray | None = None
        if self._size == 0:
            self._open(0)  # an empty object is authenticated as well

    @property
    def size(self) -> int:
        """The content's length in bytes."""
        return self._size

    def view(self, offset: int) -> memoryview:
        """Content from `offset` to the end of its frame. Raises StorageCorrupt."""
        if offset >= self._size:
            return memoryview(b"")
        frame = offset >> self._bits
        if frame != self._frame:
            self._open(frame)
        assert self._plain is not None
        return memoryview(self._plain)[offset - (frame << self._bits) : self._length(frame)]

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` with content from `offset` on; return how much there was. Raises StorageCorrupt."""
        done = 0
        while done < len(buffer) and (part := self.view(offset + done)[: len(buffer) - done]):
            buffer[done : done + len(part)] = part
            done += len(part)
        return done

    def descriptor(self) -> int | None:
        """Sealed bytes have none."""
        return None

    def close(self) -> None:
        """Let go of buffers and of the object."""
        self._raw.close()
        for buffer in (self._plain, self._sealed):
            if buffer is not None:
                _buffers.give(buffer)
        self._plain = self._sealed = None
        self._frame = -1

    def _length(self, frame: int) -> int:
        return self._size - (frame << self._bits) if frame == self._last else 1 << self._bits

    def _open(self, frame: int) -> None:
        length, full = self._length(frame), 1 << self._bits
        if self._plain is None or self._sealed is None:
            is_full = self._size > _SMALL_BYTES and self._bits == FRAME_BITS
            self._plain = _buffers.take() if is_full else bytearray(min(full, self._size) + TAG_BYTES)
            self._sealed = _buffers.take() if is_full else bytearray(min(full, self._size) + TAG_BYTES)
        self._frame = -1
        sealed = memoryview(self._sealed)[: length + TAG_BYTES]
        start = _HEADER_BYTES + frame * (full + TAG_BYTES)
        if self._raw.read_into(start, sealed) != len(sealed):
            raise StorageCorrupt("an object is cut off")
        try:
            self._aead.decrypt_into(
                _nonce(frame, last=frame == self._last), sealed, self._bound, memoryview(self._plain)[:length]
            )
        except InvalidTag:
            raise StorageCorrupt(f"frame {frame} of an object fails authentication") from None
        self._frame = frame
