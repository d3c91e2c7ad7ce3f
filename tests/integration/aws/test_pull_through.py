"""Pull-through cache rules: created, shown, changed, never valid as long as nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from moorage.testing.server import KeyPair, MoorageServer
from tests.integration.access.people import Person, allow
from tests.integration.aws.errors import each, parameter, refused


@pytest.fixture
def theirs(server: MoorageServer, account: KeyPair) -> Any:
    return server.client(key=account)


def secret(account: KeyPair, region: str = "us-east-1") -> str:
    return f"arn:aws:secretsmanager:{region}:{account.account_id}:secret:ecr-pullthroughcache/hub-AbCdEf"


def missing(prefix: str, account: KeyPair) -> str:
    where = f"in the registry with id '{account.account_id}'"
    return f"The pull through cache rule with ecrRepositoryPrefix '{prefix}' does not exist {where}"


def test_a_rule_through_its_life(theirs: Any, account: KeyPair) -> None:
    made = theirs.create_pull_through_cache_rule(
        ecrRepositoryPrefix="docker/",
        upstreamRegistryUrl="registry-1.docker.io",
        upstreamRegistry="docker-hub",
        credentialArn=secret(account),
    )
    assert (made["ecrRepositoryPrefix"], made["registryId"], made["upstreamRepositoryPrefix"]) == (
        "docker",
        account.account_id,
        "ROOT",
    )
    assert (made["upstreamRegistry"], made["credentialArn"]) == ("docker-hub", secret(account))
    (told,) = theirs.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["docker"])["pullThroughCacheRules"]
    assert told.pop("updatedAt") == told["createdAt"]
    assert told == {name: value for name, value in made.items() if name != "ResponseMetadata"}
    other = secret(account).replace("hub", "other")
    changed = theirs.update_pull_through_cache_rule(ecrRepositoryPrefix="docker", credentialArn=other)
    assert (changed["credentialArn"], changed["updatedAt"] >= made["createdAt"]) == (other, True)
    valid = theirs.validate_pull_through_cache_rule(ecrRepositoryPrefix="docker/")
    assert valid["isValid"] is False
    assert "does not fetch from upstream registries yet" in valid["failure"]
    gone = theirs.delete_pull_through_cache_rule(ecrRepositoryPrefix="docker")
    assert (gone["upstreamRegistryUrl"], gone["credentialArn"]) == ("registry-1.docker.io", other)
    for call in each(
        lambda: theirs.delete_pull_through_cache_rule(ecrRepositoryPrefix="docker"),
        lambda: theirs.update_pull_through_cache_rule(ecrRepositoryPrefix="docker", credentialArn=other),
        lambda: theirs.validate_pull_through_cache_rule(ecrRepositoryPrefix="docker"),
        lambda: theirs.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["docker"]),
    ):
        with refused("PullThroughCacheRuleNotFoundException", missing("docker", account)):
            call()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("public.ecr.aws", "ecr-public"),
        ("quay.io", "quay"),
        ("registry.k8s.io", "k8s"),
        ("ghcr.io", "github-container-registry"),
        ("registry.gitlab.com", "gitlab-container-registry"),
        ("company.azurecr.io", "azure-container-registry"),
        ("cgr.dev", "chainguard"),
    ],
)
def test_upstreams(theirs: Any, account: KeyPair, url: str, kind: str) -> None:
    made = theirs.create_pull_through_cache_rule(ecrRepositoryPrefix="up", upstreamRegistryUrl=url, credentialArn=secret(account))
    assert made["upstreamRegistry"] == kind
    with refused("PullThroughCacheRuleAlreadyExistsException"):
        theirs.create_pull_through_cache_rule(ecrRepositoryPrefix="up/", upstreamRegistryUrl="public.ecr.aws")


def test_an_upstream_of_ecr(theirs: Any, account: KeyPair) -> None:
    def create(prefix: str, url: str, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = theirs.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=url, **more)
        return made

    foreign, role = "123456789012.dkr.ecr.us-east-1.amazonaws.com", f"arn:aws:iam::{account.account_id}:role/pull"
    with refused("ValidationException", "A custom role ARN is required for an ECR upstream registry of another account"):
        create("one", foreign)
    with refused("ValidationException"):
        create("one", foreign, customRoleArn=role, credentialArn=secret(account))
    with refused("ValidationException"):
        create("one", f"{account.account_id}.dkr.ecr.us-east-1.amazonaws.com")
    with refused("ValidationException"):
        create("ROOT", foreign, customRoleArn=role, upstreamRepositoryPrefix="theirs")
    made = create("one", foreign, customRoleArn=role, upstreamRepositoryPrefix="theirs")
    assert (made["upstreamRegistry"], made["customRoleArn"], made["upstreamRepositoryPrefix"]) == ("ecr", role, "theirs")
    create("two", f"{account.account_id}.dkr.ecr.eu-west-1.amazonaws.com")
    create("ROOT", foreign, customRoleArn=role)


def test_what_no_rule_can_be(theirs: Any, account: KeyPair) -> None:
    def create(url: str = "public.ecr.aws", prefix: str = "up", **more: Any) -> None:
        theirs.create_pull_through_cache_rule(ecrRepositoryPrefix=prefix, upstreamRegistryUrl=url, **more)

    for url in ("docker.io", "https://quay.io", "evil.example", "169.254.169.254", "quay.io\n", ""):
        text = f"The upstream registry URL {url} is invalid. Specify a valid upstream registry URL and try again"
        with refused("UnsupportedUpstreamRegistryException", text):
            create(url)
    needs = "The specified upstream registry requires authentication. Specify a valid Secrets Manager ARN and try again"
    for url in ("registry-1.docker.io", "ghcr.io", "registry.gitlab.com", "company.azurecr.io", "cgr.dev"):
        with refused("UnsupportedUpstreamRegistryException", needs):
            create(url)
    with refused("ValidationException"):
        create(upstreamRegistry="quay")
    with refused("ValidationException", "The secret must be in the same account and region as the pull through cache rule"):
        create(credentialArn=secret(account, "eu-west-1"))
    for prefix in ("UPPER", "a" * 31, "a//b", "/a"):
        with refused("InvalidParameterException"):
            create(prefix=prefix)
    with refused("InvalidParameterException"):
        create(credentialArn="arn:aws:secretsmanager:us-east-1:123456789012:secret:something-else-entirely")
    assert theirs.describe_pull_through_cache_rules()["pullThroughCacheRules"] == []


def test_an_update_of_nothing(theirs: Any) -> None:
    theirs.create_pull_through_cache_rule(ecrRepositoryPrefix="up", upstreamRegistryUrl="public.ecr.aws")
    text = "Invalid input: Please set either credential arn or role arn to update the credential"
    with refused("InvalidParameterException", text):
        theirs.update_pull_through_cache_rule(ecrRepositoryPrefix="up")


def test_pages_and_the_quota(theirs: Any) -> None:
    for number in range(50):
        theirs.create_pull_through_cache_rule(ecrRepositoryPrefix=f"up{number:02}", upstreamRegistryUrl="public.ecr.aws")
    with refused("LimitExceededException"):
        theirs.create_pull_through_cache_rule(ecrRepositoryPrefix="one-more", upstreamRegistryUrl="public.ecr.aws")
    pages = theirs.get_paginator("describe_pull_through_cache_rules").paginate(PaginationConfig={"PageSize": 20})
    found = [[rule["ecrRepositoryPrefix"] for rule in page["pullThroughCacheRules"]] for page in pages]
    assert [len(page) for page in found] == [20, 20, 10]
    assert [prefix for page in found for prefix in page] == [f"up{number:02}" for number in range(50)]
    for call in each(
        lambda: theirs.describe_pull_through_cache_rules(ecrRepositoryPrefixes=["up01"], maxResults=5),
    ):
        with refused(
            "InvalidParameterException",
            parameter("maxResults", "must not be specified together with ecrRepositoryPrefixes"),
        ):
            call()


def test_the_service_gets_its_role(server: MoorageServer, account: KeyPair) -> None:
    person = Person(server, account, allow("ecr:CreatePullThroughCacheRule"))
    with refused("AccessDeniedException"):
        person.ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="up", upstreamRegistryUrl="public.ecr.aws")
    person.may(allow("ecr:CreatePullThroughCacheRule", "iam:CreateServiceLinkedRole"))
    person.ecr.create_pull_through_cache_rule(ecrRepositoryPrefix="up", upstreamRegistryUrl="public.ecr.aws")
    assert person.iam.get_role(RoleName="AWSServiceRoleForECRPullThroughCache")


def test_the_role_of_a_rule(theirs: Any, account: KeyPair) -> None:
    own, upstream = f"arn:aws:iam::{account.account_id}:role/", "000000000000.dkr.ecr.us-east-1.amazonaws.com"

    def create(role: str) -> None:
        theirs.create_pull_through_cache_rule(ecrRepositoryPrefix="role", upstreamRegistryUrl=upstream, customRoleArn=role)

    def update(role: str) -> None:
        theirs.update_pull_through_cache_rule(ecrRepositoryPrefix="role", customRoleArn=role)

    def require_checks(call: Callable[[str], None]) -> None:
        for wrong in ("nonsense", own.replace("role", "user") + "u"):
            with refused("InvalidParameterException", parameter("customRoleArn", "Invalid ARN")):
                call(wrong)
        with refused("ValidationException", "The custom role must be in the same account as the registry"):
            call("arn:aws:iam::000000000000:role/theirs")

    require_checks(create)
    create(own + "a")
    require_checks(update)
    update(own + "b")
    (told,) = theirs.describe_pull_through_cache_rules()["pullThroughCacheRules"]
    assert told["customRoleArn"] == own + "b"
