"""Quotas hold however many come at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from moorage.testing.builders import image
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.iam.documents import POLICY
from tests.integration.races.conftest import LIMIT
from tests.integration.races.together import CALLERS, WON, outcomes


@dataclass(frozen=True)
class Quota:
    """What many add different ones of. `add` gets a client, a fresh name, and a number that nobody else gets."""

    name: str
    service: str
    add: Callable[[Any, str, int], Any]
    most: int
    refused: str
    count: Callable[[Any, str], int]
    prepared: Callable[[Any, str], Any] | None = None


def _policy_arn(iam: Any, name: str) -> str:
    return f"arn:aws:iam::{iam.meta.account_id}:policy/{name}"


def _groups(iam: Any, name: str) -> None:
    iam.create_user(UserName=name)
    for number in range(12):
        iam.create_group(GroupName=f"{name}-{number}")
    for number in range(8, 12):
        iam.add_user_to_group(UserName=name, GroupName=f"{name}-{number}")


def _attached(iam: Any, name: str) -> None:
    iam.create_user(UserName=name)
    for number in range(14):
        iam.create_policy(PolicyName=f"{name}-{number}", PolicyDocument=POLICY)
    for number in range(8, 14):
        iam.attach_user_policy(UserName=name, PolicyArn=_policy_arn(iam, f"{name}-{number}"))


def _tagged(iam: Any, name: str) -> None:
    iam.create_user(UserName=name, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(47)])


def _tagged_repository(ecr: Any, name: str) -> None:
    ecr.create_repository(repositoryName=name, tags=[{"Key": f"k{number}", "Value": ""} for number in range(47)])


def _arn(ecr: Any, name: str) -> str:
    return f"arn:aws:ecr:us-east-1:{ecr.meta.account_id}:repository/{name}"


QUOTAS = (
    Quota(
        "repositories", "ecr", lambda c, n, i: c.create_repository(repositoryName=f"{n}-{i}"), LIMIT, "LimitExceededException",
        lambda c, n: len(c.describe_repositories()["repositories"]),
    ),
    Quota(
        "public-repositories", "ecr-public", lambda c, n, i: c.create_repository(repositoryName=f"{n}-{i}"), LIMIT,
        "LimitExceededException", lambda c, n: len(c.describe_repositories()["repositories"]),
    ),
    Quota(
        "creation-templates", "ecr",
        lambda c, n, i: c.create_repository_creation_template(prefix=f"{n}-{i}", appliedFor=["REPLICATION"]), LIMIT,
        "LimitExceededException",
        lambda c, n: len(c.describe_repository_creation_templates()["repositoryCreationTemplates"]),
    ),
    Quota(
        "pull-through-rules", "ecr",
        lambda c, n, i: c.create_pull_through_cache_rule(ecrRepositoryPrefix=f"r{i}", upstreamRegistryUrl="quay.io"), LIMIT,
        "LimitExceededException", lambda c, n: len(c.describe_pull_through_cache_rules()["pullThroughCacheRules"]),
    ),
    Quota(
        "pull-time-exclusions", "ecr",
        lambda c, n, i: c.register_pull_time_update_exclusion(principalArn=f"arn:aws:iam::111122223333:role/r{i}"), LIMIT,
        "LimitExceededException", lambda c, n: len(c.list_pull_time_update_exclusions()["pullTimeUpdateExclusions"]),
    ),
    Quota(
        "resource-tags", "ecr",
        lambda c, n, i: c.tag_resource(resourceArn=_arn(c, n), tags=[{"Key": f"n{i}", "Value": ""}]), 3, "TooManyTagsException",
        lambda c, n: len(c.list_tags_for_resource(resourceArn=_arn(c, n))["tags"]) - 47, _tagged_repository,
    ),
    Quota(
        "access-keys", "iam", lambda c, n, i: c.create_access_key(UserName=n), 2, "LimitExceeded",
        lambda c, n: len(c.list_access_keys(UserName=n)["AccessKeyMetadata"]), lambda c, n: c.create_user(UserName=n),
    ),
    Quota(
        "root-access-keys", "iam", lambda c, n, i: c.create_access_key(), 1, "LimitExceeded",
        lambda c, n: len(c.list_access_keys()["AccessKeyMetadata"]) - 1,
    ),
    Quota(
        "policy-versions", "iam",
        lambda c, n, i: c.create_policy_version(PolicyArn=_policy_arn(c, n), PolicyDocument=POLICY), 4, "LimitExceeded",
        lambda c, n: len(c.list_policy_versions(PolicyArn=_policy_arn(c, n))["Versions"]) - 1,
        lambda c, n: c.create_policy(PolicyName=n, PolicyDocument=POLICY),
    ),
    Quota(
        "groups-of-a-user", "iam", lambda c, n, i: c.add_user_to_group(UserName=n, GroupName=f"{n}-{i}"), 6, "LimitExceeded",
        lambda c, n: len(c.list_groups_for_user(UserName=n)["Groups"]) - 4, _groups,
    ),
    Quota(
        "attached-policies", "iam",
        lambda c, n, i: c.attach_user_policy(UserName=n, PolicyArn=_policy_arn(c, f"{n}-{i}")), 4, "LimitExceeded",
        lambda c, n: len(c.list_attached_user_policies(UserName=n)["AttachedPolicies"]) - 6, _attached,
    ),
    Quota(
        "tags-of-a-user", "iam", lambda c, n, i: c.tag_user(UserName=n, Tags=[{"Key": f"n{i}", "Value": ""}]), 3,
        "LimitExceeded", lambda c, n: len(c.list_user_tags(UserName=n)["Tags"]) - 47, _tagged,
    ),
)  # fmt: skip


@pytest.mark.parametrize("quota", QUOTAS, ids=lambda quota: quota.name)
def test_a_quota_holds(quota: Quota, client_of: Callable[[str], Any]) -> None:
    client, name = client_of(quota.service), fresh_name("quota")
    if quota.prepared is not None:
        quota.prepared(client, name)
    calls = [partial(quota.add, client, name, number) for number in range(CALLERS)]
    assert Counter(outcomes(calls)) == {WON: quota.most, quota.refused: CALLERS - quota.most}
    assert quota.count(client, name) == quota.most


def test_quotas_of_pushes_hold(server: MoorageServer, account: KeyPair, client_of: Callable[[str], Any]) -> None:
    ecr, name = client_of("ecr"), fresh_name("quota")
    ecr.create_repository(repositoryName=name)
    built = [image(number) for number in range(CALLERS)]
    with server.registry(key=account) as registry:
        for each in built:
            for data in each.blobs.values():
                registry.push_blob(name, data)
    put = partial(ecr.put_image, repositoryName=name)
    calls = [partial(put, imageManifest=each.manifest.decode()) for each in built]
    assert Counter(outcomes(calls)) == {WON: LIMIT, "LimitExceededException": CALLERS - LIMIT}
    (kept, *_) = ecr.describe_images(repositoryName=name)["imageDetails"]
    (text,) = [each.manifest.decode() for each in built if each.digest == kept["imageDigest"]]
    calls = [partial(put, imageManifest=text, imageTag=f"t{number}") for number in range(CALLERS)]
    assert Counter(outcomes(calls)) == {WON: LIMIT, "LimitExceededException": CALLERS - LIMIT}
    wanted = [{"imageDigest": kept["imageDigest"]}]
    (detail,) = ecr.describe_images(repositoryName=name, imageIds=wanted)["imageDetails"]
    assert len(detail["imageTags"]) == LIMIT
