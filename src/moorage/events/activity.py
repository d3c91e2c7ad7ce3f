"""What principals did: counted in memory, written now and then. Reports of last use and suggested policies come from it.

What a crash can lose is what was counted since the last write, never a right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moorage.events.event import Event, Passed

_BOUND = 50_000
"""Kinds of use that are kept until they are written: beyond it new ones are not noted."""

UseKey = tuple[str, str, str]
"""A principal's id, an action and a resource."""


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
    """What is not written yet. Belongs to the event loop."""

    def __init__(self) -> None:
        self._uses: dict[UseKey, Use] = {}
        self._keys: dict[str, KeyUsed] = {}

    def add(self, event: Event, passed: Passed) -> None:
        """Count the actions that an event was allowed."""
        for (action, resource), region in event.allowed.items():
            if event.key_id:
                self._keys[event.key_id] = KeyUsed(passed.last_at, action.partition(":")[0], region)
            key = event.principal_id, action, resource
            use = self._uses.get(key)
            if use is not None:
                use.last_at = max(use.last_at, passed.last_at)
                use.uses += passed.count
                use.region = region
            elif len(self._uses) < _BOUND:
                self._uses[key] = Use(event.asked.account, region, passed.last_at, passed.last_at, passed.count)

    def take_uses(self) -> dict[UseKey, Use]:
        """What has gathered, which whoever takes it writes."""
        uses, self._uses = self._uses, {}
        return uses

    def take_keys(self) -> dict[str, KeyUsed]:
        """The last use of keys, likewise."""
        keys, self._keys = self._keys, {}
        return keys

    def put_back_uses(self, uses: Mapping[UseKey, Use]) -> None:
        """What was taken could not be written: it is to be taken again."""
        for key, use in uses.items():
            later = self._uses.get(key)
            if later is None and len(self._uses) < _BOUND:
                self._uses[key] = use
            elif later is not None:
                later.first_at = min(later.first_at, use.first_at)
                later.last_at = max(later.last_at, use.last_at)
                later.uses += use.uses

    def put_back_keys(self, keys: Mapping[str, KeyUsed]) -> None:
        """Likewise of `take_keys`."""
        for key_id, used in keys.items():
            known = self._keys.get(key_id)
            if known is None or known.at < used.at:
                self._keys[key_id] = used
