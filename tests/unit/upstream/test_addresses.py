"""Which addresses are of the open internet, however they are spelled."""

from __future__ import annotations

import asyncio

import pytest

from moorage.upstream.addresses import AddressRefused, NameUnknown, find_place, is_public, pinned_resolver


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fd00::1",
        "fd00:ec2::254", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:a00:1", "2002:7f00:1::",
        "2002:a9fe:a9fe::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "::7f00:1", "2001:db8::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "", "localhost", "0x7f.1",
    ],
)  # fmt: skip
def test_threat_13_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "140.82.121.4", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "0x7f.1", "2130706433", "127.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"]
)
def test_threat_13_hosts_that_lead_inside_are_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        asyncio.run(find_place(host, 443, allow_private=False))


@pytest.mark.parametrize("host", ["does-not-exist.invalid", "a" * 300, "x..y"])
def test_names_that_nobody_has(host: str) -> None:
    with pytest.raises(NameUnknown):
        asyncio.run(find_place(host, 443, allow_private=True))


def test_the_resolver_knows_the_place_and_nothing_else() -> None:
    async def ask() -> None:
        place = await find_place("localhost", 5, allow_private=True)
        assert not place.is_public
        resolver = pinned_resolver(place)
        assert {found["host"] for found in await resolver.resolve("localhost", 5)} <= {"127.0.0.1", "::1"}
        with pytest.raises(OSError, match="not the host"):
            await resolver.resolve("example.org", 5)
        await resolver.close()

    asyncio.run(ask())
