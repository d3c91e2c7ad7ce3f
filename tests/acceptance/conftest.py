"""What every client's test works with: a server of its own, images on disk, a shell that forgets nothing of the machine's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from moorage.testing.server import MoorageServer
from tests import clients

SECONDS = 120


class Shell:
    """Runs programs with a home folder of their own."""

    def __init__(self, server: MoorageServer, home: Path) -> None:
        self.server, self.home = server, home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "DOCKER_CONFIG": str(home / "docker"),
            "AWS_ACCESS_KEY_ID": server.root.access_key_id,
            "AWS_SECRET_ACCESS_KEY": server.root.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }

    def run(self, *command: str | Path, given: str | None = None, environment: Mapping[str, str] | None = None) -> str:
        """Standard output of a command that has to succeed."""
        done = subprocess.run(
            [str(part) for part in command],
            input=given,
            env=self.environment | dict(environment or {}),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd=self.home,
        )
        assert done.returncode == 0, f"{' '.join(str(part) for part in command)}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def aws(self, *arguments: str) -> str:
        """The aws CLI that Debian ships."""
        return self.run(clients.program("aws-v2"), "--endpoint-url", self.server.endpoint, *arguments).strip()


@pytest.fixture
def shell(own_server: MoorageServer, tmp_path: Path) -> Shell:
    return Shell(own_server, tmp_path)


@pytest.fixture
def login(shell: Shell) -> Callable[..., None]:
    """``aws ecr get-login-password | CLIENT login --username AWS --password-stdin HOST``."""

    def run(*command: str, options: tuple[str, ...] = (), **environment: Any) -> None:
        password = shell.server.password()
        shell.run(
            *command,
            "login",
            "--username",
            "AWS",
            "--password-stdin",
            *options,
            shell.server.host,
            given=password,
            environment=environment,
        )

    return run


def pushed_digest(server: MoorageServer, repository: str, tag: str) -> str:
    """The digest that the registry has under a tag."""
    found = server.client().describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])["imageDetails"]
    return str(found[0]["imageDigest"])
