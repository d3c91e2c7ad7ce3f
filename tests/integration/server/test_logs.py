"""What the log says: a line for each request, in fields; ids that answers carry; who may read the metrics."""

from __future__ import annotations

import base64
import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import ROOT, MoorageServer
from moorage.testing.servers import free_ports
from tests.conftest import fresh_name
from tests.integration.aws.errors import refused
from tests.integration.server.serving import until

FIELDS = {
    "time": str,
    "level": str,
    "logger": str,
    "request_id": str,
    "client": str,
    "method": str,
    "path": str,
    "status": int,
    "bytes_in": int,
    "bytes_out": int,
    "duration_ms": float,
    "complete": bool,
    "user_agent": str,
}
MakeServer = Callable[..., MoorageServer]


@pytest.fixture(params=["sqlite+local"])
def stack(request: pytest.FixtureRequest) -> str:
    """What is logged does not depend on what is stored where."""
    return str(request.param)


def lines_of(server: MoorageServer, **wanted: Any) -> list[dict[str, Any]]:
    """The lines of the JSON form that have these values."""
    found = [json.loads(line) for line in server.log.splitlines()]
    return [line for line in found if all(line.get(name) == value for name, value in wanted.items())]


def the_line(server: MoorageServer, **wanted: Any) -> dict[str, Any]:
    """The one line of that kind, once it is written."""
    until(lambda: bool(lines_of(server, **wanted)))
    (line,) = lines_of(server, **wanted)
    return line


def get(server: MoorageServer, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    try:
        with urlopen(Request(server.endpoint + path, headers=headers), timeout=30) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}
    except HTTPError as error:
        with error:
            return error.code, {name.lower(): value for name, value in error.headers.items()}


def test_every_request_is_a_line_of_fields(make_server: MakeServer) -> None:
    server = make_server(options=["--log-format", "json"])
    name = fresh_name()
    made = server.client().create_repository(repositoryName=name)["ResponseMetadata"]
    with refused("RepositoryNotFoundException") as failed:
        server.client().list_images(repositoryName="not-there")
    with server.registry() as registry:
        pushed = registry.request("POST", f"/v2/{name}/blobs/uploads/")
        missing = registry.get(f"/v2/{name}/manifests/none")
    stranger = get(server, "/v2/", **{"User-Agent": 'a "quoted" agent'})
    asked = [
        (made["HTTPHeaders"]["x-amzn-requestid"], "ecr:CreateRepository", "POST", "/", 200),
        (failed["ResponseMetadata"]["RequestId"], "ecr:ListImages", "POST", "/", 400),
        (pushed.header("x-request-id"), "ecr:InitiateLayerUpload", "POST", f"/v2/{name}/blobs/uploads/", 202),
        (missing.header("x-request-id"), "ecr:BatchGetImage", "GET", f"/v2/{name}/manifests/none", 404),
    ]
    assert len({request_id for request_id, *_ in asked}) == len(asked)
    for request_id, operation, method, path, status in asked:
        line = the_line(server, request_id=request_id)
        assert (line["operation"], line["method"], line["path"], line["status"]) == (operation, method, path, status)
        assert (line["principal"], line["account"]) == (f"arn:aws:iam::{ROOT.account_id}:root", ROOT.account_id)
        assert all(type(line[field]) is kind for field, kind in FIELDS.items()), line
    line = the_line(server, request_id=stranger[1]["x-request-id"])
    assert (line["status"], line["principal"], line["account"]) == (401, None, None)
    assert line["user_agent"] == 'a "quoted" agent'


def test_answers_from_memory_are_lines_as_well(make_server: MakeServer) -> None:
    server = make_server(options=["--log-format", "json"])
    name = fresh_name()
    server.client().create_repository(repositoryName=name)
    with server.registry() as registry:
        registry.push_image(name, builders.image(1), "v1")
        path = f"/v2/{name}/manifests/v1"
        ids = [registry.get(path).header("x-request-id") for _ in range(5)]
    assert len(set(ids)) == 5
    for request_id in ids:
        line = the_line(server, request_id=request_id)
        assert (line["path"], line["operation"], line["account"]) == (path, "ecr:BatchGetImage", ROOT.account_id)
        assert line["bytes_out"] > 100


