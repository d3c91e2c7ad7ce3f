"""``moorage explain`` and ``moorage who-can`` about public registries; and servers without authentication."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import ROOT, KeyPair, MoorageServer
from tests.integration.access.people import Person, allow, document, grant
from tests.integration.aws.errors import refused


def explain(server: MoorageServer, principal: str, action: str, resource: str = "*") -> tuple[int, dict[str, Any]]:
    """Exit status and answer."""
    asked = ["--principal", principal, "--action", action, "--resource", resource, "--json"]
    done = server.run("explain", *asked, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"said": done.stderr}


@pytest.mark.parametrize("stack", ["sqlite+local"], indirect=True)
def test_explain(server: MoorageServer, public: Any, repository: str) -> None:
    arn = f"arn:aws:ecr-public::{ROOT.account_id}:repository/{repository}"
    person = Person(server, ROOT, allow("ecr-public:PutImage", resource=arn))
    theirs = server.client("ecr-public", key=person.key)
    for named in (arn, repository):
        assert explain(server, person.arn, "ecr-public:PutImage", named)[0] == 0
        status, told = explain(server, person.arn, "ecr-public:DescribeImages", named)
        assert (status, told["decision"], told["resource"]) == (1, "implicitDeny", arn)
    with refused("AccessDeniedException"):
        theirs.describe_images(repositoryName=repository)
    status, told = explain(server, person.arn, "ecr-public:DescribeRegistries")
    assert (status, told["resource"]) == (1, f"arn:aws:ecr-public::{ROOT.account_id}:registry/{ROOT.account_id}")
    person.may(allow("ecr-public:DescribeRegistries", resource=told["resource"]))
    assert explain(server, person.arn, "ecr-public:DescribeRegistries")[0] == 0
    theirs.describe_registries()
    _, told = explain(server, person.arn, "ecr:BatchGetImage", arn)
    assert "everybody may pull" in told["said"]


@pytest.mark.parametrize("stack", ["sqlite+local"], indirect=True)
def test_who_can(server: MoorageServer, public: Any, repository: str, stranger: KeyPair) -> None:
    person = Person(server, ROOT, allow("ecr-public:PutImage", resource=f"arn:aws:ecr-public::*:repository/{repository}"))
    policy = document(grant({"AWS": stranger.account_id}, "ecr-public:PutImage"))
    public.set_repository_policy(repositoryName=repository, policyText=policy)
    told = server.run("who-can", "ecr-public:PutImage", repository).stdout
    assert person.arn in told
    assert stranger.account_id in told


@pytest.mark.parametrize("stack", ["sqlite+local"], indirect=True)
def test_without_authentication(make_server: Any) -> None:
    server = make_server(options=("--ephemeral", "--authentication", "off"))
    uri = server.client("ecr-public").create_repository(repositoryName="app")["repository"]["repositoryUri"]
    path, built = str(uri.partition("/")[2]), builders.image(1)
    with server.public_registry(anonymous=True) as anybody:
        anybody.push_image(path, built, "v1")
        anybody.require_image(path, built, "v1")
    with RegistryClient("127.0.0.1", server.port, None, host=server.public_host) as client:
        assert client.get(f"/v2/{path}/manifests/v1").status == 401  # as anywhere: clients ask for a token first
