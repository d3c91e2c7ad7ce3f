"""Quotas: shown by Service Quotas with the values in force, obeyed where things are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from moorage.model.quotas import QUOTAS, SETTABLE, Quota
from moorage.testing import builders
from moorage.testing.server import KeyPair, MoorageServer
from tests.integration.access.people import Person, allow
from tests.integration.aws.errors import refused

REPOSITORIES = "L-CFEB8E8D"


@pytest.fixture
def quotas(server: MoorageServer) -> Any:
    return server.client("service-quotas")


def test_one_quota(quotas: Any, server: MoorageServer) -> None:
    account = server.root.account_id
    quota = quotas.get_service_quota(ServiceCode="ecr", QuotaCode=REPOSITORIES)["Quota"]
    assert quota == {
        "ServiceCode": "ecr",
        "ServiceName": "Amazon Elastic Container Registry (Amazon ECR)",
        "QuotaArn": f"arn:aws:servicequotas:us-east-1:{account}:ecr/{REPOSITORIES}",
        "QuotaCode": REPOSITORIES,
        "QuotaName": "Registered repositories",
        "Value": 100_000.0,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
        "Description": "The maximum number of repositories of a registry.",
    }
    default = quotas.get_aws_default_service_quota(ServiceCode="ecr", QuotaCode=REPOSITORIES)["Quota"]
    assert default == quota | {"QuotaArn": f"arn:aws:servicequotas:us-east-1::ecr/{REPOSITORIES}"}


@pytest.mark.parametrize("service", QUOTAS)
def test_all_quotas(quotas: Any, service: str) -> None:
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        pages = list(quotas.get_paginator(operation).paginate(ServiceCode=service, PaginationConfig={"PageSize": 4}))
        found = [quota for page in pages for quota in page["Quotas"]]
        assert [quota["QuotaName"] for quota in found] == sorted(quota.name for quota in QUOTAS[service])
        assert {quota["ServiceCode"] for quota in found} == {service}
        assert all(len(page["Quotas"]) == 4 for page in pages[:-1])
        token = pages[0]["NextToken"]
        for other, altered in ((service, "AAAA" + token[4:]), ("ecr-public" if service == "ecr" else "ecr", token)):
            with refused("InvalidPaginationTokenException"):
                getattr(quotas, operation)(ServiceCode=other, NextToken=altered)


def test_tokens_and_filters_of_quotas(quotas: Any) -> None:
    token = quotas.list_service_quotas(ServiceCode="ecr", MaxResults=1)["NextToken"]
    with refused("InvalidPaginationTokenException"):
        quotas.list_aws_default_service_quotas(ServiceCode="ecr", NextToken=token)
    (one,) = quotas.list_service_quotas(ServiceCode="ecr", QuotaCode=REPOSITORIES)["Quotas"]
    assert one["QuotaCode"] == REPOSITORIES
    assert quotas.list_service_quotas(ServiceCode="ecr", QuotaAppliedAtLevel="RESOURCE")["Quotas"] == []


def test_quotas_that_there_are_not(quotas: Any) -> None:
    for service, code in (("ecr", "L-00000000"), ("ec2", REPOSITORIES)):
        for call in (quotas.get_service_quota, quotas.get_aws_default_service_quota):
            with refused("NoSuchResourceException"):
                call(ServiceCode=service, QuotaCode=code)
    with refused("NoSuchResourceException"):
        quotas.list_service_quotas(ServiceCode="ec2")
    with refused("UnknownOperationException"):
        quotas.request_service_quota_increase(ServiceCode="ecr", QuotaCode=REPOSITORIES, DesiredValue=1.0)


def test_who_may_ask(server: MoorageServer, account: KeyPair) -> None:
    person = Person(server, account)
    client = server.client("service-quotas", key=person.key)
    with refused("AccessDeniedException"):
        client.get_service_quota(ServiceCode="ecr", QuotaCode=REPOSITORIES)
    person.may(allow("servicequotas:GetServiceQuota"))
    client.get_service_quota(ServiceCode="ecr", QuotaCode=REPOSITORIES)
    with refused("AccessDeniedException"):
        client.list_service_quotas(ServiceCode="ecr")


def test_limits_that_the_operator_sets(make_server: Callable[..., MoorageServer]) -> None:
    chosen = "repositories=2,images_per_repository=2,tags_per_image=2,pull_through_rules=1,creation_templates=1"
    server = make_server(environment={"MOORAGE_LIMITS": chosen})
    ecr, quotas = server.client(), server.client("service-quotas")
    assert quotas.get_service_quota(ServiceCode="ecr", QuotaCode=REPOSITORIES)["Quota"]["Value"] == 2.0
    assert quotas.get_aws_default_service_quota(ServiceCode="ecr", QuotaCode=REPOSITORIES)["Quota"]["Value"] == 100_000.0
    for name in ("first", "second"):
        ecr.create_repository(repositoryName=name)
    full = "The maximum number of repositories (2) in the registry with id '000000000000' has been reached"
    with refused("LimitExceededException", full):
        ecr.create_repository(repositoryName="third")
    ecr.delete_repository(repositoryName="second")
    ecr.create_repository(repositoryName="third")

    def push(number: int, tag: str) -> None:
        manifest = builders.index([], annotations={"number": str(number)}).decode()
        ecr.put_image(repositoryName="first", imageManifest=manifest, imageTag=tag)

    push(1, "one")
    push(1, "two")
    with refused("LimitExceededException", "The maximum number of tags per image (2) has been reached"):
        push(1, "three")
    push(2, "other")
    where = "in the repository with name 'first' in the registry with id '000000000000'"
    with refused("LimitExceededException", f"The maximum number of images per repository (2) {where} has been reached"):
        push(3, "too-many")
    with server.registry() as registry:
        answer = registry.request("PUT", "/v2/first/manifests/x", builders.index([], annotations={"number": "4"}))
        assert answer.status >= 400
    ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="one", upstreamRegistryUrl="public.ecr.aws")
    with refused("LimitExceededException"):
        ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="two", upstreamRegistryUrl="public.ecr.aws")
    ecr.create_repository_creation_template(prefix="one", appliedFor=["REPLICATION"])
    with refused("LimitExceededException"):
        ecr.create_repository_creation_template(prefix="two", appliedFor=["REPLICATION"])


def test_quotas_of_public_registries(make_server: Callable[..., MoorageServer]) -> None:
    rates = "ecr-public:PutImage=3,ecr-public:BatchGetImage=7"
    server = make_server(environment={"MOORAGE_LIMITS": "public_repositories=1", "MOORAGE_RATES": rates})
    listed = server.client("service-quotas").list_service_quotas(ServiceCode="ecr-public")["Quotas"]
    values = {quota["QuotaName"]: quota["Value"] for quota in listed}
    assert values["Registered repositories"] == 1.0
    assert (values["Rate of PutImage requests"], values["Rate of authenticated image pulls"]) == (3.0, 7.0)
    public = server.client("ecr-public")
    public.create_repository(repositoryName="first")
    with refused("LimitExceededException"):
        public.create_repository(repositoryName="second")
    server.client().create_repository(repositoryName="second")


@pytest.mark.parametrize("quotas", QUOTAS.values(), ids=QUOTAS)
def test_every_quota_has_a_code_of_its_own(quotas: Sequence[Quota]) -> None:
    assert len({quota.code for quota in quotas}) == len({quota.name for quota in quotas}) == len(quotas)
    assert all(SETTABLE[quota.setting].default == quota.default for quota in quotas if quota.setting)
