"""Which registry a host name reaches, and by which name docker reaches a registry."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.metadata.database import Database
from moorage.metadata.opening import open_database
from moorage.metadata.registry import registries, repositories, seals
from moorage.metadata.transaction import Transaction
from moorage.model.names import parse_repository_name
from moorage.model.scope import Scope
from moorage.model.seal import SealKey
from moorage.server.addressing import Addressing
from moorage.server.regions import Regions, amazon_suffixes, known_regions

DEFAULT = Scope.of("us-east-1", "000000000000")
OTHER = Scope.of("eu-west-1", "111122223333")


def add_repository(tx: Transaction, scope: Scope) -> None:
    """The first repository of a registry."""
    made = registries.ensure_registry(tx, scope)
    seal = seals.ensure_own(tx, made, "AES256", SealKey("", b"sealed"))
    repositories.insert(
        tx,
        made,
        parse_repository_name("app"),
        tag_mutability="MUTABLE",
        filters=(),
        scan_on_push=False,
        encryption_type="AES256",
        kms_key=None,
        seal=seal,
    )


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'm.db'}")
    opened.run_write(registries.insert_account, OTHER.registry_id, "other")
    opened.run_write(add_repository, OTHER)
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


# What a name in ECR's grammar reaches, by what it ends in: the registry that it spells, or nothing.
SUFFIXES = [
    ("registry.example", True),
    ("localhost", True),
    ("localhost.localstack.cloud", True),
    ("amazonaws.com", True),
    ("amazonaws.com.cn", True),
    ("amazonaws.eu", True),
    ("on.aws", True),
    ("api.aws", True),
    ("c2s.ic.gov", True),
    ("on.amazonwebservices.com.cn", True),
    ("elsewhere.example", False),
    ("x.registry.example", False),
    ("localhost.localstack.cloud.evil.example", False),
    ("amazonaws.com.example", False),
    ("localstack.cloud", False),
    ("", False),
]


@pytest.mark.parametrize("domain", [None, "registry.example"])
@pytest.mark.parametrize(("suffix", "is_known"), SUFFIXES)
def test_a_name_in_ecrs_grammar_reaches_what_it_spells_or_nothing(
    db: Database, suffix: str, is_known: bool, domain: str | None
) -> None:
    addressing = Addressing(db, DEFAULT, domain, {})
    reached = OTHER if is_known and (domain or suffix != "registry.example") else None
    for infix in ("dkr.ecr", "dkr-ecr", "dkr.ecr-fips", "dkr-ecr-fips", "DKR.ECR"):
        for end in ("", ".", ":4566", ":443"):
            name = f"111122223333.{infix}.eu-west-1" + (f".{suffix}" if suffix else "") + end
            assert asyncio.run(addressing.resolve(name)) == reached, name
            assert addressing.remembered(name) == reached, name
            if reached is None:
                assert "`domain`" in addressing.why_nowhere(name)


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("11112222333.dkr.ecr.eu-west-1.localhost", "12 digits"),
        ("dkr.ecr.eu-west-1.localhost", "12 digits"),
        ("x.dkr.ecr.eu-west-1.localhost.localstack.cloud:4566", "12 digits"),
        ("mirror.111122223333.dkr.ecr.eu-west-1.localhost", "12 digits"),
        (".111122223333.dkr.ecr.eu-west-1.amazonaws.com", "12 digits"),
        ("111122223333..dkr-ecr-fips.eu-west-1.on.aws", "12 digits"),
        ("111122223333.dkr.ecr.eu-nowhere-1.localhost", "`+eu-nowhere-1`"),
        ("111122223333.dkr.ecr.nowhere.amazonaws.com", "region 'nowhere'"),
        ("111122223333.dkr.ecr.eu-west-1.elsewhere.example", "'elsewhere.example'"),
    ],
)
def test_a_name_that_spells_nothing_reaches_nothing_and_the_error_says_why(db: Database, host: str, told: str) -> None:
    addressing = Addressing(db, DEFAULT, None, {})
    assert asyncio.run(addressing.resolve(host)) is None
    assert told in addressing.why_nowhere(host)


def test_a_name_of_the_settings_may_have_any_form(db: Database) -> None:
    name = "111122223333.dkr.ecr.eu-nowhere-1.elsewhere.example"
    assert asyncio.run(Addressing(db, DEFAULT, None, {name: OTHER}).resolve(name)) == OTHER


def test_of_several_names_of_a_registry_its_uris_have_the_first_with_a_domain_too(db: Database) -> None:
    for domain in (None, "registry.example"):
        addressing = Addressing(db, DEFAULT, domain, {"b.example": OTHER, "a.example": OTHER, "c.example": DEFAULT})
        for host in ("a.example", "b.example", "127.0.0.1:5050"):
            port = host[9:]
            assert asyncio.run(addressing.registry_host(OTHER, host)) == "b.example" + port
            assert asyncio.run(addressing.registry_host(DEFAULT, host)) == "c.example" + port


def test_invented_hosts_are_not_kept(db: Database) -> None:
    addressing = Addressing(db, DEFAULT, None, {})

    async def ask() -> None:
        assert await addressing.resolve("honest.example") == DEFAULT
        for number in range(5000):
            assert await addressing.resolve(f"invented-{number}.example") == DEFAULT
            addressing.remembered("honest.example")
        await addressing.resolve("x" * 60_000)

    asyncio.run(ask())
    assert len(addressing._seen) <= 1024
    assert addressing.remembered("honest.example") == DEFAULT
    assert addressing.remembered("invented-0.example") is None
    assert addressing.remembered("x" * 60_000) is None


def test_a_token_alone_costs_no_address(db: Database) -> None:
    """GetAuthorizationToken asks for the host of a registry that has nothing; what has repositories has its address."""
    listened: list[str] = []

    async def listen(address: str) -> bool:
        listened.append(address)
        return True

    async def steps() -> None:
        addressing = Addressing(db, DEFAULT, None, {})
        await addressing.start(listen)
        before = len(listened)
        for region in known_regions() - {"eu-west-1"}:
            host = await addressing.registry_host(Scope.of(region, OTHER.registry_id), "127.0.0.1:5050")
            assert host == f"111122223333.dkr.ecr.{region}.localhost:5050"
        assert len(listened) == before
        assert await db.read(lambda tx: registries.find_registry(tx, Scope.of("eu-west-2", OTHER.registry_id))) is None
        await db.write(add_repository, Scope.of("eu-west-2", OTHER.registry_id))
        host = await addressing.registry_host(Scope.of("eu-west-2", OTHER.registry_id), "127.0.0.1:5050")
        assert host == f"{listened[-1]}:5050"
        assert len(listened) == before + 1

    asyncio.run(steps())


def test_a_region_with_repositories_stays_though_it_is_on_no_list(db: Database) -> None:
    invented, empty = Scope.of("eu-invented-7", OTHER.registry_id), Scope.of("eu-invented-8", OTHER.registry_id)
    db.run_write(add_repository, invented)
    db.run_write(registries.ensure_registry, empty)

    async def steps() -> None:
        addressing = Addressing(db, DEFAULT, None, {})
        await addressing.start(listening)
        assert await addressing.resolve("111122223333.dkr.ecr.eu-invented-7.localhost") == invented
        assert await addressing.resolve("111122223333.dkr.ecr.eu-invented-8.localhost") is None
        assert "eu-invented-7" in addressing.regions
        assert "eu-invented-8" not in addressing.regions

    asyncio.run(steps())


def test_the_list_of_regions() -> None:
    assert {"us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"} <= known_regions()
    assert not [region for region in known_regions() if "global" in region]
    assert {"amazonaws.com", "api.aws", "on.aws", "amazonaws.com.cn"} <= amazon_suffixes()
    assert "us-lab-1" in Regions("+us-lab-1")
    assert "us-east-1" in Regions("+us-lab-1")
    assert "us-east-1" not in Regions("us-lab-1, +us-lab-2")
    assert "us-lab-2" in Regions("us-lab-1, +us-lab-2")
    assert "us-west-2" in Regions("us-lab-1", ["us-west-2"])


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
