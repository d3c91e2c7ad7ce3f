"""The time of the database's server, told by this machine's clock.

Leases and sweeps compare times that several nodes have written, so all of them go by one clock: that of the database. Asking it
in each transaction would cost a round trip, so what is measured is how far this machine's clock is from it.
"""

from __future__ import annotations

from moorage.model.clock import Clock, to_micros

_TOLERATED_MICROS = 50_000
"""What clocks that are kept in time differ by: not corrected, so that time does not jump back and forth with each measurement."""


class ServerClock:
    """Any thread may ask.

    Args:
        clock: the time that transactions go by; a test moves it.
        machine: the clock that is compared with the server's.
    """

    __slots__ = ("_clock", "_machine", "_offset")

    def __init__(self, clock: Clock, machine: Clock) -> None:
        self._clock, self._machine = clock, machine
        self._offset = 0

    def now(self) -> int:
        """Microseconds, by the server."""
        return to_micros(self._clock()) + self._offset

    def machine_now(self) -> int:
        """Microseconds, by this machine: to be taken before the server is asked and after it has answered."""
        return to_micros(self._machine())

    def compare(self, server: int, before: int, after: int) -> None:
        """Learn what the server's clock said at some moment between two of this machine's."""
        measured = server - (before + after) // 2
        if abs(measured - self._offset) > _TOLERATED_MICROS + max(0, after - before) // 2:
            self._offset = measured

    @property
    def ahead_seconds(self) -> float:
        """By how much this machine's clock is ahead of the server's; negative: behind."""
        return -self._offset / 1_000_000
