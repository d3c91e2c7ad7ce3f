"""Reused buffers for bytes in flight.

Transfers fill and empty buffers of about 1 MiB thousands of times; a fresh one costs 256 page faults. Buffers are anonymous
memory maps, so that an untouched page of one costs nothing (an object of 2 KiB touches one page) and a dropped one goes back to
the system at once, whatever the heap looks like.
"""

from __future__ import annotations

import mmap
from collections import deque


class BufferPool:
    """Buffers of one size. Any number may be out; at most `keep` wait for reuse, the rest is given back on release.

    Safe for use by several threads. Content is not wiped: what is in a buffer stays inside this process.
    """

    def __init__(self, size: int, keep: int) -> None:
        self.size = size
        self._keep = keep
        self._free: deque[memoryview] = deque()

    def acquire(self) -> memoryview:
        """A writable view of `size` bytes, with arbitrary content."""
        try:
            return self._free.pop()
        except IndexError:
            return memoryview(mmap.mmap(-1, self.size))

    def release(self, buffer: memoryview) -> None:
        """Take back what `acquire` gave; nobody may use it, or a slice of it, from now on."""
        if len(self._free) < self._keep:
            self._free.append(buffer)

    def trim(self) -> None:
        """Give all waiting buffers back to the system. For a server that has become idle."""
        self._free.clear()


MIB = 1 << 20

PIECES = BufferPool(MIB + mmap.PAGESIZE, keep=16)
"""For raw bytes on their way to or from a file: one frame of 1 MiB with its tag and the header fit."""

FRAMES = BufferPool(MIB, keep=16)
"""For the plaintext of frames of the default size."""
