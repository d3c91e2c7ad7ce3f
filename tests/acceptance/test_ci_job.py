"""A CI job without stored secrets: the provider's token file, the aws command line, a login and a push, as a workflow does it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.oidc_issuer import OidcIssuer
from moorage.testing.server import MoorageServer
from tests import clients
from tests.acceptance.conftest import Shell, pushed_digest

pytestmark = [pytest.mark.awscli, pytest.mark.skopeo]

SUBJECT = "repo:acme/app:ref:refs/heads/main"


@pytest.fixture
def own_server(make_server: Callable[..., MoorageServer]) -> MoorageServer:
    """A server that fetches keys from loopback, where the provider of this test is."""
    return make_server(options=["--oidc-allow-private-issuers"])


@pytest.fixture
def issuer() -> Iterator[OidcIssuer]:
    """Stands in for the CI system's provider."""
    with OidcIssuer(tls=True) as running:
        yield running


@pytest.fixture
def role(shell: Shell, issuer: OidcIssuer) -> str:
    """A role for one branch of one repository, which may push to ``app``; its ARN."""
    iam = shell.server.client("iam")
    provider = iam.create_open_id_connect_provider(
        Url=issuer.url, ClientIDList=["sts.amazonaws.com"], ThumbprintList=[issuer.thumbprint]
    )["OpenIDConnectProviderArn"]
    name = provider.partition("oidc-provider/")[2]
    trust = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{name}:aud": "sts.amazonaws.com", f"{name}:sub": SUBJECT}},
    }
    made = iam.create_role(RoleName="ci-push", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}))
    iam.attach_role_policy(RoleName="ci-push", PolicyArn="arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser")
    return str(made["Role"]["Arn"])


def job(shell: Shell, issuer: OidcIssuer, role: str, **claims: Any) -> dict[str, str]:
    """The environment of a job, with its token in a file and no key of any account."""
    token = shell.home / "token"
    token.write_text(issuer.token(**({"sub": SUBJECT, "aud": "sts.amazonaws.com"} | claims)))
    kept = {
        name: value for name, value in shell.environment.items() if not name.startswith("AWS_ACCESS") and "SECRET" not in name
    }
    return kept | {
        "AWS_ROLE_ARN": role,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_ROLE_SESSION_NAME": "job-1",
        "AWS_ENDPOINT_URL": shell.server.endpoint,
        "REGISTRY_AUTH_FILE": str(shell.home / "auth.json"),
    }


def assume_by_hand(shell: Shell, aws: str) -> None:
    """What a newer aws does by itself: Debian's version 2 asks no other STS than Amazon's for a token file."""
    environment = shell.environment
    token = Path(environment.pop("AWS_WEB_IDENTITY_TOKEN_FILE")).read_text()
    said = shell.run(
        aws, "--endpoint-url", shell.server.endpoint, "--no-sign-request", "sts", "assume-role-with-web-identity",
        "--role-arn", environment.pop("AWS_ROLE_ARN"), "--role-session-name", "job-1", "--web-identity-token", token,
    )  # fmt: skip
    found = json.loads(said)["Credentials"]
    environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"] = found["AccessKeyId"], found["SecretAccessKey"]
    environment["AWS_SESSION_TOKEN"] = found["SessionToken"]


@pytest.mark.parametrize("version", ["aws-v1", "aws-v2"])
def test_a_job_logs_in_and_pushes(shell: Shell, issuer: OidcIssuer, role: str, version: str) -> None:
    shell.server.client().create_repository(repositoryName="app")
    shell.environment = job(shell, issuer, role)
    aws, skopeo, host = clients.program(version), clients.program("skopeo"), shell.server.host
    if version == "aws-v2":
        assume_by_hand(shell, aws)
    here = (aws, "--endpoint-url", shell.server.endpoint)
    who = json.loads(shell.run(*here, "sts", "get-caller-identity"))
    assert who["Arn"].endswith(":assumed-role/ci-push/job-1")
    password = shell.run(*here, "ecr", "get-login-password").strip()
    shell.run(skopeo, "login", "--tls-verify=false", "-u", "AWS", "--password-stdin", host, given=password)
    built = builders.image(1, layer_bytes=50_000)
    layout = builders.write_layout(built, shell.home / "layout")
    policy = shell.home / "policy.json"
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')
    copy = (skopeo, "--policy", policy, "copy", "--dest-tls-verify=false", f"oci:{layout}:latest")
    shell.run(*copy, f"docker://{host}/app:v1")
    assert pushed_digest(shell.server, "app", "v1") == built.digest
    # It may push, and no more; and its login is worth nothing once the role is gone.
    refused = subprocess.run(
        [*here, "ecr", "delete-repository", "--repository-name", "app", "--force"],
        env=shell.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "AccessDenied" in refused.stderr
    iam = shell.server.client("iam")
    iam.detach_role_policy(RoleName="ci-push", PolicyArn="arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser")
    iam.delete_role(RoleName="ci-push")
    late = subprocess.run(
        [str(part) for part in (*copy, f"docker://{host}/app:v2")],
        env=shell.environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert late.returncode != 0


def test_another_branch_gets_nothing(shell: Shell, issuer: OidcIssuer, role: str) -> None:
    environment = job(shell, issuer, role, sub="repo:acme/app:ref:refs/heads/other")
    refused = subprocess.run(
        [clients.program("aws-v1"), "ecr", "get-login-password"],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in refused.stderr
