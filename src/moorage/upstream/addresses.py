"""Where a name leads, decided once: a host is resolved, its addresses are judged, and the connection goes to those alone.

A name that somebody else chose may resolve to this machine, to its neighbours or to the metadata service of a cloud, and to
something else when it is asked again. So names are never resolved a second time, and every address has to be a public one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Any

RESOLVE_SECONDS = 5.0

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(Exception):
    """A host that leads where we do not go. The message is for the log only: it would tell what stands behind a name."""


class NameUnknown(Exception):
    """The name cannot be resolved, or not in time."""


@dataclass(frozen=True, slots=True)
class Place:
    """A host with the addresses that it had when it was judged. `is_public` is False only where private ones are allowed."""

    host: str
    port: int
    addresses: tuple[tuple[int, str], ...]
    """Pairs of family and address."""
    is_public: bool


def is_public(text: str) -> bool:
    """Whether an address is one of the open internet: not private, loopback, link-local (there clouds have their metadata),
    multicast or reserved. Of an IPv6 address that stands for an IPv4 one, the latter is judged."""
    try:
        address: _Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    while isinstance(address, ipaddress.IPv6Address) and (wrapped := _wrapped(address)) is not None:
        address = wrapped
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


async def find_place(host: str, port: int, *, allow_private: bool) -> Place:
    """Resolve a host. One address that is not public condemns all of them.

    Raises:
        AddressRefused, NameUnknown
    """
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), RESOLVE_SECONDS)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise NameUnknown(f"{host}: {error}") from None
    addresses = tuple(dict.fromkeys((int(family), str(sockaddr[0])) for family, _, _, _, sockaddr in found))
    refused = [address for _, address in addresses if not is_public(address)]
    if refused and not allow_private:
        raise AddressRefused(f"{host} leads to {refused[0]}")
    return Place(host, port, addresses, is_public=not refused)


def pinned_resolver(place: Place) -> Any:
    """A resolver for aiohttp that knows this place and no other."""
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Pinned(AbstractResolver):
        async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
            if host != place.host:
                raise OSError(f"{host} is not the host that was asked for")
            return [
                ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
                for kind, address in place.addresses
                if family in {socket.AF_UNSPEC, kind}
            ]

        async def close(self) -> None:
            pass

    return Pinned()
