"""podman and buildah: log in, push, pull."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moorage.testing import builders
from tests import clients
from tests.acceptance.conftest import Shell, pushed_digest


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path podman takes: at most 50 characters."""
    with tempfile.TemporaryDirectory(prefix="moorage-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.podman
def test_podman(shell: Shell, login: Callable[..., None], short_folder: Path) -> None:
    host = shell.server.host
    program = clients.program("podman")
    storage = ("--storage-driver", "vfs", "--root", str(shell.home / "root"), "--runroot", str(short_folder))
    shell.environment["REGISTRY_AUTH_FILE"] = str(shell.home / "auth.json")

    def podman(*arguments: str) -> str:
        return shell.run(program, *storage, *arguments).strip()

    shell.aws("ecr", "create-repository", "--repository-name", "app")
    login(program, *storage, options=("--tls-verify=false",))
    built = builders.image(1)
    layout = builders.write_layout(built, shell.home / "layout")
    podman("pull", "--quiet", f"oci:{layout}:latest")
    image_id = podman("images", "--quiet", "--no-trunc").partition(":")[2]
    digest_file = shell.home / "digest"
    podman("push", "--tls-verify=false", "--digestfile", str(digest_file), image_id, f"{host}/app:v1")
    digest = pushed_digest(shell.server, "app", "v1")
    assert digest_file.read_text().strip() == digest
    podman("rmi", "--all", "--force")
    assert podman("pull", "--quiet", "--tls-verify=false", f"{host}/app:v1") == image_id
    assert digest in podman("inspect", "--format", "{{json .RepoDigests}}", image_id)
    shell.aws("ecr", "batch-delete-image", "--repository-name", "app", "--image-ids", "imageTag=v1")
    assert json.loads(shell.aws("ecr", "list-images", "--repository-name", "app"))["imageIds"] == []


@pytest.mark.buildah
def test_buildah(shell: Shell, login: Callable[..., None], short_folder: Path) -> None:
    host = shell.server.host
    program = clients.program("buildah")
    storage = ("--storage-driver", "vfs", "--root", str(shell.home / "root"), "--runroot", str(short_folder))
    shell.environment["REGISTRY_AUTH_FILE"] = str(shell.home / "auth.json")

    def buildah(*arguments: str) -> str:
        return shell.run(program, *storage, *arguments).strip()

    shell.aws("ecr", "create-repository", "--repository-name", "app")
    login(program, *storage, options=("--tls-verify=false",))
    container = buildah("from", "scratch")
    (shell.home / "file").write_text("content")
    buildah("copy", "--quiet", container, str(shell.home / "file"), "/file")
    buildah("commit", "--quiet", container, "app")
    buildah("push", "--quiet", "--tls-verify=false", "app", f"docker://{host}/app:built")
    digest = pushed_digest(shell.server, "app", "built")
    assert buildah("pull", "--quiet", "--tls-verify=false", f"{host}/app@{digest}")
