"""Sealed objects: AES-256-GCM in frames, so that a range opens only the frames it touches.

Format: a header of 16 bytes (magic, version, log2 of the frame size), then frames of that many plaintext bytes and a tag each; the last may be shorter,
and an object always has one. One data key per object; the nonce is the frame's number with a flag for the last one (the STREAM
construction), the additional data are the header and the storage key. So frames that are altered, cut off, swapped, or of
another object fail to open.
"""

from __future__ import annotations

import contextlib
import threading

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from moorage.model.errors import StorageCorrupt
from moorage.storage.blob_store import BlobReader, BlobWriter, StorageKey

FRAME_BITS = 20
TAG_BYTES = 16
_MAGIC = b"MOORSEAL"
_HEADER_BYTES = 16
_SMALL_BYTES = 64 * 1024
_SPARE_BUFFERS = 16
_LONGEST_FRAME_BITS = 24


def header(frame_bits: int = FRAME_BITS) -> bytes:
    """The header of an object with frames of 2 ** `frame_bits` bytes."""
    return _MAGIC + bytes((1, frame_bits)) + bytes(_HEADER_BYTES - len(_MAGIC) - 2)


def sealed_size(size: int, frame_bits: int = FRAME_BITS) -> int:
    """How many bytes `size` bytes of content take."""
    frames = max(1, -(-size >> frame_bits)) if size else 1
    frames = max(1, (size + (1 << frame_bits) - 1) >> frame_bits)
    return _HEADER_BYTES + size + frames * TAG_BYTES


def plain_size(stored: int, frame_bits: int) -> int:
    """How many bytes of content `stored` bytes hold. Raises StorageCorrupt for a length that no object has."""
    body = stored - _HEADER_BYTES
    frame = (1 << frame_bits) + TAG_BYTES
    whole, rest = divmod(body, frame)
    if body < TAG_BYTES or 0 < rest < TAG_BYTES:
        raise StorageCorrupt(f"an object of {stored} bytes is cut off")
    size = (whole << frame_bits) + (rest - TAG_BYTES if rest else 0)
    if rest == TAG_BYTES and whole:
        raise StorageCorrupt("an object ends with an empty frame")
    return size


def _nonce(frame: int, *, last: bool) -> bytes:
    return bytes(3) + frame.to_bytes(8, "big") + (b"\x01" if last else b"\x00")


class _Buffers:
    """Frame buffers that are used again; a bounded number is kept while nobody needs them."""

    def __init__(self) -> None:
        self._spare: list[bytearray] = []
        self._lock = threading.Lock()

    def take(self, size: int) -> bytearray:
        with self._lock:
            if self._spare and size <= len(self._spare[-1]):
                return self._spare.pop()
        return bytearray(size)

    def give(self, buffer: bytearray) -> None:
        with self._lock:
            if len(buffer) == (1 << FRAME_BITS) + TAG_BYTES and len(self._spare) < _SPARE_BUFFERS:
                self._spare.append(buffer)

    def clear(self) -> None:
        with self._lock:
            self._spare.clear()


_buffers = _Buffers()


def drop_spare_buffers() -> None:
    """Give idle memory back."""
    _buffers.clear()


