"""Memory that workers share: each writes what it has counted into a slot of its own, and whoever is asked adds them up.

Made by the parent before it forks. A slot has one writer; a reader that comes in the middle of a write sees an odd version, or
another one than before, and reads again.
"""

from __future__ import annotations

import mmap
import struct

_HEAD = struct.Struct("<QI")  # version, length
_SLOT_BYTES = 1024 * 1024
"""More than metrics come to: their labels are bounded. Pages that nothing is written to take no memory."""
_TRIES = 1000


class SharedCounts:
    """A slot for each of `count` workers."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._memory = mmap.mmap(-1, count * _SLOT_BYTES)

    def put(self, slot: int, data: bytes) -> None:
        """Replace the content of a worker's slot. What does not fit is left out: the slot keeps what it had."""
        if len(data) > _SLOT_BYTES - _HEAD.size:
            return
        begin = slot * _SLOT_BYTES
        version, length = _HEAD.unpack_from(self._memory, begin)
        _HEAD.pack_into(self._memory, begin, version + 1, length)
        self._memory[begin + _HEAD.size : begin + _HEAD.size + len(data)] = data
        _HEAD.pack_into(self._memory, begin, version + 2, len(data))

    def get(self, slot: int) -> bytes:
        """The content of a slot; empty if nothing was put there yet."""
        begin = slot * _SLOT_BYTES
        for _ in range(_TRIES):
            version, length = _HEAD.unpack_from(self._memory, begin)
            data = self._memory[begin + _HEAD.size : begin + _HEAD.size + length]
            if version % 2 == 0 and _HEAD.unpack_from(self._memory, begin)[0] == version:
                return data
        return b""  # its writer was killed in the middle: the next one begins anew

    def others(self, slot: int) -> list[bytes]:
        """The contents of all slots but one."""
        return [data for other in range(self._count) if other != slot and (data := self.get(other))]

    def reset(self, slot: int) -> bytes:
        """Take a slot over from a worker that has died; return what it had counted."""
        data = self.get(slot)
        begin = slot * _SLOT_BYTES
        version, length = _HEAD.unpack_from(self._memory, begin)
        if version % 2:
            _HEAD.pack_into(self._memory, begin, version + 1, length if data else 0)
        return data
