"""A clock that is moved by hand."""

from __future__ import annotations


class HandClock:
    """Seconds since the epoch, as `model.clock.Clock`."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
