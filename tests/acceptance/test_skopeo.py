"""skopeo: copies with every kind of layer and digest, lists, inspects, deletes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage.testing import builders
from moorage.testing.builders import BuiltImage
from tests import clients
from tests.acceptance.conftest import Shell, pushed_digest

pytestmark = pytest.mark.skopeo

TO = ("--dest-tls-verify=false",)
FROM = ("--src-tls-verify=false",)


@pytest.fixture
def skopeo(shell: Shell, login: Callable[..., None]) -> Callable[..., str]:
    """A logged-in skopeo; the repository `app` is there."""
    program = clients.program("skopeo")
    shell.server.client().create_repository(repositoryName="app")
    policy = shell.home / "policy.json"
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    shell.environment["REGISTRY_AUTH_FILE"] = str(shell.home / "auth.json")
    login(program, options=("--tls-verify=false",))
    return lambda *arguments: shell.run(program, "--policy", policy, *arguments)


def manifest_of(folder: Path) -> bytes:
    """The manifest of a layout with one image."""
    (entry,) = json.loads((folder / "index.json").read_text())["manifests"]
    algorithm, _, name = str(entry["digest"]).partition(":")
    return (folder / "blobs" / algorithm / name).read_bytes()


def test_push_pull_delete(shell: Shell, skopeo: Callable[..., str]) -> None:
    built = builders.image(1, layer_bytes=200_000)
    host = shell.server.host
    layout = builders.write_layout(built, shell.home / "layout")
    skopeo("copy", *TO, f"oci:{layout}:latest", f"docker://{host}/app:v1")
    assert pushed_digest(shell.server, "app", "v1") == built.digest
    assert json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{host}/app:v1"))["Digest"] == built.digest
    assert json.loads(skopeo("list-tags", "--tls-verify=false", f"docker://{host}/app"))["Tags"] == ["v1"]
    back = shell.home / "back"
    skopeo("copy", *FROM, f"docker://{host}/app@{built.digest}", f"oci:{back}:v1")
    assert manifest_of(back) == built.manifest
    skopeo("delete", "--tls-verify=false", f"docker://{host}/app:v1")
    assert shell.server.client().list_images(repositoryName="app")["imageIds"] == []


def write_index(children: list[BuiltImage], folder: Path) -> str:
    """A layout of a multi-arch image; the index's digest."""
    for child in children:
        part = builders.write_layout(child, folder.with_name(f"part-{child.digest[-8:]}"))
        shutil.copytree(part / "blobs", folder / "blobs", dirs_exist_ok=True)
    data = builders.index(children)
    digest = builders.digest(data)
    (folder / "blobs" / "sha256" / digest.partition(":")[2]).write_bytes(data)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    entry = {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest, "size": len(data)}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return digest


def test_multi_arch(shell: Shell, skopeo: Callable[..., str]) -> None:
    host = shell.server.host
    children = [builders.image(seed) for seed in (1, 2)]
    (shell.home / "multi").mkdir()
    digest = write_index(children, shell.home / "multi")
    skopeo("copy", "--all", *TO, f"oci:{shell.home / 'multi'}", f"docker://{host}/app:multi")
    assert pushed_digest(shell.server, "app", "multi") == digest
    shell.server.client().create_repository(repositoryName="copy")
    skopeo("copy", "--all", *FROM, *TO, f"docker://{host}/app:multi", f"docker://{host}/copy:multi")
    assert pushed_digest(shell.server, "copy", "multi") == digest
    with shell.server.registry() as registry:
        for child in children:
            registry.require_image("copy", child)


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_compressions(shell: Shell, skopeo: Callable[..., str], compression: str) -> None:
    host = shell.server.host
    layout = builders.write_layout(builders.image(1, layer_bytes=300_000), shell.home / "layout")
    digest_file = shell.home / "digest"
    skopeo(
        "copy", "--dest-compress-format", compression, "--format=oci", "--digestfile", str(digest_file), *TO,
        f"dir:{_as_dir(shell, skopeo, layout)}", f"docker://{host}/app:v1",
    )  # fmt: skip
    assert pushed_digest(shell.server, "app", "v1") == digest_file.read_text().strip()
    kinds = {layer["mediaType"].partition("+")[2] for layer in json.loads(manifest_in(shell, "v1"))["layers"]}
    assert kinds == {compression}
    skopeo("copy", *FROM, f"docker://{host}/app:v1", f"oci:{shell.home / 'back'}:v1")


def manifest_in(shell: Shell, tag: str) -> bytes:
    """The manifest under a tag of `app`."""
    with shell.server.registry() as registry:
        return registry.get(f"/v2/app/manifests/{tag}").body


def _as_dir(shell: Shell, skopeo: Callable[..., str], layout: Path) -> Path:
    """The image with its layers unpacked, so that skopeo has to compress them on the way out."""
    folder = shell.home / "plain"
    skopeo("copy", "--dest-decompress", f"oci:{layout}:latest", f"dir:{folder}")
    return folder


def test_docker_schema_2(shell: Shell, skopeo: Callable[..., str]) -> None:
    host = shell.server.host
    layout = builders.write_layout(builders.image(1), shell.home / "layout")
    skopeo("copy", "--format", "v2s2", *TO, f"oci:{layout}:latest", f"docker://{host}/app:docker")
    detail = shell.server.client().describe_images(repositoryName="app")["imageDetails"][0]
    assert detail["imageManifestMediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    skopeo("copy", *FROM, f"docker://{host}/app:docker", f"docker-archive:{shell.home / 'image.tar'}:app:docker")
    assert (shell.home / "image.tar").stat().st_size
