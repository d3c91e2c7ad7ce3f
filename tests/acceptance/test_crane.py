"""crane: push, pull, digest, multi-arch copies, catalog, deletion."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moorage.testing import builders
from tests import clients
from tests.acceptance.conftest import Shell, pushed_digest
from tests.acceptance.test_skopeo import write_index

pytestmark = pytest.mark.crane


@pytest.fixture
def crane(shell: Shell) -> Callable[..., str]:
    """A logged-in crane; the repository `app` is there."""
    program = clients.program("crane")
    shell.aws("ecr", "create-repository", "--repository-name", "app")
    password = shell.server.password()
    shell.run(program, "auth", "login", shell.server.host, "-u", "AWS", "--password-stdin", given=password)
    return lambda *arguments: shell.run(program, *arguments).strip()


def test_push_pull_delete(shell: Shell, crane: Callable[..., str]) -> None:
    host = shell.server.host
    built = builders.image(1, layer_bytes=100_000)
    layout = builders.write_layout(built, shell.home / "layout")
    assert crane("push", str(layout), f"{host}/app:v1") == f"{host}/app@{built.digest}"
    assert crane("digest", f"{host}/app:v1") == built.digest == pushed_digest(shell.server, "app", "v1")
    crane("pull", "--format", "oci", f"{host}/app:v1", str(shell.home / "back"))
    assert (shell.home / "back" / "blobs" / "sha256" / built.digest.partition(":")[2]).read_bytes() == built.manifest
    crane("validate", "--remote", f"{host}/app:v1")
    assert crane("ls", f"{host}/app") == "v1"
    assert crane("catalog", host) == "app"
    crane("tag", f"{host}/app:v1", "v2")
    assert crane("ls", f"{host}/app").split() == ["v1", "v2"]
    crane("delete", f"{host}/app@{built.digest}")
    assert crane("ls", f"{host}/app") == ""


def test_multi_arch(shell: Shell, crane: Callable[..., str]) -> None:
    host = shell.server.host
    children = [builders.image(seed) for seed in (1, 2)]
    (shell.home / "multi").mkdir()
    digest = write_index(children, shell.home / "multi")
    crane("push", "--index", str(shell.home / "multi"), f"{host}/app:multi")
    assert crane("digest", f"{host}/app:multi") in {digest, pushed_digest(shell.server, "app", "multi")}
    shell.server.client().create_repository(repositoryName="copy")
    crane("copy", f"{host}/app:multi", f"{host}/copy:multi")
    assert pushed_digest(shell.server, "copy", "multi") == pushed_digest(shell.server, "app", "multi")
    with shell.server.registry() as registry:
        for child in children:
            registry.require_image("copy", child)
