"""The pages made from code are those that are committed, and lack nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore import xform_name
from botocore.loaders import Loader

from moorage.model.engines import ABSENT
from moorage.server.settings import FIELDS
from moorage.storage.open_store import open_store
from moorage.testing import reference
from moorage.testing.reference import routes, settings
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import MoorageServer
from moorage.wire.oci.actions import OPERATIONS
from moorage.wire.oci.app import ROUTES
from moorage.wire.oci.router import parse_route
from tests.clients import ROOT
from tests.docs.pages import text_of

MADE = reference.pages()


@pytest.mark.parametrize("page", MADE, ids=lambda page: page.stem)
def test_pages_are_current(page: Path) -> None:
    assert text_of(page) == MADE[page], "run `make reference`"


@pytest.mark.parametrize("service", ["ecr", "ecr-public", "iam", "organizations", "service-quotas", "sts"])
def test_every_operation_of_botocore_is_listed(service: str) -> None:
    page = text_of(reference.FOLDER / "operations.md")
    part = page.partition(f"\n## {service}\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \| (?:built|refused|not yet|(?:stored, )?waits for the [A-Za-z -]+) \|", part, re.MULTILINE)
    assert listed == sorted(Loader().load_service_model(service, "service-2")["operations"])


@pytest.mark.parametrize("service", ["ecr", "ecr-public"])
def test_every_operation_of_the_registry_is_built_or_waits_and_has_a_test(service: str) -> None:
    page = text_of(reference.FOLDER / "operations.md")
    part = page.partition(f"\n## {service}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| [^|]+ \| (.*?) ?\|$", part, re.MULTILINE)
    waiting = {name for engine in ABSENT for of, name in engine.operations if of == service}
    assert {operation for operation, state, _ in rows if state.startswith("stored, waits for the ")} == waiting
    assert {operation for operation, state, _ in rows if state != "built"} - waiting <= {"StartImageScan"}
    for operation, _, test in rows:
        path = re.fullmatch(r"\[\w+\]\(\.\./\.\./(.+)\)", test)
        assert path is not None, f"no test calls {service}:{operation}"
        assert f".{xform_name(operation)}(" in text_of(ROOT / path[1]), operation


def test_every_variable_that_the_code_reads_is_listed() -> None:
    source = "\n".join(
        path.read_text("utf-8") for path in (ROOT / "src" / "moorage").rglob("*.py") if "testing" not in path.parts
    )
    read = set(re.findall(r"environ(?:ment)?(?:\.get\(|\[)\"([A-Z_0-9]+)\"", source))
    listed = settings.VARIABLES.keys() | {settings.variable_of(name) for name in FIELDS}
    assert read <= listed
    assert settings.VARIABLES.keys() <= read


def test_every_route_is_listed() -> None:
    assert routes.NEEDS.keys() == ROUTES.keys()
    for kind, path in routes.PATHS.items():
        found = parse_route(re.sub(r"<\w+>", "x", path))
        assert found is not None
        assert found.kind == kind


def test_every_route_counts_as_an_action_that_it_needs() -> None:
    counted = {route: f"ecr:{operation}" for route, operation in OPERATIONS.items()}
    assert counted.keys() == {route for route, need in routes.NEEDS.items() if need.actions}
    assert all(action == routes.NEEDS[route].actions[0] for route, action in counted.items())


@pytest.fixture(params=["sqlite+local"])
def stack(request: pytest.FixtureRequest) -> str:
    """Rights do not depend on what the server stores on."""
    return str(request.param)


@pytest.fixture
def intruder(server: MoorageServer) -> Iterator[RegistryClient]:
    """Another account's root, at the registry of the default account."""
    key = server.create_account("intruder")
    with RegistryClient("127.0.0.1", server.port, server.password(key=key)) as client:
        yield client


def test_routes_need_the_actions_that_are_listed(intruder: RegistryClient) -> None:
    digest = f"sha256:{'0' * 64}"
    values = {"name": "app", "reference": "v1", "digest": digest, "upload": "00000000-0000-4000-8000-000000000000"}
    for (kind, method), need in routes.NEEDS.items():
        path = re.sub(r"<(\w+)>", lambda match: values[match[1]], routes.PATHS[kind])
        if (kind, method) == ("upload", "PUT"):
            path += f"?digest={digest}"
        body = b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
        answer = intruder.request(method, path, body if (kind, method) == ("manifest", "PUT") else None)
        if not need.actions:
            assert answer.status == 200, (method, path)
            continue
        assert answer.status == 403, (method, path, answer.body)
        if method != "HEAD":
            assert f"is not authorized to perform: {need.actions[0]} on" in answer.message, (method, path)


def test_every_parameter_of_a_store_is_told() -> None:
    with pytest.raises(ValueError, match="unknown parameter") as caught:
        open_store("s3://bucket?no-such-parameter=1", {})
    known = str(caught.value).partition("known are ")[2].split(", ")
    page = text_of(reference.FOLDER / "settings.md")
    assert [name for name in known if f"| `{name}` |" not in page] == []