def test_errors_name_the_request(make_server: MakeServer) -> None:
    """A broken request line gets an id, too, and a line."""
    server = make_server(options=["--log-format", "json"])
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(b"NONSENSE\r\n\r\n")
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    found = re.search(rb"x-request-id: ([0-9a-f-]{36})\r\n", answer)
    assert found is not None, answer
    assert the_line(server, request_id=found[1].decode())["status"] == 400


def test_nobody_writes_lines_of_their_own(make_server: MakeServer) -> None:
    """In the text form what clients send is quoted and cut off: no line break, nothing that steers a terminal."""
    server = make_server()
    get(server, "/v2/%0a%1b[31mforged/manifests/x" + "y" * 3000, **{"User-Agent": "agent\t\x9b" + "z" * 3000})
    until(lambda: "agent" in server.log)
    (line,) = [line for line in server.log.splitlines() if "moorage.access" in line and "agent" in line]
    assert "\x1b" not in line
    assert "\x9b" not in line
    assert len(line) < 1500


@pytest.mark.parametrize("options", [["--no-access-log"], ["--log-level", "warning"]])
def test_it_can_be_turned_off(make_server: MakeServer, options: list[str]) -> None:
    server = make_server(options=options)
    server.client().describe_registry()
    assert server.terminate() == 0  # whatever was to be written has been
    assert "moorage.access" not in server.log


def test_a_start_and_a_stop_are_lines(make_server: MakeServer) -> None:
    server = make_server(options=["--log-format", "json"])
    server.client().describe_registry()
    assert server.terminate() == 0
    said = [line["message"] for line in lines_of(server, logger="moorage.server")]
    assert any(text.startswith("kept and not acted upon in this version: lifecycle policies, ") for text in said)
    assert said[-1] == "stopped"
    assert lines_of(server, operation="ecr:DescribeRegistry")


def test_a_log_that_nobody_reads_holds_up_nobody(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "moorage", "serve", "--data", str(tmp_path / "data"), "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        path = "/v2/" + "x" * 400
        with RegistryClient("127.0.0.1", port, None) as client:
            for _ in range(1000):  # half a megabyte of lines: several times what a pipe holds
                assert client.get(path).status in {401, 404}
    finally:
        process.kill()
        process.communicate()


def test_metrics_with_a_password(make_server: MakeServer) -> None:
    server = make_server(options=["--metrics-password", "s3cret"])
    basic = base64.b64encode(b"prometheus:s3cret").decode()
    assert get(server, "/metrics")[0] == 401
    for wrong in ("Basic !", f"Basic {base64.b64encode(b'a:b').decode()}", "Bearer x", "Digest s3cret"):
        assert get(server, "/metrics", Authorization=wrong)[0] == 401
    for right in (f"Basic {basic}", "Bearer s3cret"):
        assert get(server, "/metrics", Authorization=right)[0] == 200


def test_metrics_at_a_place_of_their_own(make_server: MakeServer) -> None:
    (port,) = free_ports(1)
    server = make_server(options=["--metrics-listen", f"127.0.0.1:{port}"])
    server.client().describe_registry()
    assert get(server, "/metrics")[0] == 404

    def at_it(path: str) -> tuple[int, bytes]:
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.status, answer.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()

    status, text = at_it("/metrics")
    assert status == 200
    assert b'operation="ecr:DescribeRegistry"' in text
    for path in ("/", "/v2/", "/readyz"):
        assert at_it(path)[0] == 404


def test_a_taken_place_for_metrics_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        (port,) = free_ports(1)
        command = [sys.executable, "-m", "moorage", "serve", "--data", str(tmp_path / "d"), "--listen", f"127.0.0.1:{port}"]
        done = subprocess.run([*command, "--metrics-listen", place], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert f"cannot listen on metrics_listen={place}" in done.stderr
    assert "Traceback" not in done.stderr
