"""How often one address may pull without a login: a token bucket for each.

A bucket holds a burst and is filled at a steady rate. Each process counts for itself. Source: ECR Public quota "Rate of
unauthenticated image pulls", 1 per second.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from functools import lru_cache

from moorage.model.clock import Clock
from moorage.model.errors import RateExceeded

_REMEMBERED = 65_536
_NETWORK_6 = 64
"""Bits of the network that one customer of IPv6 is given."""


class PullRate:
    """Belongs to the event loop.

    Args:
        per_second: pulls that an address may go on with; 0: any number.
        burst: pulls that it may begin with.
    """

    def __init__(self, per_second: int, burst: int, clock: Clock) -> None:
        self._rate, self._burst, self._clock = per_second, max(1, burst), clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> None:
        """Count a pull. Raises RateExceeded, with the seconds after which one is allowed again."""
        if not self._rate:
            return
        place, now = _place(address), self._clock()
        left, then = self._buckets.pop(place, (float(self._burst), now))
        left = min(self._burst, left + max(0.0, now - then) * self._rate)
        is_allowed = left >= 1
        self._buckets[place] = (left - 1 if is_allowed else left, now)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)  # the one that has been quiet for longest, so nearly full
        if not is_allowed:
            raise RateExceeded(max(1, math.ceil((1 - left) / self._rate)))


@lru_cache(4096)
def _place(address: str) -> str:
    """What stands for a client: its address, of IPv6 its network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed.packed, _NETWORK_6), strict=False))
