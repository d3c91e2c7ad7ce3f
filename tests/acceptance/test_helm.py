"""Helm: charts in the registry."""

from __future__ import annotations

import pytest

from tests import clients
from tests.acceptance.conftest import Shell

pytestmark = pytest.mark.helm


def test_push_and_pull_a_chart(shell: Shell) -> None:
    helm, host = clients.program("helm"), shell.server.host
    shell.server.client().create_repository(repositoryName="charts/web")
    shell.run(
        helm, "registry", "login", "--plain-http", "--username", "AWS", "--password-stdin", host, given=shell.server.password()
    )
    shell.run(helm, "create", "web")
    shell.run(helm, "package", "web", "--version", "1.2.3")
    shell.run(helm, "push", "--plain-http", "web-1.2.3.tgz", f"oci://{host}/charts")
    detail = shell.server.client().describe_images(repositoryName="charts/web")["imageDetails"][0]
    assert detail["imageTags"] == ["1.2.3"]
    assert detail["artifactMediaType"] == "application/vnd.cncf.helm.config.v1+json"
    assert "version: 1.2.3" in shell.run(helm, "show", "chart", "--plain-http", f"oci://{host}/charts/web", "--version", "1.2.3")
    packed = (shell.home / "web-1.2.3.tgz").read_bytes()
    (shell.home / "web-1.2.3.tgz").unlink()
    shell.run(helm, "pull", "--plain-http", f"oci://{host}/charts/web", "--version", "1.2.3")
    assert (shell.home / "web-1.2.3.tgz").read_bytes() == packed
