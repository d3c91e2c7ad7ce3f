"""A token bucket in one number: the time at which it is full again if nobody takes anything.

What it holds follows from that time and the present one, so nothing has to be refilled, and a bucket that is full is the same as
none. All is integers, times are microseconds. Rounding never gives more than the rate does in one of them.
"""

from __future__ import annotations

from msgspec import Struct

_SECOND = 1_000_000
SKEW_MICROS = 2 * _SECOND
"""How far the clocks of nodes may be apart. A bucket that seems to be empty for longer than that was last seen by a clock that
was ahead, or this one was set back: it counts as empty now, so that nobody waits for such a clock."""


class Rate(Struct, frozen=True):
    """How fast a bucket fills, in tokens a second, and how many it holds. Both are 1 or more."""

    per_second: int
    burst: int

    @property
    def span(self) -> int:
        """Microseconds from empty to full."""
        return -(-self.burst * _SECOND // self.per_second)


def take(full_at: int, rate: Rate, now: int, wanted: int, returned: int = 0) -> tuple[int, int]:
    """Take up to `wanted` tokens out of a bucket.

    Args:
        full_at: when it would be full; any time that has passed for one that is.
        returned: tokens that were taken before, and not used.

    Returns:
        When it is full now, and how many tokens were taken.
    """
    full_at = max(now, full_at - returned * _SECOND // rate.per_second)
    if full_at > now + rate.span + SKEW_MICROS:
        full_at = now + rate.span
    there = (now + rate.span - full_at) * rate.per_second // _SECOND
    taken = max(0, min(wanted, there))
    return full_at - (-taken * _SECOND // rate.per_second), taken


def wait_micros(full_at: int, rate: Rate, now: int) -> int:
    """Microseconds until the bucket has a token."""
    return max(0, full_at - (-_SECOND // rate.per_second) - rate.span - now)
