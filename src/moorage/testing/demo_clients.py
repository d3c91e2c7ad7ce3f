"""The clients of the demo: which of them this machine has, and how each pushes and pulls.

They work in a folder of their own, with credentials of their own; what docker's daemon is given is taken away again.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moorage.testing import builders
from moorage.testing.builders import BuiltImage

_SECONDS = 180
_PROBE_SECONDS = 20
_TOOLS = Path(__file__).resolve().parents[3] / ".tools"
_LAYOUT, _PLAIN, _BACK = "image", "rootfs.tar", "back"


class ClientFailed(Exception):
    """A client ended with an error; the message has its words."""


class Site:
    """Where clients work: the folder, the registry, the image. `say` is told every command before it runs."""

    def __init__(self, folder: Path, host: str, password: str, image: BuiltImage, say: Callable[[str], None]) -> None:
        self.folder, self.host, self.password, self.image = folder, host, password, image
        self._say = say
        self._environment = os.environ | {
            "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
            "DOCKER_CONFIG": str(folder / "docker"),
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
        }
        builders.write_layout(image, folder / _LAYOUT)
        (folder / _PLAIN).write_bytes(gzip.decompress(image.blobs[image.layers[0]]))

    def run(self, *command: str, shown: str = "", given: str | None = None) -> str:
        """Run a command in the folder and return what it said. Raises ClientFailed."""
        self._say(shown or shlex.join(command))
        done = self._execute(command, _SECONDS, given)
        if done.returncode != 0:
            raise ClientFailed(f"{shlex.join(command)}: status {done.returncode}: {done.stderr.strip()[-1500:]}")
        return done.stdout.strip()

    def log_in(self, *command: str) -> None:
        """Log in with the token on standard input."""
        words = (*command, "--username", "AWS", "--password-stdin", self.host)
        self.run(*words, shown=f"aws ecr get-login-password | {shlex.join(words)}", given=self.password)

    def works(self, *command: str) -> bool:
        """Whether a command succeeds soon."""
        try:
            return self._execute(command, _PROBE_SECONDS).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def forget(self, *command: str) -> None:
        """Run a command that cleans up, whatever it says."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._execute(command, _PROBE_SECONDS)

    def _execute(self, command: tuple[str, ...], seconds: int, given: str | None = None) -> subprocess.CompletedProcess[str]:
        program = find(command[0])
        return subprocess.run(
            [program or command[0], *command[1:]], input=given if given is not None else "", cwd=self.folder, text=True,
            env=self._environment, capture_output=True, timeout=seconds, check=False,
        )  # fmt: skip

    def require_manifest(self, manifest: bytes) -> None:
        """Compare what a client pulled with what was pushed. Raises ClientFailed."""
        if manifest != self.image.manifest:
            raise ClientFailed("the manifest that was pulled is not the one that was pushed")


def find(name: str) -> str | None:
    """A client's program: those that the tests installed first, then the system's."""
    return shutil.which(name, path=os.pathsep.join([str(_TOOLS), os.environ.get("PATH", "")]))


@dataclass(frozen=True, slots=True)
class Client:
    """A client. `probe` succeeds where it can work; `needs` says what is missing where it does not."""

    name: str
    push_and_pull: Callable[[Site], None]
    probe: tuple[str, ...] = ()
    needs: str = ""

    def why_not(self, site: Site) -> str:
        """Why it cannot take part; empty if it can."""
        if find(self.name) is None:
            return "it is not installed"
        if self.probe and sys.platform != "linux":
            return "on this system it runs in a machine of its own, which does not see this address"
        return self.needs if self.probe and not site.works(*self.probe) else ""


def _skopeo(site: Site) -> None:
    site.log_in("skopeo", "login", "--tls-verify=false")
    image = f"docker://{site.host}/hello"
    site.run("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", f"oci:{_LAYOUT}:latest", f"{image}:skopeo")
    back = f"oci:{_BACK}-skopeo:latest"
    site.run("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", f"{image}@{site.image.digest}", back)
    _require_layout(site, f"{_BACK}-skopeo")


def _crane(site: Site) -> None:
    words = ("crane", "auth", "login", site.host, "--username", "AWS", "--password-stdin")
    site.run(*words, shown=f"aws ecr get-login-password | {shlex.join(words)}", given=site.password)
    site.run("crane", "push", _LAYOUT, f"{site.host}/hello:crane")
    site.run("crane", "pull", "--format", "oci", f"{site.host}/hello@{site.image.digest}", f"{_BACK}-crane")
    _require_layout(site, f"{_BACK}-crane")


def _require_layout(site: Site, name: str) -> None:
    folder = site.folder / name
    (entry,) = json.loads((folder / "index.json").read_text())["manifests"]
    algorithm, _, digest = entry["digest"].partition(":")
    site.require_manifest((folder / "blobs" / algorithm / digest).read_bytes())


_STORAGE = ("--storage-driver", "vfs", "--root", "podman", "--runroot", "run")


def _podman(site: Site) -> None:
    site.log_in("podman", "login", "--tls-verify=false")
    image_id = site.run("podman", *_STORAGE, "pull", "--quiet", f"oci:{_LAYOUT}:latest")
    site.run("podman", *_STORAGE, "push", "--quiet", "--tls-verify=false", image_id, f"{site.host}/hello:podman")
    site.run("podman", *_STORAGE, "rmi", "--force", image_id)
    pulled = site.run("podman", *_STORAGE, "pull", "--quiet", "--tls-verify=false", f"{site.host}/hello:podman")
    if pulled != image_id:
        raise ClientFailed(f"podman pulled {pulled}, not {image_id}")


def _docker(site: Site) -> None:
    site.log_in("docker", "login")
    name = f"{site.host}/hello:docker"
    image_id = site.run("docker", "import", _PLAIN, name)
    try:
        site.run("docker", "push", "--quiet", name)
        site.run("docker", "rmi", name)
        site.run("docker", "pull", "--quiet", name)
        pulled = site.run("docker", "inspect", "--format", "{{.Id}}", name)
        if pulled != image_id:
            raise ClientFailed(f"docker pulled {pulled}, not {image_id}")
    finally:
        site.forget("docker", "rmi", "--force", name)


CLIENTS = (
    Client("skopeo", _skopeo),
    Client("podman", _podman, ("podman", *_STORAGE, "info"), "it cannot make containers for this user here"),
    Client("crane", _crane),
    Client("docker", _docker, ("docker", "info"), "its daemon does not answer"),
)
