"""oras: artifacts of any type, attached to images, discovered, copied."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests import clients
from tests.acceptance.conftest import Shell, pushed_digest

pytestmark = pytest.mark.oras

PLAIN = "--plain-http"


@pytest.fixture
def oras(shell: Shell) -> Callable[..., str]:
    """A logged-in oras; the repository `app` is there."""
    program = clients.program("oras")
    shell.server.client().create_repository(repositoryName="app")
    password = shell.server.password()
    shell.run(program, "login", PLAIN, "-u", "AWS", "--password-stdin", shell.server.host, given=password)
    return lambda *arguments: shell.run(program, *arguments).strip()


def test_artifacts_and_their_referrers(shell: Shell, oras: Callable[..., str]) -> None:
    host = shell.server.host
    (shell.home / "config.yaml").write_text("key: value\n")
    (shell.home / "sbom.json").write_text('{"spdxVersion": "SPDX-2.3"}')
    kind = "application/vnd.example.config"
    oras("push", PLAIN, "--artifact-type", kind, f"{host}/app:v1", "config.yaml:application/yaml")
    digest = pushed_digest(shell.server, "app", "v1")
    detail = shell.server.client().describe_images(repositoryName="app", imageIds=[{"imageTag": "v1"}])["imageDetails"][0]
    assert detail["artifactMediaType"] == kind
    oras("attach", PLAIN, "--artifact-type", "application/spdx+json", f"{host}/app:v1", "sbom.json")
    found = json.loads(oras("discover", PLAIN, "--format", "json", f"{host}/app@{digest}"))
    (referrer,) = found.get("referrers") or found["manifests"]
    assert referrer["artifactType"] == "application/spdx+json"
    (shell.home / "config.yaml").unlink()
    oras("pull", PLAIN, f"{host}/app:v1")
    assert (shell.home / "config.yaml").read_text() == "key: value\n"
    shell.server.client().create_repository(repositoryName="copy")
    oras("copy", "--from-plain-http", "--to-plain-http", "--recursive", f"{host}/app:v1", f"{host}/copy:v1")
    assert pushed_digest(shell.server, "copy", "v1") == digest
    assert oras("repo", "tags", PLAIN, f"{host}/copy") == "v1"


def test_large_files_and_blobs(shell: Shell, oras: Callable[..., str]) -> None:
    host = shell.server.host
    data = bytes(range(256)) * 40_000
    (shell.home / "large.bin").write_bytes(data)
    oras("push", PLAIN, f"{host}/app:large", "large.bin")
    (shell.home / "large.bin").unlink()
    oras("pull", PLAIN, f"{host}/app:large")
    assert (shell.home / "large.bin").read_bytes() == data
