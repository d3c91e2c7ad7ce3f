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


@pytest.mark.parametrize(
    ("domain", "public_host", "host", "expected"),
    [
        (None, None, "public.localhost:5050", True),
        (None, None, "127.63.0.1:5050", True),
        (None, None, "127.0.0.1:5050", False),
        (None, None, "public.registry.example", False),
        ("registry.example", None, "Public.Registry.Example:443", True),
        ("registry.example", None, "public.localhost", True),
        ("registry.example", "images.example", "images.example", True),
        ("registry.example", "images.example", "public.registry.example", True),
        ("registry.example", None, "own.example", False),
        ("own.example", "own.example", "own.example", False),
    ],
)
def test_hosts_of_the_public_registries(
    db: Database, domain: str | None, public_host: str | None, host: str, expected: bool
) -> None:
    addressing = Addressing(db, DEFAULT, domain, {"own.example": OTHER}, public_host)
    assert addressing.is_public(host) is expected
    if not expected:  # remembered as another registry's, it stays so
        asyncio.run(addressing.resolve(host))
        assert addressing.is_public(host) is False


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("127.0.0.1:5050", b"/v2/public.localhost/team/app/manifests/v1", True),
        ("localhost", b"/v2/public.localhost/team/app/manifests/v1", True),
        ("registry.internal:5050", b"/v2/public.localhost/team/app/manifests/v1", True),
        ("127.0.0.1:5050", b"/v2/public.localhost.app/team/manifests/v1", False),
        ("127.0.0.1:5050", b"/v2/team/public.localhost/app/manifests/v1", False),
        ("000000000000.dkr.ecr.us-east-1.localhost", b"/v2/public.localhost/team/app/manifests/v1", False),
        ("own.example", b"/v2/public.localhost/team/app/manifests/v1", False),
        ("127.64.1.2:5050", b"/v2/public.localhost/team/app/manifests/v1", False),
    ],
)
def test_paths_of_the_public_registries(db: Database, host: str, path: bytes, expected: bool) -> None:
    assert Addressing(db, DEFAULT, None, {"own.example": OTHER}).is_public_path(host, path) is expected


async def not_listening(address: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("domain", "public_host", "host", "expected"),
    [
        (None, None, "127.0.0.1:5050", "127.63.0.1:5050"),
        (None, None, "localhost:5050", "127.63.0.1:5050"),
        (None, None, "public.localhost:5050", "public.localhost:5050"),
        (None, None, "registry.internal:5050", "registry.internal:5050/public.localhost"),
        (None, None, "192.0.2.1:5050", "192.0.2.1:5050/public.localhost"),
        (None, None, "own.example:5050", "127.63.0.1:5050"),
        ("registry.example", None, "127.0.0.1:5050", "public.registry.example:5050"),
        (None, "images.example", "127.0.0.1:5050", "images.example:5050"),
    ],
)
def test_where_docker_reaches_the_public_registries(
    db: Database, domain: str | None, public_host: str | None, host: str, expected: str
) -> None:
    addressing = Addressing(db, DEFAULT, domain, {"own.example": OTHER}, public_host)
    asyncio.run(addressing.start(listening))
    assert asyncio.run(addressing.public_host(host)) == expected


def test_where_the_system_has_one_address_the_public_registries_have_a_name(db: Database) -> None:
    addressing = Addressing(db, DEFAULT, None, {})
    asyncio.run(addressing.start(not_listening))
    assert asyncio.run(addressing.public_host("127.0.0.1:5050")) == "public.localhost:5050"