class SealedWriter:
    """Seals what it is given into another writer. Small content never takes a whole frame's buffer."""

    def __init__(self, raw: BlobWriter, data_key: bytes, key: StorageKey) -> None:
        self._raw = raw
        self._aead = AESGCM(data_key)
        head = header()
        self._bound = head + key.encode()
        self._plain = bytearray(_SMALL_BYTES)
        self._sealed: bytearray | None = None
        self._filled = 0
        self._frame = 0
        self._done = False
        raw.write(head)

    @property
    def size(self) -> int:
        """Bytes of content taken so far."""
        return (self._frame << FRAME_BITS) + self._filled

    def buffer(self) -> memoryview:
        """Room in the current frame. A frame that is full is sealed only when more comes: the last one is marked."""
        if self._filled == len(self._plain):
            if self._filled < 1 << FRAME_BITS:
                self._grow()
            else:
                self._seal(last=False)
        return memoryview(self._plain)[self._filled :]

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
        self._seal(last=True)
        self._raw.finish()
        self._release()
        return self.size

    def abort(self) -> None:
        """Give up."""
        self._raw.abort()
        self._release()

    def _grow(self) -> None:
        grown = _buffers.take((1 << FRAME_BITS) + TAG_BYTES)
        grown[: self._filled] = self._plain
        self._plain = memoryview(grown)[: 1 << FRAME_BITS]  # type: ignore[assignment]  # a view serves as the buffer it shows
        self._grown = grown

    def _seal(self, *, last: bool) -> None:
        nonce = _nonce(self._frame, last=last)
        plain = memoryview(self._plain)[: self._filled]
        if self._filled <= _SMALL_BYTES:
            self._raw.write(self._aead.encrypt(nonce, bytes(plain), self._bound))
        else:
            if self._sealed is None:
                self._sealed = _buffers.take((1 << FRAME_BITS) + TAG_BYTES)
            out = memoryview(self._sealed)[: self._filled + TAG_BYTES]
            self._aead.encrypt_into(nonce, plain, self._bound, out)
            self._raw.write(out)
        if not last:
            self._frame += 1
            self._filled = 0

    def _release(self) -> None:
        if self._done:
            return
        self._done = True
        if self._sealed is not None:
            _buffers.give(self._sealed)
            self._sealed = None
        grown = getattr(self, "_grown", None)
        if grown is not None:
            self._plain = bytearray()
            _buffers.give(grown)


class SealedReader:
    """Opens frames of another reader, one at a time."""

    def __init__(self, raw: BlobReader, data_key: bytes, key: StorageKey) -> None:
        self._raw = raw
        self._aead = AESGCM(data_key)
        head = _read(raw, 0, _HEADER_BYTES)
        if (
            len(head) != _HEADER_BYTES
            or head[: len(_MAGIC)] != _MAGIC
            or head[8] != 1
            or not 10 <= head[9] <= _LONGEST_FRAME_BITS
        ):
            raise StorageCorrupt(f"object {key} has no valid header")
        self._bits = head[9]
        self._bound = bytes(head) + key.encode()
        self._size = plain_size(raw.size, self._bits)
        self._last = max(0, (self._size - 1) >> self._bits)
        self._frame = -1
        self._plain: bytearray | None = None
        self._length = 0

    @property
    def size(self) -> int:
        """The content's length in bytes."""
        return self._size

    def view(self, offset: int) -> memoryview:
        """Content from `offset` to the end of its frame. Raises StorageCorrupt."""
        if offset >= self._size and not (self._size == 0 and self._frame < 0):
            return memoryview(b"")
        frame = offset >> self._bits
        if frame != self._frame:
            self._open(frame)
        assert self._plain is not None
        return memoryview(self._plain)[offset - (frame << self._bits) : self._length]

    def descriptor(self) -> int | None:
        """Sealed bytes have none."""
        return None

    def close(self) -> None:
        """Let go of buffers and of the object."""
        self._raw.close()
        if self._plain is not None:
            plain, self._plain = self._plain, None
            self._frame = -1
            with contextlib.suppress(BufferError):
                _buffers.give(plain)

    def _open(self, frame: int) -> None:
        full = 1 << self._bits
        length = self._size - (frame << self._bits) if frame == self._last else full
        start = _HEADER_BYTES + frame * (full + TAG_BYTES)
        if self._plain is None:
            self._plain = _buffers.take(full + TAG_BYTES if self._size > _SMALL_BYTES else length + TAG_BYTES)
        self._frame = -1
        out = memoryview(self._plain)[:length]
        try:
            self._aead.decrypt_into(
                _nonce(frame, last=frame == self._last), _read(self._raw, start, length + TAG_BYTES), self._bound, out
            )
        except InvalidTag:
            raise StorageCorrupt(f"frame {frame} of an object fails authentication") from None
        self._frame, self._length = frame, length


def _read(raw: BlobReader, start: int, length: int) -> bytes | memoryview:
    """Exactly `length` bytes, without a copy where the reader has them in one piece."""
    view = raw.view(start)
    if len(view) >= length:
        return view[:length]
    parts = bytearray()
    while len(parts) < length:
        view = raw.view(start + len(parts))
        if not view:
            raise StorageCorrupt("an object is cut off")
        parts += view[: length - len(parts)]
    return bytes(parts)
