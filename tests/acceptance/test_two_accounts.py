"""Two accounts share and refuse images with real clients, each at its own registry's host."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable

import pytest

from moorage.testing import builders
from moorage.testing.server import KeyPair
from tests import clients
from tests.acceptance.conftest import Shell
from tests.acceptance.test_docker import docker, write_archive

__all__ = ["docker"]

PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
PUSH = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
]


def shared_with(account: str, *actions: str) -> str:
    """A repository policy that lets another account in."""
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": list(actions)}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def owner(shell: Shell) -> KeyPair:
    """Has the repository ``shared/app`` with an image ``v1``."""
    made = shell.server.create_account("owner")
    shell.server.client(key=made).create_repository(repositoryName="shared/app")
    with shell.server.registry(key=made) as registry:
        registry.push_image("shared/app", builders.image(1, layer_bytes=100_000), "v1")
    return made


@pytest.fixture
def host(shell: Shell, owner: KeyPair) -> str:
    """Where any client of this machine reaches the owner's registry."""
    found = shell.server.client(key=owner).describe_repositories()["repositories"][0]["repositoryUri"]
    return str(found).partition("/")[0]


def ci_user(shell: Shell, account: KeyPair) -> KeyPair:
    """A user of another account who may push and pull anywhere, as far as its own account is concerned."""
    iam = shell.server.client("iam", key=account)
    iam.create_user(UserName="ci")
    statement = {"Effect": "Allow", "Action": ["ecr:GetAuthorizationToken", *PULL, *PUSH], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="ci", PolicyName="registry", PolicyDocument=document)
    key = iam.create_access_key(UserName="ci")["AccessKey"]
    return KeyPair(account.account_id, key["AccessKeyId"], key["SecretAccessKey"])


def fails(shell: Shell, *command: str) -> str:
    """What a client says that is refused."""
    done = subprocess.run(command, env=shell.environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0, done.stdout
    return done.stderr


@pytest.mark.skopeo
def test_skopeo_across_accounts(shell: Shell, owner: KeyPair, host: str) -> None:
    ci = ci_user(shell, shell.server.create_account("guest"))
    program = clients.program("skopeo")
    policy = shell.home / "policy.json"
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    shell.environment["REGISTRY_AUTH_FILE"] = str(shell.home / "auth.json")
    plain = ("--tls-verify=false",)
    shell.run(program, "login", *plain, "-u", "AWS", "--password-stdin", host, given=shell.server.password(key=ci))
    pull = (program, "--policy", str(policy), "copy", "--src-tls-verify=false", f"docker://{host}/shared/app:v1")
    said = fails(shell, *pull, f"oci:{shell.home / 'refused'}:v1")
    assert "no resource-based policy allows the ecr:BatchGetImage action" in said
    theirs = shell.server.client(key=owner)
    theirs.set_repository_policy(repositoryName="shared/app", policyText=shared_with(ci.account_id, *PULL))
    shell.run(*pull, f"oci:{shell.home / 'pulled'}:v1")
    push = (program, "--policy", str(policy), "copy", "--dest-tls-verify=false", f"oci:{shell.home / 'pulled'}:v1")
    assert "ecr:" in fails(shell, *push, f"docker://{host}/shared/app:v2")
    theirs.set_repository_policy(repositoryName="shared/app", policyText=shared_with(ci.account_id, *PULL, *PUSH))
    shell.run(*push, f"docker://{host}/shared/app:v2")
    tags = {tag for detail in theirs.describe_images(repositoryName="shared/app")["imageDetails"] for tag in detail["imageTags"]}
    assert tags == {"v1", "v2"}


@pytest.mark.docker
@pytest.mark.xdist_group("docker")
def test_docker_across_accounts(shell: Shell, docker: Callable[..., str], owner: KeyPair, host: str) -> None:
    ci = ci_user(shell, shell.server.create_account("guest"))
    docker("login", "--username", "AWS", "--password-stdin", host, given=shell.server.password(key=ci))
    said = fails(shell, clients.program("docker"), "pull", f"{host}/shared/app:v1")
    assert re.search(r"denied|not authorized", said)
    theirs = shell.server.client(key=owner)
    theirs.set_repository_policy(repositoryName="shared/app", policyText=shared_with(ci.account_id, *PULL, *PUSH))
    assert "sha256:" in docker("pull", f"{host}/shared/app:v1")
    write_archive(builders.image(2, layer_bytes=50_000), shell.home / "image.tar", "local:latest")
    docker("load", "--input", str(shell.home / "image.tar"))
    docker("tag", "local:latest", f"{host}/shared/app:v2")
    assert "v2: digest: sha256:" in docker("push", f"{host}/shared/app:v2")
    theirs.delete_repository_policy(repositoryName="shared/app")
    docker("rmi", f"{host}/shared/app:v1")
    assert re.search(r"denied|not authorized", fails(shell, clients.program("docker"), "pull", f"{host}/shared/app:v1"))
