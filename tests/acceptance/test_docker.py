"""docker, with a daemon of the test's own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moorage.server.parent import end_with_parent
from moorage.testing import builders
from tests import clients
from tests.acceptance.conftest import Shell, pushed_digest

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]

_START_SECONDS = 90.0


@contextlib.contextmanager
def running_daemon(folder: Path) -> Iterator[str]:
    """A dockerd that touches nothing of the machine's network and storage; the address of its socket."""
    address = f"unix://{folder / 'docker.sock'}"
    command = [
        clients.program("dockerd"), "--host", address, "--data-root", str(folder / "data"), "--exec-root", str(folder / "exec"),
        "--pidfile", str(folder / "docker.pid"), "--storage-driver", "vfs", "--iptables=false", "--ip6tables=false",
        "--bridge=none", "--exec-opt", "native.cgroupdriver=cgroupfs", "--group", "root",
    ]  # fmt: skip
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: end_with_parent(signal.SIGTERM),  # noqa: PLW1509  # one system call
        )
        try:
            deadline = time.monotonic() + _START_SECONDS
            probe = [clients.program("docker"), "--host", address, "info"]
            while subprocess.run(probe, capture_output=True, check=False, timeout=30).returncode != 0:
                said = (folder / "log").read_text(errors="replace")[-3000:]
                assert process.poll() is None, f"dockerd ended: {said}"
                assert time.monotonic() < deadline, f"dockerd does not answer: {said}"
                time.sleep(0.1)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def docker(shell: Shell) -> Iterator[Callable[..., str]]:
    # The socket's path has to be short, so not below pytest's own folder.
    temporary = tempfile.TemporaryDirectory(prefix="moorage-docker-", ignore_cleanup_errors=True)
    with temporary as folder, running_daemon(Path(folder)) as address:
        shell.environment["DOCKER_HOST"] = address
        yield lambda *arguments, given=None: shell.run(clients.program("docker"), *arguments, given=given).strip()


def write_archive(built: builders.BuiltImage, path: Path, name: str) -> None:
    """What ``docker load`` reads."""
    folder = path.with_suffix("")
    folder.mkdir()
    config = f"{built.config.partition(':')[2]}.json"
    (folder / config).write_bytes(built.blobs[built.config])
    layers = []
    for number, digest in enumerate(built.layers):
        (folder / f"layer-{number}.tar").write_bytes(built.blobs[digest])
        layers.append(f"layer-{number}.tar")
    (folder / "manifest.json").write_text(json.dumps([{"Config": config, "RepoTags": [name], "Layers": layers}]))
    with tarfile.open(path, "w") as archive:
        for entry in sorted(folder.iterdir()):
            archive.add(entry, entry.name)


def test_getting_started(shell: Shell, docker: Callable[..., str]) -> None:
    host = shell.server.host
    shell.aws("ecr", "create-repository", "--repository-name", "hello")
    docker("login", "--username", "AWS", "--password-stdin", host, given=shell.aws("ecr", "get-login-password"))
    built = builders.image(1, layers=3, layer_bytes=400_000)
    write_archive(built, shell.home / "image.tar", "local:latest")
    docker("load", "--input", str(shell.home / "image.tar"))
    image_id = docker("images", "--quiet", "--no-trunc", "local:latest")
    docker("tag", "local:latest", f"{host}/hello:v1")
    said = docker("push", f"{host}/hello:v1")
    match = re.search(r"v1: digest: (sha256:[0-9a-f]{64}) size: \d+", said)
    assert match, said
    digest = pushed_digest(shell.server, "hello", "v1")
    assert match[1] == digest
    # Again: all is there already.
    again = docker("push", f"{host}/hello:v1")
    assert digest in again
    assert "Layer already exists" in again
    docker("rmi", "local:latest", f"{host}/hello:v1")
    assert docker("images", "--quiet") == ""
    assert digest in docker("pull", f"{host}/hello:v1")
    assert docker("images", "--quiet", "--no-trunc", f"{host}/hello:v1") == image_id
    docker("rmi", f"{host}/hello:v1")
    docker("pull", f"{host}/hello@{digest}")
    # Into another repository: layers are mounted, not sent again.
    shell.server.client().create_repository(repositoryName="other/place")
    docker("tag", f"{host}/hello@{digest}", f"{host}/other/place:v2")
    assert "Mounted from hello" in docker("push", f"{host}/other/place:v2")
    assert pushed_digest(shell.server, "other/place", "v2") == digest
    listed = json.loads(shell.aws("ecr", "list-images", "--repository-name", "hello"))["imageIds"]
    assert listed == [{"imageDigest": digest, "imageTag": "v1"}]
    shell.aws("ecr", "delete-repository", "--repository-name", "hello", "--force")
    denied = subprocess.run(
        [clients.program("docker"), "pull", f"{host}/hello:v1"],
        env=shell.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert denied.returncode != 0
    assert "does not exist" in denied.stderr or "not found" in denied.stderr
