"""The servers that are compared, each with the configuration that its makers ship, as far as it matters."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path

from bench.aws import ACCESS_KEY_ID, SECRET_ACCESS_KEY, authorization_header
from bench.processes import ServerProcess, free_port

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
MOORAGE, REGISTRY_2, REGISTRY_3, ZOT, MOTO = "Moorage", "docker-registry", "distribution v3", "zot", "moto"
REGISTRIES = (MOORAGE, REGISTRY_2, REGISTRY_3, ZOT)


class Absent(Exception):
    """The peer is not installed; the message says why."""


class Peer(ABC):
    """A server with a data folder of its own. `authorization` is the header's value that its registry API wants, or empty."""

    name: str
    ready_path = "/v2/"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self.authorization = ""
        self.ready_seconds = 0.0
        self._process: ServerProcess | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """The command line. Raises Absent."""

    @abstractmethod
    def version(self) -> str:
        """What the server says it is."""

    def environment(self) -> dict[str, str]:
        """Its environment."""
        return dict(os.environ)

    def start(self) -> None:
        """Start it and wait until it answers. Raises Absent, StartFailed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._process = ServerProcess(self.command(), self.environment(), self.folder.parent / f"{self.folder.name}.log")
        self.ready_seconds = self.process.wait_until_ready(self.port, self.ready_path)

    def stop(self) -> None:
        """End it, if it was started."""
        if self._process is not None:
            self._process.stop()

    @property
    def process(self) -> ServerProcess:
        """The running server."""
        assert self._process is not None, "not started"
        return self._process

    @property
    def host(self) -> str:
        """The Host header's value."""
        return f"127.0.0.1:{self.port}"


class Moorage(Peer):
    """This repository's server, from its source folder."""

    name = MOORAGE
    ready_path = "/readyz"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "moorage", "serve", "--data", str(self.folder), "--listen", self.host]

    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("MOORAGE_")},
            "PYTHONPATH": str(ROOT / "src"),
            "MOORAGE_ROOT_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "MOORAGE_ROOT_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        }

    def start(self) -> None:
        super().start()
        self.authorization = authorization_header(self.port)

    def version(self) -> str:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
        return f"commit {commit.stdout.strip() or 'unknown'}: every request authenticated by an ECR token, every byte sealed"


class Distribution(Peer):
    """CNCF distribution with its filesystem driver, without authentication; the configuration of its image otherwise."""

    binary: Path

    def command(self) -> list[str]:
        if not self.binary.exists():
            raise Absent(f"{self.binary} is not installed (see bench/README.md)")
        configuration = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {
                "cache": {"blobdescriptor": "inmemory"},
                "filesystem": {"rootdirectory": str(self.folder)},
                "delete": {"enabled": True},
            },
            "http": {"addr": self.host, "headers": {"X-Content-Type-Options": ["nosniff"]}},
        }
        file = self.folder.parent / f"{self.folder.name}.yml"
        file.write_text(json.dumps(configuration))  # JSON is YAML
        return [str(self.binary), "serve", str(file)]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "OTEL_TRACES_EXPORTER": "none"}

    def version(self) -> str:
        done = subprocess.run([str(self.binary), "--version"], capture_output=True, text=True, check=False)
        return f"{done.stdout.strip().splitlines()[0]}: no authentication, bytes in the clear"


class Registry2(Distribution):
    """Debian's docker-registry."""

    name = REGISTRY_2
    binary = Path(shutil.which("docker-registry") or "/usr/bin/docker-registry")


class Registry3(Distribution):
    """distribution v3, built by ``go install``."""

    name = REGISTRY_3
    binary = TOOLS / "registry"

    def version(self) -> str:
        done = subprocess.run(["go", "version", "-m", str(self.binary)], capture_output=True, text=True, check=False)
        module = [line.split()[2] for line in done.stdout.splitlines() if line.split()[:1] == ["mod"]]
        compiler = done.stdout.partition("\n")[0].rpartition(" ")[2]
        return f"{' '.join(module) or 'version unknown'}, {compiler}: no authentication, bytes in the clear"


class Zot(Peer):
    """zot without extensions, without authentication."""

    name = ZOT
    binary = TOOLS / "zot"

    def command(self) -> list[str]:
        if not self.binary.exists():
            raise Absent("not installed; zotregistry.dev/zot/v2 has to come from a Go proxy that serves it (see bench/README.md)")
        configuration = {
            "distSpecVersion": "1.1.1",
            "storage": {"rootDirectory": str(self.folder), "gc": False},
            "http": {"address": "127.0.0.1", "port": str(self.port)},
            "log": {"level": "error"},
        }
        file = self.folder.parent / f"{self.folder.name}.json"
        file.write_text(json.dumps(configuration))
        return [str(self.binary), "serve", str(file)]

    def version(self) -> str:
        done = subprocess.run([str(self.binary), "--version"], capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip()[:200]


class Moto(Peer):
    """The moto server, for the operations of the AWS API. It checks no signatures and stores nothing durably."""

    name = MOTO
    ready_path = "/moto-api/"

    def command(self) -> list[str]:
        python = ROOT / ".venv" / "bench" / "bin" / "python"
        if not python.exists():
            raise Absent("moto is not installed (see bench/README.md)")
        return [str(python), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def version(self) -> str:
        python = ROOT / ".venv" / "bench" / "bin" / "python"
        done = subprocess.run(
            [str(python), "-c", "import moto; print(moto.__version__)"], capture_output=True, text=True, check=False
        )
        return f"{done.stdout.strip()}: signatures not checked, everything in memory"


KINDS: dict[str, type[Peer]] = {kind.name: kind for kind in (Moorage, Registry2, Registry3, Zot, Moto)}
