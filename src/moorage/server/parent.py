"""A process that ends with its parent, in whatever way that ends."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
"""Loaded beforehand: between fork and exec there is no room for more than a system call."""


def end_with_parent(number: signal.Signals) -> None:
    """Linux: have this process get signal `number` when its parent ends, or the thread of it that made this process."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
