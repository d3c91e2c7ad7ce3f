"""What principals did: counted in memory, written now and then. Reports of last use and suggested policies come from it.

What a crash can lose is what was counted since the last write, never a right.
"""

from __future__ import annotations

from dataclasses import dataclass

from moorage.model.principal import Caller

_BOUND = 50_000
"""Kinds of use that are kept until they are written: beyond it new ones are not noted."""


@dataclass(slots=True)
class Use:
    """One principal's use of one action on one resource. Times are microseconds."""

    account_id: str
    region: str
    first_at: int
    last_at: int
    uses: int


@dataclass(frozen=True, slots=True)
class KeyUsed:
    """The last use of a long-term key."""

    at: int
    service: str
    region: str


class Activity:
    """What is not written yet. Threads may note at the same time: a lost count is a count that nobody misses."""

    def __init__(self) -> None:
        self._uses: dict[tuple[str, str, str], Use] = {}
        self._keys: dict[str, tuple[int, str, str]] = {}

    def note(self, caller: Caller, action: str, resource: str, region: str, now: int) -> None:
        """An action was allowed."""
        if caller.session is None:
            self._keys[caller.access_key_id] = (now, action, region)
        key = (caller.principal_id, action, resource)
        use = self._uses.get(key)
        if use is not None:
            use.last_at = now
            use.uses += 1
            use.region = region
        elif len(self._uses) < _BOUND:
            self._uses[key] = Use(caller.account_id, region, now, now, 1)

    def take(self) -> tuple[dict[tuple[str, str, str], Use], dict[str, KeyUsed]]:
        """What has gathered, which whoever takes it writes."""
        uses, self._uses = self._uses, {}
        keys, self._keys = self._keys, {}
        return uses, {key: KeyUsed(at, action.partition(":")[0], region) for key, (at, action, region) in keys.items()}
