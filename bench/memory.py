"""Fill the page cache before anything is measured, so that no server pays for memory that the machine gets for the first time.

A virtual machine's host backs a page when it is first used, which costs some three seconds of CPU a GiB, and takes it back a
while after the guest has freed it. Pushes fill the page cache: without this step the kernel's file writes of whatever runs late
in a run cost up to five times their worth (seen with `perf` as page faults), and a server that mostly hashes and writes suffers
most. With the cache full of a sparse file's zeros, which cost no disk, new pages are taken from there: they are backed already.
"""

from __future__ import annotations

import os
from pathlib import Path

_MIB = 1 << 20
_KEPT_BYTES = 1 << 30
"""Left free, for the servers themselves."""


def fill_page_cache(folder: Path) -> None:
    """Read a sparse file in `folder` of the size of the free memory. It stays there: with it would go its pages."""
    size = _free_bytes() - _KEPT_BYTES
    if size <= 0:
        return
    with (folder / "page-cache").open("wb+", buffering=0) as file:
        file.truncate(size)
        buffer = bytearray(_MIB)
        for offset in range(0, size, _MIB):
            os.preadv(file.fileno(), [buffer], offset)


def _free_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemFree:"):
            return int(line.split()[1]) * 1024
    return 0
