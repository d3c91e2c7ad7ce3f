"""Requirements pin botocore, an installation by hand does not: newer models than the pinned ones must do no harm.

Once with a model that has an operation which nobody knows, and once with the newest botocore that can be had.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from moorage.testing.server import ROOT, MoorageServer
from moorage.wire.aws.models import ServicePlan, service_plan
from tests.conftest import Pool

_SERVICES = ("ecr", "ecr-public", "iam", "organizations", "service-quotas", "sts")
_INVENTED = "GetInventedThing"
_COVERED = """
import json
from moorage.testing.reference.operations import covered
print(json.dumps([[each.service, each.operation, each.state] for each in covered()]))
"""


def _data() -> Path:
    spec = importlib.util.find_spec("botocore")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "data"


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a botocore whose services have one operation more."""
    folder = tmp_path_factory.mktemp("invented")
    _link(_data().parent, folder / "botocore", but={"data", "__pycache__"})
    _link(_data(), folder / "botocore" / "data", but=set(_SERVICES))
    for service in _SERVICES:
        for file in (_data() / service).glob("*/service-2.json.gz"):
            model = json.loads(gzip.decompress(file.read_bytes()))
            model["operations"][_INVENTED] = {"name": _INVENTED, "http": {"method": "POST", "requestUri": "/"}, "errors": []}
            target = folder / "botocore" / "data" / service / file.parent.name
            target.mkdir(parents=True)
            (target / "service-2.json").write_text(json.dumps(model))
    return folder


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the newest botocore of the package index."""
    folder = tmp_path_factory.mktemp("newest")
    command = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-deps", "--no-compile"]
    done = subprocess.run(
        [*command, "--upgrade", "--target", str(folder), "botocore"], check=False, capture_output=True, text=True
    )
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"no package index: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def serve(pool: Pool) -> Iterator[Callable[[Path], MoorageServer]]:
    """Starts servers with the models of a folder."""
    running: list[MoorageServer] = []

    def start(folder: Path) -> MoorageServer:
        server = pool.new_server("sqlite+local", environment={"PYTHONPATH": str(folder)})
        running.append(server)
        return server.start()

    yield start
    for server in running:
        server.terminate()
        server.require_clean_log()


def _operations(folder: Path) -> dict[tuple[str, str], str]:
    """What this version makes of the operations of a folder's models."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", _COVERED], check=False, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {(service, operation): state for service, operation, state in json.loads(done.stdout)}


def _link(source: Path, target: Path, but: set[str]) -> None:
    """A folder with links to what is in another one. `__init__.py` is a copy: data is looked for beside where it lies."""
    target.mkdir()
    for part in source.iterdir():
        if part.name == "__init__.py":
            shutil.copy(part, target / part.name)
        elif part.name not in but:
            (target / part.name).symlink_to(part)


def _ask(server: MoorageServer, plan: ServicePlan, operation: str) -> tuple[int, str]:
    if plan.protocol == "json":
        body = b"{}"
        kind = {"X-Amz-Target": f"{plan.target_prefix}.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    else:
        body = f"Action={operation}&Version={plan.api_version}".encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", server.endpoint + "/", headers=kind, data=body)
    SigV4Auth(Credentials(ROOT.access_key_id, ROOT.secret), plan.signing_name, "us-east-1").add_auth(request)
    try:
        with urlopen(Request(request.url, body, dict(request.headers.items())), timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def _require_refusals(server: MoorageServer, operations: list[tuple[str, str]]) -> None:
    for service, operation in operations:
        plan = service_plan(service)
        status, text = _ask(server, plan, operation)
        assert (status, "UnknownOperationException" in text or "InvalidAction" in text) == (400, True), (operation, text)
        assert operation in text, text  # it says which one, and that it is not there


def test_an_operation_that_nobody_knows_is_refused(invented: Path, serve: Callable[[Path], MoorageServer]) -> None:
    states = _operations(invented)
    assert {service for service, operation in states if operation == _INVENTED} == set(_SERVICES)
    _require_refusals(serve(invented), [(service, _INVENTED) for service in _SERVICES])


def test_every_operation_of_the_newest_models_is_named(
    newest: Path, serve: Callable[[Path], MoorageServer], record_property: Callable[[str, Any], None]
) -> None:
    """What Amazon adds overnight is refused in the service's words; what was built goes on to be built."""
    states = _operations(newest)
    page = (Path(__file__).parents[3] / "docs" / "reference" / "operations.md").read_text("utf-8")
    named: dict[str, set[str]] = {}
    for part in page.split("\n## ")[1:]:
        named[part.split("\n", 1)[0].strip()] = set(re.findall(r"^\| `(\w+)`", part, re.MULTILINE))
    pinned = {(service, name) for service in _SERVICES for name in service_plan(service).operations}
    assert {(service, name) for service in _SERVICES for name in named[service]} == pinned
    added = sorted(set(states) - pinned)
    record_property("operations that the newest models add", added)
    assert all(states[each] == "not built yet" for each in added)
    _require_refusals(serve(newest), added)
