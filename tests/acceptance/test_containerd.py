"""containerd's own client, ctr."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from moorage.server.parent import end_with_parent
from moorage.testing import builders
from tests import clients
from tests.acceptance.conftest import Shell, pushed_digest

pytestmark = [pytest.mark.containerd, pytest.mark.xdist_group("docker")]


@contextlib.contextmanager
def running_containerd(folder: Path) -> Iterator[str]:
    """A containerd with folders of its own; the path of its socket."""
    socket = str(folder / "c.sock")
    config = folder / "config.toml"
    config.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
    command = [
        clients.program("containerd"), "--config", str(config), "--address", socket,
        "--root", str(folder / "root"), "--state", str(folder / "state"),
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=lambda: end_with_parent(signal.SIGTERM))  # noqa: PLW1509
        try:
            deadline = time.monotonic() + 60
            probe = [clients.program("ctr"), "--address", socket, "version"]
            while subprocess.run(probe, capture_output=True, check=False, timeout=30).returncode != 0:
                said = (folder / "log").read_text(errors="replace")[-3000:]
                assert process.poll() is None, f"containerd ended: {said}"
                assert time.monotonic() < deadline, f"containerd does not answer: {said}"
                time.sleep(0.1)
            yield socket
        finally:
            process.terminate()
            process.wait(30)


def test_push_and_pull(shell: Shell) -> None:
    host = shell.server.host
    shell.server.client().create_repository(repositoryName="app")
    built = builders.image(1)
    with shell.server.registry() as registry:
        registry.push_image("app", built, "v1")
    user = f"AWS:{shell.server.password()}"
    with tempfile.TemporaryDirectory(prefix="moorage-ctr-") as folder, running_containerd(Path(folder)) as socket:

        def images(*arguments: str) -> str:
            return shell.run(clients.program("ctr"), "--address", socket, "images", *arguments)

        images("pull", "--plain-http", "--user", user, "--snapshotter", "native", f"{host}/app:v1")
        assert built.digest in images("list")
        images("push", "--plain-http", "--user", user, f"{host}/app:v2", f"{host}/app:v1")
        assert pushed_digest(shell.server, "app", "v2") == built.digest
