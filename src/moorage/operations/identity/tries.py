"""How long a secret is left alone after wrong tries: what can be guessed must not be tried fast."""

from __future__ import annotations

FREE_TRIES = 5
"""So many may fail in a row without a wait."""
LONGEST_SECONDS = 900


def locked_until(now: int, failures: int) -> int:
    """Until when (microseconds) no try counts after so many failed ones in a row: twice as long each time."""
    if failures < FREE_TRIES:
        return 0
    return now + min(1 << min(failures - FREE_TRIES, 16), LONGEST_SECONDS) * 1_000_000
