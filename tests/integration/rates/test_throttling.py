"""Requests that come too fast: refused on both planes in the words of each, counted, and let through again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from moorage.testing import builders
from moorage.testing.oidc_issuer import OidcIssuer
from moorage.testing.registry_client import PushFailed, RegistryClient
from moorage.testing.server import MoorageServer
from tests.integration.access.people import Person, allow
from tests.integration.aws.errors import refused
from tests.integration.rates.counting import counted
from tests.integration.server.serving import until
from tests.integration.sts.conftest import Account
from tests.integration.sts.test_web_identity import ask, federated, provide


def throttling(rates: str) -> dict[str, Any]:
    """Settings of a server."""
    return {"options": ["--throttling"], "environment": {"MOORAGE_RATES": rates}}


def test_json_api(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(**throttling("ListImages=1/3,ecr-public:DescribeRepositories=1/2"))
    ecr, public = server.client(), server.client("ecr-public")
    ecr.create_repository(repositoryName="app")
    for _ in range(3):
        ecr.list_images(repositoryName="app")
    with refused("ThrottlingException", "Rate exceeded") as answer:
        for _ in range(20):
            ecr.list_images(repositoryName="app")
    assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    ecr.describe_repositories()  # each operation has a bucket of its own
    server.client(region="eu-west-1").describe_repositories()
    with refused("ThrottlingException", "Rate exceeded"):
        for _ in range(20):
            public.describe_repositories()


def test_boto3_tries_again_and_gets_through(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(**throttling("DescribeRegistry=2/2"))
    patient = boto3.client(
        "ecr",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.root.access_key_id,
        aws_secret_access_key=server.root.secret,
        region_name="us-east-1",
        config=Config(retries={"mode": "standard", "total_max_attempts": 12}),
    )
    tries = [patient.describe_registry()["ResponseMetadata"]["RetryAttempts"] for _ in range(6)]
    patient.close()
    assert sum(tries) > 0
    assert counted(server, "ecr:DescribeRegistry") == 6 + sum(tries)
    assert counted(server, "ecr:DescribeRegistry", throttled=True) == sum(tries)


def test_query_services_and_the_others(make_server: Callable[..., MoorageServer]) -> None:
    rates = "iam:ListUsers=1/2,sts:GetCallerIdentity=1/2,sts:GetSessionToken=1/1,sts:AssumeRole=1/1"
    others = "organizations:DescribeOrganization=1/1,service-quotas:ListServiceQuotas=1/1"
    server = make_server(**throttling(f"{rates},{others}"))
    iam, sts = server.client("iam"), server.client("sts")
    person = Person(server, server.root, allow("sts:AssumeRole"))
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "sts:AssumeRole"},
        }
    )
    role = iam.create_role(RoleName="app", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    assumer = server.client("sts", key=person.key)
    organizations, quotas = server.client("organizations"), server.client("service-quotas")
    organizations.create_organization()

    def often(call: Callable[[], Any]) -> None:
        for _ in range(20):
            call()

    for query in (
        iam.list_users,
        sts.get_caller_identity,
        sts.get_session_token,
        lambda: assumer.assume_role(RoleArn=role, RoleSessionName="app"),
    ):
        query()
        with refused("Throttling", "Rate exceeded") as answer:
            often(query)
        assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    for other in (organizations.describe_organization, lambda: quotas.list_service_quotas(ServiceCode="ecr")):
        other()
        with refused("TooManyRequestsException"):
            often(other)


def test_web_identities_count_for_the_account_of_their_role(make_server: Callable[..., MoorageServer]) -> None:
    options = ["--throttling", "--oidc-allow-private-issuers", "--rates", "sts:AssumeRoleWithWebIdentity=1/2"]
    server = make_server(options=options)
    home = Account(server, server.create_account("home"))
    with OidcIssuer(tls=True) as issuer:
        role = home.role(federated(provide(home, issuer)))
        with refused("AccessDenied", status=403):  # it takes nothing, and counts for nobody
            ask(home, home.role(federated("arn:aws:iam::000000000000:oidc-provider/other")), issuer.token())
        ask(home, role, issuer.token())
        with refused("Throttling", "Rate exceeded"):
            for _ in range(20):
                ask(home, role, issuer.token())
    assert counted(server, "sts:AssumeRoleWithWebIdentity", account=home.id) >= 1


def test_registry_api(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(**throttling("BatchGetImage=1/5,BatchCheckLayerAvailability=1/200,InitiateLayerUpload=1/6"))
    server.client().create_repository(repositoryName="app")
    built = builders.image(1)
    with server.registry() as registry:
        registry.push_image("app", built, "v1")
        for _ in range(5):
            assert registry.get("/v2/app/manifests/v1").status in {200, 429}
        answers = [registry.get("/v2/app/manifests/v1") for _ in range(20)]
        late = next(answer for answer in answers if answer.status != 200)
        assert (late.status, late.code, late.message) == (429, "TOOMANYREQUESTS", "Rate exceeded")
        assert late.header("Retry-After") == "1"
        assert late.header("Docker-Distribution-Api-Version") == "registry/2.0"
        assert {registry.head("/v2/app/manifests/v1").status for _ in range(10)} >= {429}
        with pytest.raises(PushFailed, match="429"):  # each upload is a token, before a byte of its body is read
            for number in range(20):
                registry.push_image("app", builders.image(number + 2), "v2")
        for _ in range(100):
            assert registry.head(f"/v2/app/blobs/{built.layers[0]}").status == 200
    with refused("ThrottlingException"):  # both planes take from one bucket
        for _ in range(20):
            server.client().batch_get_image(repositoryName="app", imageIds=[{"imageTag": "v1"}])
    until(lambda: _is_pulled(server))
    assert counted(server, "ecr:BatchGetImage", throttled=True) > 1


def _is_pulled(server: MoorageServer) -> bool:
    with server.registry() as registry:
        return registry.get("/v2/app/manifests/v1").status == 200


def test_public_pulls_with_a_login(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(**throttling("ecr-public:BatchGetImage=1/2"))
    uri = server.client("ecr-public").create_repository(repositoryName="app")["repository"]["repositoryUri"]
    path = str(uri.partition("/")[2])
    with server.public_registry() as publisher:
        publisher.push_image(path, builders.image(1), "v1")
        statuses = [publisher.get(f"/v2/{path}/manifests/v1").status for _ in range(20)]
        assert statuses[0] == 200
        assert 429 in statuses
    with server.public_registry(anonymous=True) as anybody:  # who has no login has the bucket of the address
        assert anybody.get(f"/v2/{path}/manifests/v1").status == 200


def test_who_may_not_is_told_so_and_takes_nothing(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(**throttling("DescribeImages=1/2,BatchGetImage=1/2,CreateRepository=1/2"))
    ecr = server.client()
    person = Person(server, server.root, allow("ecr:CreateRepository"))
    theirs = server.client(key=person.key)
    for _ in range(10):  # also if of several actions the first is allowed
        with refused("AccessDeniedException"):
            theirs.create_repository(repositoryName="tagged", tags=[{"Key": "team", "Value": "app"}])
    for _ in range(10):
        with refused("AccessDeniedException"):
            theirs.describe_images(repositoryName="app")
    person.may(allow("ecr:GetAuthorizationToken"))
    with RegistryClient("127.0.0.1", server.port, server.password(key=person.key)) as client:
        for _ in range(10):
            assert client.get("/v2/app/manifests/v1").status == 403
    with refused("RepositoryNotFoundException"):
        ecr.describe_images(repositoryName="app")
    with refused("ThrottlingException"):  # it comes before whether there is such a thing
        for _ in range(20):
            try:
                ecr.describe_images(repositoryName="app")
            except ecr.exceptions.RepositoryNotFoundException:
                continue
    for _ in range(10):
        with refused("AccessDeniedException"):
            theirs.describe_images(repositoryName="app")


def test_accounts_do_not_take_from_each_other(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(**throttling("DescribeRepositories=1/2"))
    with refused("ThrottlingException"):
        for _ in range(20):
            server.client().describe_repositories()
    other = server.create_account("other")
    server.client(key=other).describe_repositories()


def test_rates_are_quotas(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(**throttling("PutImage=25/50,BatchGetImage=0"))
    quotas = server.client("service-quotas")
    quota = quotas.get_service_quota(ServiceCode="ecr", QuotaCode="L-AD52DFB2")["Quota"]
    assert (quota["QuotaName"], quota["Value"], quota["Adjustable"]) == ("Rate of PutImage requests", 25.0, True)
    assert quotas.get_aws_default_service_quota(ServiceCode="ecr", QuotaCode="L-AD52DFB2")["Quota"]["Value"] == 10.0
    assert quotas.get_service_quota(ServiceCode="ecr", QuotaCode="L-A60A366D")["Quota"]["Value"] == 3000.0


def test_without_throttling_everything_is_counted_and_nothing_refused(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(environment={"MOORAGE_RATES": "ListImages=1"})
    ecr = server.client()
    ecr.create_repository(repositoryName="app")
    for _ in range(10):
        ecr.list_images(repositoryName="app")
    with refused("RepositoryNotFoundException"):
        ecr.list_images(repositoryName="none")
    server.client("iam").list_users()
    with server.registry() as registry:
        registry.push_image("app", builders.image(1), "v1")
        for _ in range(7):
            assert registry.get("/v2/app/manifests/v1").status == 200
        assert registry.get("/v2/app/tags/list").status == 200
        assert registry.get("/v2/").status == 200
    assert counted(server, "ecr:ListImages") == 12
    assert counted(server, "ecr:ListImages", throttled=True) == 0
    assert counted(server, "ecr:BatchGetImage") == 7
    assert counted(server, "ecr:PutImage") == 1
    assert counted(server, "iam:ListUsers") == 1
