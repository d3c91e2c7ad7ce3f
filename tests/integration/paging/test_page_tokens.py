"""A page's token is good for the list that it was made for, as it was made, and for nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from moorage.testing import builders
from moorage.testing.server import KeyPair, MoorageServer
from tests.integration.aws.errors import parameter, refused
from tests.integration.paging.lists import LISTS, BackfillResults, Paged, Registries

ENDLESS = [each for each in LISTS if not issubclass(each, BackfillResults | Registries)]
"""Lists that have a second page, so that there is a token to alter."""
INVALID = parameter("nextToken", "Invalid token")


def token_of(paged: Paged) -> str:
    return str(paged.page(1)["nextToken"])


def altered(token: str) -> list[str]:
    """Tokens that are nearly this one."""
    flipped = [
        token[:place] + chr(ord(token[place]) ^ (1 << bit)) + token[place + 1 :]
        for place in (0, 1, 15, 16, 17, len(token) // 2, len(token) - 3, len(token) - 2, len(token) - 1)
        for bit in range(6)
    ]
    longer = [token + "A", token + "=", token * 2, " " + token]
    return [*flipped, *longer, token[:-1], token[1:], token[::-1], token.swapcase(), "x", "{}"]


@pytest.mark.parametrize("kind", ENDLESS, ids=lambda kind: kind.__name__)
def test_an_altered_token_is_refused(server: MoorageServer, account: KeyPair, kind: type[Paged]) -> None:
    paged = kind(server, account)
    token = token_of(paged)
    for other in altered(token):
        with refused("InvalidParameterException", INVALID):
            paged.page(1, other)
    assert paged.items(paged.page(50, token)) == paged.everything()[1:]
    assert paged.items(paged.page(2, token)) == paged.everything()[1:3]  # a token may be used again, with another size


def test_tokens_of_other_lists_are_refused(server: MoorageServer, account: KeyPair) -> None:
    """Of every other operation, another repository, another filter."""
    lists = [kind(server, account) for kind in LISTS]
    endless = [each for each in lists if type(each) in ENDLESS]
    tokens: dict[tuple[str, str, str], str] = {}
    for each in endless:
        tokens[each.service, each.operation, repr(each.arguments)] = token_of(each)
    for each in lists:
        for (service, operation, arguments), token in tokens.items():
            if (service, operation, arguments) == (each.service, each.operation, repr(each.arguments)):
                continue
            with refused("InvalidParameterException", INVALID):
                each.page(1, token)
    for each in endless:
        if each.narrower is not None:
            with refused("InvalidParameterException", INVALID):
                each.page(1, token_of(each), **each.narrower)


@pytest.mark.parametrize("kind", ENDLESS, ids=lambda kind: kind.__name__)
def test_tokens_of_other_registries_are_refused(server: MoorageServer, account: KeyPair, kind: type[Paged]) -> None:
    own = kind(server, account)
    others = [kind(server, server.create_account("another"))]
    if kind.service == "ecr":
        others.append(kind(server, account, "eu-west-1"))
    for other in others:
        with refused("InvalidParameterException", INVALID):
            other.page(1, token_of(own))


def test_findings_take_no_foreign_token(server: MoorageServer, account: KeyPair) -> None:
    paged = next(kind for kind in ENDLESS if kind.operation == "DescribeRepositories")(server, account)
    paged.client.create_repository(repositoryName="scanned")
    paged.client.put_image(repositoryName="scanned", imageManifest=builders.index([]).decode(), imageTag="v1")
    about: dict[str, Any] = {"repositoryName": "scanned", "imageId": {"imageTag": "v1"}}
    with refused("InvalidParameterException", INVALID):
        paged.client.describe_image_scan_findings(**about, nextToken=token_of(paged))
