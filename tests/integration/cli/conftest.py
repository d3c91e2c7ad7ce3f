"""The aws command line as scripts run it: a process for each command, and an account for each test."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from moorage.testing.server import KeyPair, MoorageServer
from tests import clients

SECONDS = 120


class Cli:
    """``aws SERVICE`` with the key of one account."""

    def __init__(self, server: MoorageServer, key: KeyPair, home: Path, service: str = "ecr") -> None:
        self.key, self.home, self.service = key, home, service
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [clients.program("aws-v1"), self.service, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd=self.home,
        )

    def text(self, *arguments: str) -> str:
        """What a command that succeeds prints."""
        done = self._run(*arguments)
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stderr[-2000:]}"
        return done.stdout

    def __call__(self, *arguments: str) -> Any:
        """The document that a command prints; None if it prints nothing."""
        printed = self.text(*arguments, "--output", "json")
        return json.loads(printed) if printed.strip() else None

    def refused(self, code: str, *arguments: str) -> None:
        """A command that the server refuses with that error."""
        done = self._run(*arguments)
        assert done.returncode == 255, done
        assert f"An error occurred ({code})" in done.stderr

    def file(self, name: str, content: str | bytes) -> str:
        """A file for a parameter, as the command line writes one."""
        path = self.home / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return f"{'fileb' if isinstance(content, bytes) else 'file'}://{path}"


@pytest.fixture
def ecr(server: MoorageServer, account: KeyPair, tmp_path: Path) -> Cli:
    return Cli(server, account, tmp_path)


@pytest.fixture
def public(server: MoorageServer, account: KeyPair, tmp_path: Path) -> Cli:
    return Cli(server, account, tmp_path, "ecr-public")
