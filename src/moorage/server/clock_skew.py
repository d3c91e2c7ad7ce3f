"""What an operator is told of a clock that is not the database's: at the start, and by ``moorage doctor``."""

from __future__ import annotations

from moorage.metadata.database import Database

_SKEW_SECONDS = 2.0


def told_skew(db: Database) -> str | None:
    """A sentence; None: the clocks agree, or nothing was asked of the database yet."""
    ahead = db.clock_ahead_seconds
    if abs(ahead) < _SKEW_SECONDS:
        return None
    return (
        f"the clock of this machine is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the database's: set it by NTP. "
        "Leases and sweeps go by the database's clock, but tokens and signatures by this one: clients may be refused"
    )
