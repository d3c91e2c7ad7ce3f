"""Which registry a host name reaches, and by which name docker reaches a registry."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.metadata import registries
from moorage.metadata.database import Database
from moorage.metadata.opening import open_database
from moorage.model.scope import Scope
from moorage.server.addressing import Addressing

DEFAULT = Scope.of("us-east-1", "000000000000")
OTHER = Scope.of("eu-west-1", "111122223333")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'm.db'}")
    opened.run_write(registries.insert_account, OTHER.registry_id, "other")
    yield opened
    opened.close()


async def listening(address: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:5050", DEFAULT),
        ("localhost", DEFAULT),
        ("[::1]:5050", DEFAULT),
        ("anything.else", DEFAULT),
        ("", DEFAULT),
        ("111122223333.dkr.ecr.eu-west-1.registry.example", OTHER),
        ("111122223333.DKR.ECR.eu-west-1.Registry.Example:443", OTHER),
        ("111122223333.dkr-ecr.eu-west-1.registry.example", OTHER),
        ("111122223333.dkr.ecr-fips.eu-west-1.registry.example", OTHER),
        ("111122223333.dkr.ecr.eu-west-1.localhost:5050", OTHER),
        ("own.example:5050", OTHER),
        ("11112222333.dkr.ecr.eu-west-1.registry.example", None),
        ("111122223333.dkr.ecr.nowhere.registry.example", None),
        ("x.registry.example", None),
        ("127.64.1.2:5050", None),
    ],
)
def test_hosts(db: Database, host: str, expected: Scope | None) -> None:
    addressing = Addressing(db, DEFAULT, "registry.example", {"own.example": OTHER})
    assert asyncio.run(addressing.resolve(host)) == expected
    assert asyncio.run(addressing.resolve(host)) == expected


def test_with_a_domain_every_registry_has_its_name_there(db: Database) -> None:
    addressing = Addressing(db, DEFAULT, "registry.example", {})
    for scope in (DEFAULT, OTHER):
        host = asyncio.run(addressing.registry_host(scope, "127.0.0.1:5050"))
        assert host == f"{scope.registry_id}.dkr.ecr.{scope.region}.registry.example:5050"
        assert asyncio.run(addressing.resolve(host)) == scope


def test_without_one_a_registry_is_given_an_address_and_keeps_it(db: Database) -> None:
    async def steps() -> None:
        addressing = Addressing(db, DEFAULT, None, {})
        await addressing.start(listening)
        assert await addressing.registry_host(DEFAULT, "127.0.0.1:5050") == "127.0.0.1:5050"
        assert await addressing.registry_host(DEFAULT, "localhost:5050") == "localhost:5050"
        host = await addressing.registry_host(OTHER, "127.0.0.1:5050")
        assert host.startswith("127.")
        assert host.endswith(":5050")
        assert await addressing.resolve(host) == OTHER
        again = Addressing(db, DEFAULT, None, {})
        await again.start(listening)
        assert await again.resolve(host) == OTHER
        assert await again.registry_host(OTHER, "127.0.0.1:5050") == host

    asyncio.run(steps())


def test_where_no_address_can_be_had_it_is_the_name_below_localhost(db: Database) -> None:
    async def refused(address: str) -> bool:
        return False

    async def steps() -> None:
        addressing = Addressing(db, DEFAULT, None, {})
        await addressing.start(refused)
        host = await addressing.registry_host(OTHER, "127.0.0.1:5050")
        assert host == "111122223333.dkr.ecr.eu-west-1.localhost:5050"

    asyncio.run(steps())
