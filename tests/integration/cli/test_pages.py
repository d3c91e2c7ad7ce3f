"""``--max-items``, ``--starting-token``, ``--page-size``, ``--no-paginate`` and ``--query`` over lists of several pages."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from moorage.testing.server import MoorageServer
from tests.integration.cli.conftest import Cli
from tests.integration.paging.lists import Images, Repositories

pytestmark = pytest.mark.awscli


def test_a_list_in_parts(server: MoorageServer, ecr: Cli) -> None:
    repositories = Repositories(server, ecr.key)
    everything = repositories.everything()
    parts: list[list[str]] = []
    token: tuple[str, ...] = ()
    while True:
        told: dict[str, Any] = ecr("describe-repositories", "--page-size", "2", "--max-items", "3", *token)
        parts.append([each["repositoryName"] for each in told["repositories"]])
        if "NextToken" not in told:
            break
        token = ("--starting-token", told["NextToken"])
    assert [len(part) for part in parts] == [3, 3, 1]
    assert list(itertools.chain.from_iterable(parts)) == everything
    assert ecr("describe-repositories", "--page-size", "1", "--query", "repositories[].repositoryName") == everything
    first = ecr("describe-repositories", "--no-paginate", "--max-results", "2")
    assert [each["repositoryName"] for each in first["repositories"]] == everything[:2]
    second = ecr("describe-repositories", "--no-paginate", "--max-results", "2", "--next-token", first["nextToken"])
    assert [each["repositoryName"] for each in second["repositories"]] == everything[2:4]
    foreign = ("--next-token", first["nextToken"])
    ecr.refused("InvalidParameterException", "describe-repositories", "--next-token", foreign[1][:-2], "--no-paginate")
    ecr.refused(
        "InvalidParameterException", "list-images", "--repository-name", everything[0], "--next-token", first["nextToken"]
    )


def test_a_query_over_all_pages(server: MoorageServer, ecr: Cli) -> None:
    images = Images(server, ecr.key)
    named = ("--repository-name", images.repository)
    # One document is made of all pages before it is asked; the text form asks each page for itself.
    newest = "sort_by(imageDetails,& imagePushedAt)[-1].imageDigest"
    assert ecr("describe-images", *named, "--page-size", "2", "--query", newest) == images.everything()[0]
    assert ecr("list-images", *named, "--page-size", "3", "--query", "length(imageIds)") == len(images.everything())
    assert ecr("list-images", *named, "--max-items", "1", "--query", "imageIds[].imageDigest") == images.everything()[:1]
