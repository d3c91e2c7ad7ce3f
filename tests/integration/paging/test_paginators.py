"""Every paginator and waiter that botocore has for ECR and ECR Public does its work."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from botocore.exceptions import WaiterError
from botocore.loaders import Loader

from moorage.testing import builders
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.integration.aws.errors import parameter, refused
from tests.integration.paging.lists import ITEMS, LISTS, SERVICES, WAITING, BackfillResults, Paged, paged_operations, paginators

WAITERS = {"ImageScanComplete", "LifecyclePolicyPreviewComplete"}


def test_none_is_left_out() -> None:
    covered = {(each.service, each.operation) for each in LISTS} | WAITING
    assert covered == {(service, name) for service in SERVICES for name in paged_operations(service)}
    assert covered >= {(service, name) for service in SERVICES for name in paginators(service)}
    assert set(Loader().load_service_model("ecr", "waiters-2")["waiters"]) == WAITERS


@pytest.fixture(params=LISTS, ids=lambda kind: kind.__name__)
def paged(request: pytest.FixtureRequest, server: MoorageServer, account: KeyPair) -> Paged:
    made: Paged = request.param(server, account)
    return made


def expected(paged: Paged) -> int:
    """How many items there are at the least."""
    return {"BackfillResults": 0, "Registries": 1}.get(type(paged).__name__, ITEMS)


def test_pages_of_every_size_have_every_item_once(paged: Paged) -> None:
    everything = paged.everything()
    assert len(everything) >= expected(paged)
    for size in (1, 2, 3, ITEMS, 50):
        seen: list[Any] = []
        token, tokens = None, set[str]()
        while True:
            page = paged.page(size, token)
            items = paged.items(page)
            assert len(items) <= size
            seen += items
            token = page.get("nextToken")
            if token is None:
                break
            assert token not in tokens
            tokens.add(token)
        assert seen == everything, size
        assert len(tokens) == max(0, -(-len(everything) // size) - 1)


def test_botocores_paginator(paged: Paged) -> None:
    if paged.operation not in paginators(paged.service):
        assert not paged.client.can_paginate(paged.method.__name__)
        return
    everything = paged.everything()
    paginator = paged.client.get_paginator(paged.method.__name__)
    for size in (1, 3, 50):
        pages = list(paginator.paginate(**paged.arguments, PaginationConfig={"PageSize": size}))
        assert list(itertools.chain.from_iterable(paged.items(page) for page in pages)) == everything
        assert all("nextToken" not in page for page in pages[-1:])
    # Page after page by hand, as `--max-items` and `--starting-token` do; a page may end in the midst of one of the server's.
    for size, count in ((1, 2), (3, 2), (2, 3), (50, 3)):
        seen: list[Any] = []
        token = None
        while True:
            config = {"PageSize": size, "MaxItems": count, "StartingToken": token}
            result = paginator.paginate(**paged.arguments, PaginationConfig=config).build_full_result()
            items = paged.items(result)
            assert len(items) <= count
            seen += items
            token = result.get("NextToken")
            if token is None:
                break
        assert seen == everything, (size, count)


def test_an_explicit_list_has_no_pages(server: MoorageServer, account: KeyPair) -> None:
    ecr = server.client(key=account)
    ecr.create_repository(repositoryName="app")
    ecr.put_image(repositoryName="app", imageManifest=builders.index([]).decode(), imageTag="v1")
    named: list[tuple[Any, str, dict[str, Any]]] = [
        (ecr.describe_repositories, "repositoryNames", {"repositoryNames": ["app"]}),
        (ecr.describe_images, "imageIds", {"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]}),
        (ecr.get_lifecycle_policy_preview, "imageIds", {"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]}),
        (ecr.describe_pull_through_cache_rules, "ecrRepositoryPrefixes", {"ecrRepositoryPrefixes": ["aa"]}),
        (ecr.describe_repository_creation_templates, "prefixes", {"prefixes": ["aa"]}),
    ]
    for call, member, arguments in named:
        for page in ({"maxResults": 5}, {"nextToken": "x"}):
            (of_page,) = page
            message = parameter(of_page, f"must not be specified together with {member}")
            with refused("InvalidParameterException", message):
                call(**arguments, **page)


def test_an_image_that_was_not_scanned_has_no_pages_of_findings(
    server: MoorageServer, registry: RegistryClient, repository: str
) -> None:
    registry.push_image(repository, builders.image(1), "v1")
    ecr = server.client()
    about: dict[str, Any] = {"repositoryName": repository, "imageId": {"imageTag": "v1"}}
    with refused("ScanNotFoundException"):
        list(ecr.get_paginator("describe_image_scan_findings").paginate(**about, PaginationConfig={"PageSize": 1}))
    with pytest.raises(WaiterError, match="ScanNotFoundException"):
        ecr.get_waiter("image_scan_complete").wait(**about)


def test_the_waiter_for_a_preview(server: MoorageServer, account: KeyPair) -> None:
    paged = next(each for each in LISTS if each.operation == "GetLifecyclePolicyPreview")(server, account)
    paged.client.get_waiter("lifecycle_policy_preview_complete").wait(**paged.arguments)


def test_a_backfill_that_has_not_begun_has_one_page(server: MoorageServer, account: KeyPair) -> None:
    paged = BackfillResults(server, account)
    assert paged.page(1)["results"] == []
    assert paged.page(1, replicationBackfillId=paged.arguments["replicationBackfillId"].upper())["status"] == "FAILED"
