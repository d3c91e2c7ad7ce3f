"""The form of sealed bytes: a header, then frames of AES-256-GCM that only fit together in one way.

::

    object  = header(16) full-frame* last-frame
    header  = magic(8) version(1) algorithm(1) log2-of-frame-size(1) zero(5)
    frame   = ciphertext tag(16)

Every full frame holds exactly the frame size in plaintext; the last frame holds less, often nothing, and is always there. This
is the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance", 2015, section 7): the nonce is the frame's number and whether it is the last, so that a changed, moved,
repeated, removed or added frame fails authentication. The associated data is header and storage key, so that an object cannot
stand in for another one. Nonces repeat between objects: **a data key seals one object and nothing else, ever.**

A frame is the smallest thing that can be authenticated, so it is also what a range read costs at least.
"""

from __future__ import annotations

import struct

from moorage.model.errors import StorageCorrupt
from moorage.storage.blob_store import StorageKey

HEADER_SIZE = 16
TAG_SIZE = 16
KEY_SIZE = 32
DEFAULT_FRAME_LOG2 = 20
"""1 MiB: 256 KiB costs 10 % of throughput, and above 1 MiB nothing is gained while ranges and memory cost more."""
FRAME_LOG2_RANGE = range(12, 25)

_MAGIC = b"\x89MOORAGE"
_VERSION = 1
_AES_256_GCM = 1
_HEADER = struct.Struct(">8sBBB5s")
_NONCE = struct.Struct(">3xQB")
_NO_BYTES = bytes(5)


def make_header(frame_log2: int) -> bytes:
    """The header of an object with frames of ``2 ** frame_log2`` bytes."""
    if frame_log2 not in FRAME_LOG2_RANGE:
        raise ValueError(f"frame sizes go from 2^{FRAME_LOG2_RANGE.start} to 2^{FRAME_LOG2_RANGE.stop - 1} bytes")
    return _HEADER.pack(_MAGIC, _VERSION, _AES_256_GCM, frame_log2, _NO_BYTES)


def parse_header(header: bytes | memoryview) -> int:
    """The log2 of the frame size that `header` announces.

    It is not authenticated by this, only by opening a frame with it. Raises StorageCorrupt.
    """
    if len(header) < HEADER_SIZE:
        raise StorageCorrupt("a sealed object is shorter than its header")
    magic, version, algorithm, frame_log2, rest = _HEADER.unpack_from(header)
    if (magic, version, algorithm, rest) != (_MAGIC, _VERSION, _AES_256_GCM, _NO_BYTES) or frame_log2 not in FRAME_LOG2_RANGE:
        raise StorageCorrupt("not the header of a sealed object that this version can open")
    return int(frame_log2)


def nonce(frame_index: int, last: bool) -> bytes:
    """The nonce of a frame: its number and whether it is the last."""
    return _NONCE.pack(frame_index, last)


def associated_data(header: bytes, key: StorageKey) -> bytes:
    """What every frame of an object is bound to, beside its place."""
    return header + key.encode("ascii")


def frame_offset(frame_index: int, frame_log2: int) -> int:
    """Where a frame starts in the sealed object."""
    return HEADER_SIZE + frame_index * ((1 << frame_log2) + TAG_SIZE)


def sealed_size(plain_size: int, frame_log2: int = DEFAULT_FRAME_LOG2) -> int:
    """The size at rest of `plain_size` bytes of content."""
    return HEADER_SIZE + plain_size + TAG_SIZE * ((plain_size >> frame_log2) + 1)


def plain_size(sealed: int, frame_log2: int = DEFAULT_FRAME_LOG2) -> int:
    """The size of the content of an object with `sealed` bytes at rest.

    It is only as true as `sealed`: opening the last frame proves it. Raises StorageCorrupt for a size that no object has.
    """
    full_frames, last_frame = divmod(sealed - HEADER_SIZE, (1 << frame_log2) + TAG_SIZE)
    if sealed < HEADER_SIZE or last_frame < TAG_SIZE:
        raise StorageCorrupt(f"no sealed object has {sealed} bytes")
    return (full_frames << frame_log2) + last_frame - TAG_SIZE
