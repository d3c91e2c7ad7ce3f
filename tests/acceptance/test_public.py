"""The public registries with real clients: pulls without a login, pushes with one."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage.testing import builders
from moorage.testing.server import MoorageServer
from tests import clients
from tests.acceptance.conftest import Shell
from tests.acceptance.test_docker import docker, write_archive
from tests.acceptance.test_skopeo import FROM, TO, manifest_of

__all__ = ["docker"]


def create(server: MoorageServer, name: str) -> tuple[str, str]:
    """A public repository: the host and the path at which docker reaches it."""
    uri = str(server.client("ecr-public").create_repository(repositoryName=name)["repository"]["repositoryUri"])
    host, _, path = uri.partition("/")
    return host, path


@pytest.fixture
def skopeo(shell: Shell) -> Callable[..., str]:
    """A skopeo that is logged in nowhere."""
    policy = shell.home / "policy.json"
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    shell.environment["REGISTRY_AUTH_FILE"] = str(shell.home / "auth.json")
    return lambda *arguments, given=None: shell.run(clients.program("skopeo"), "--policy", policy, *arguments, given=given)


def denied(shell: Shell, *command: str) -> str:
    """What a command says that has to fail."""
    done = subprocess.run(command, env=shell.environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    return done.stderr


@pytest.mark.skopeo
def test_skopeo(shell: Shell, skopeo: Callable[..., str]) -> None:
    host, path = create(shell.server, "team/app")
    built = builders.image(1, layer_bytes=200_000)
    layout = builders.write_layout(built, shell.home / "layout")
    source, target = f"oci:{layout}:latest", f"docker://{host}/{path}:v1"
    policy = str(shell.home / "policy.json")
    said = denied(shell, clients.program("skopeo"), "--policy", policy, "copy", *TO, source, target)
    assert "unauthorized" in said
    login = ("login", "--tls-verify=false", "--username", "AWS", "--password-stdin", host)
    shell.run(clients.program("skopeo"), *login, given=shell.server.public_password())
    skopeo("copy", *TO, source, target)
    skopeo("logout", host)
    for number, place in enumerate((f"{host}/{path}", f"{shell.server.host}/public.localhost/{path}")):
        assert json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{place}:v1"))["Digest"] == built.digest
        assert json.loads(skopeo("list-tags", "--tls-verify=false", f"docker://{place}"))["Tags"] == ["v1"]
        back = Path(shell.home / f"back-{number}")
        skopeo("copy", *FROM, f"docker://{place}:v1", f"oci:{back}:v1")
        assert manifest_of(back) == built.manifest
    shell.server.client().create_repository(repositoryName="team/app")
    said = denied(shell, clients.program("skopeo"), "inspect", "--tls-verify=false", f"docker://{shell.server.host}/team/app:v1")
    assert "unauthorized" in said


@pytest.mark.crane
def test_crane_on_the_plain_host(shell: Shell) -> None:
    """crane follows the challenge of /v2/ alone, which is the private registry's: with nothing, or with a private login."""
    _, path = create(shell.server, "team/app")
    built = builders.image(1, layer_bytes=100_000)
    with shell.server.public_registry() as publisher:
        publisher.push_image(path, built, "v1")
    program, place = clients.program("crane"), f"{shell.server.host}/public.localhost/{path}"
    for number in range(2):
        assert shell.run(program, "digest", f"{place}:v1").strip() == built.digest
        assert shell.run(program, "ls", place).strip() == "v1"
        shell.run(program, "pull", "--format", "oci", f"{place}:v1", str(shell.home / f"back-{number}"))
        shell.run(program, "validate", "--remote", f"{place}:v1")
        assert "authentication required" in denied(shell, program, "tag", f"{place}:v1", "v2")
        if number == 0:
            login = ("auth", "login", shell.server.host, "-u", "AWS", "--password-stdin")
            shell.run(program, *login, given=shell.server.password())


@pytest.mark.skopeo
def test_a_login_to_the_plain_host_is_in_nobodys_way(shell: Shell, skopeo: Callable[..., str]) -> None:
    _, path = create(shell.server, "team/app")
    with shell.server.public_registry() as publisher:
        publisher.push_image(path, builders.image(1), "v1")
    login = ("login", "--tls-verify=false", "--username", "AWS", "--password-stdin", shell.server.host)
    shell.run(clients.program("skopeo"), *login, given=shell.server.password())
    place = f"docker://{shell.server.host}/public.localhost/{path}"
    assert json.loads(skopeo("inspect", "--tls-verify=false", f"{place}:v1"))["Digest"] == builders.image(1).digest
    policy = str(shell.home / "policy.json")
    said = denied(shell, clients.program("skopeo"), "--policy", policy, "delete", "--tls-verify=false", f"{place}:v1")
    assert "UNAUTHORIZED" in said


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
def test_docker(shell: Shell, docker: Callable[..., str]) -> None:  # the fixture
    host, path = create(shell.server, "hello")
    name, program = f"{host}/{path}:v1", clients.program("docker")
    write_archive(builders.image(1, layers=3, layer_bytes=100_000), shell.home / "image.tar", name)
    docker("load", "--input", str(shell.home / "image.tar"))
    begun = time.monotonic()
    assert "denied: authentication required" in denied(shell, program, "push", name)
    assert time.monotonic() - begun < 4, "docker has tried again, which it does for what it takes for passing faults"
    docker("login", "--username", "AWS", "--password-stdin", host, given=shell.server.public_password())
    docker("push", name)
    digest = shell.server.client("ecr-public").describe_images(repositoryName="hello")["imageDetails"][0]["imageDigest"]
    docker("logout", host)
    docker("rmi", name)
    assert digest in docker("pull", name)
    assert "not found" in denied(shell, program, "pull", f"{host}/{path}-none:v1")


@pytest.mark.awscli
def test_aws_command_line(shell: Shell) -> None:
    create(shell.server, "hello")
    password = shell.aws("ecr-public", "get-login-password", "--region", "us-east-1")
    assert password
    told = json.loads(shell.aws("ecr-public", "describe-image-tags", "--repository-name", "hello", "--region", "us-east-1"))
    assert told["imageTagDetails"] == []
