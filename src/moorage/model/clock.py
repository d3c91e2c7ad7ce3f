"""Time as a parameter, so that expiry and skew can be tested without waiting."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds since the epoch, UTC, as a float."""

system_clock: Clock = time.time


def to_micros(seconds: float) -> int:
    """Seconds since the epoch as the microseconds that the database keeps."""
    return round(seconds * 1_000_000)
