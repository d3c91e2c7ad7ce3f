"""Clients that are told to come again later: they do, by themselves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage.testing import builders
from moorage.testing.server import MoorageServer
from tests import clients
from tests.acceptance.conftest import Shell
from tests.integration.rates.counting import counted

RATES = {"MOORAGE_THROTTLING": "on", "MOORAGE_RATES": "BatchGetImage=1/1,GetDownloadUrlForLayer=2/1,DescribeRepositories=4/1"}


@pytest.fixture
def own_server(make_server: Callable[..., MoorageServer]) -> MoorageServer:
    """A server of the test's own, which is slow."""
    return make_server(environment=RATES)


@pytest.mark.skopeo
def test_skopeo_waits_and_goes_on(shell: Shell, login: Callable[..., None]) -> None:
    program = clients.program("skopeo")
    shell.server.client().create_repository(repositoryName="app")
    with shell.server.registry() as registry:
        registry.push_image("app", builders.image(1), "v1")
    shell.environment["REGISTRY_AUTH_FILE"] = str(shell.home / "auth.json")
    login(program, options=("--tls-verify=false",))
    image = f"docker://{shell.server.host}/app:v1"
    for number in range(3):
        to: Path = shell.home / f"pulled-{number}"
        shell.run(program, "--insecure-policy", "copy", "--src-tls-verify=false", image, f"oci:{to}:v1")
        shutil.rmtree(to)
    refused = [
        counted(shell.server, operation, throttled=True) for operation in ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
    ]
    assert sum(refused) > 0


@pytest.mark.awscli
def test_the_aws_command_line_tries_again(shell: Shell) -> None:
    shell.environment["AWS_MAX_ATTEMPTS"] = "10"
    for number in range(4):
        shell.server.client().create_repository(repositoryName=f"app-{number}")
    listed = shell.aws(
        "ecr", "describe-repositories", "--page-size", "1", "--query", "repositories[].repositoryName", "--output", "text"
    )
    assert listed.split() == [f"app-{number}" for number in range(4)]
    assert counted(shell.server, "ecr:DescribeRepositories", throttled=True) > 0
