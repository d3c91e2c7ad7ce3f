"""How often one address may pull without a login: a token bucket for each, shared by all processes and nodes.

Source: ECR Public quota "Rate of unauthenticated image pulls", 1 per second.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from moorage.model.token_bucket import Rate
from moorage.transfer.token_leases import TokenLeases

_NETWORK_6 = 64
"""Bits of the network that one customer of IPv6 is given."""


class PullRate:
    """Belongs to the event loop.

    Args:
        rate: pulls that an address may go on with; None: any number.
    """

    def __init__(self, rate: Rate | None, leases: TokenLeases) -> None:
        self._rate, self._leases = rate, leases

    async def take(self, address: str) -> None:
        """Count a pull. Raises RateExceeded, with the seconds after which one is allowed again."""
        if self._rate is not None:
            await self._leases.take(f"address/{place_of(address)}", self._rate)


@lru_cache(4096)
def place_of(address: str) -> str:
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
