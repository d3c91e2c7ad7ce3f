"""Uploads without a byte: what is kept of them in memory shows in nothing that a client can see."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from moorage.model.digest import digest_of
from moorage.testing.registry_client import Answer, RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import LOGIN, PULL, PUSH, Person, allow

SMALL, OTHER, LARGE = b"small", b"other", bytes(300_000)


def begin(client: RegistryClient, name: str) -> str:
    answer = client.request("POST", f"/v2/{name}/blobs/uploads/")
    assert answer.status == 202, answer
    return str(answer.header("Location"))


def put(client: RegistryClient, place: str, data: bytes, claimed: bytes | None = None, **headers: str) -> Answer:
    digest = digest_of(data if claimed is None else claimed)
    return client.request("PUT", f"{place}?digest={digest}", data, {name.replace("_", "-"): at for name, at in headers.items()})


def test_an_end_is_an_end(registry: RegistryClient, repository: str) -> None:
    place = begin(registry, repository)
    assert put(registry, place, SMALL).status == 201
    assert registry.get(f"/v2/{repository}/blobs/{digest_of(SMALL)}").body == SMALL
    for again in (put(registry, place, SMALL), put(registry, place, LARGE), put(registry, place, b"", SMALL)):
        assert (again.status, again.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert registry.get(place).status == registry.request("DELETE", place).status == 404
    assert registry.request("PATCH", place, SMALL).status == 404


def test_wrong_content_ends_it(registry: RegistryClient, repository: str) -> None:
    place = begin(registry, repository)
    wrong = put(registry, place, SMALL, OTHER)
    assert (wrong.status, wrong.code) == (400, "DIGEST_INVALID")
    assert put(registry, place, OTHER).status == 404
    assert registry.head(f"/v2/{repository}/blobs/{digest_of(OTHER)}").status == 404


def test_what_is_refused_may_be_tried_again(registry: RegistryClient, repository: str) -> None:
    place = begin(registry, repository)
    refused = put(registry, place, SMALL, Content_Range="3-7")
    assert (refused.status, refused.header("Range")) == (416, "0-0")
    assert put(registry, place, SMALL, Content_Range="0-3").code == "SIZE_INVALID"
    assert put(registry, place, SMALL, Content_Range="0-4").status == 201


@pytest.mark.parametrize("first", ["status", "patch", "large", "nothing"])
def test_whatever_comes_first(registry: RegistryClient, repository: str, first: str) -> None:
    place = begin(registry, repository)
    if first == "status":
        answer = registry.get(place)
        assert (answer.status, answer.header("Range")) == (204, "0-0")
        assert put(registry, place, SMALL).status == 201
    elif first == "patch":
        assert registry.request("PATCH", place, SMALL).header("Range") == "0-4"
        assert put(registry, place, OTHER, SMALL + OTHER).status == 201
    elif first == "large":
        assert put(registry, place, LARGE).status == 201
    else:
        assert put(registry, place, b"").status == 201
    assert registry.get(place).status == 404


def test_cancelled(registry: RegistryClient, repository: str) -> None:
    place = begin(registry, repository)
    assert registry.request("DELETE", place).status == 204
    assert put(registry, place, SMALL).status == 404


def test_it_is_its_principals_and_its_repositorys(server: MoorageServer, account: KeyPair) -> None:
    names = [fresh_name("mine"), fresh_name("other")]
    ecr = server.client(key=account)
    for name in names:
        ecr.create_repository(repositoryName=name)
    one, two = (Person(server, account, allow(LOGIN), allow(*PUSH, *PULL)) for _ in range(2))
    with server.registry(key=one.key) as mine, server.registry(key=two.key) as theirs:
        place = begin(mine, names[0])
        assert put(theirs, place, SMALL).status == 404
        assert put(mine, place.replace(names[0], names[1]), SMALL).status == 404
        one.may(allow(LOGIN), allow(*(action for action in PUSH if action != "ecr:CompleteLayerUpload")))
        assert put(mine, place, SMALL).status == 403
        one.may(allow(LOGIN), allow(*(action for action in PUSH if action != "ecr:UploadLayerPart")))
        assert put(mine, place, SMALL).status == 403
        one.may(allow(LOGIN), allow(*PUSH))
        assert put(mine, place, SMALL).status == 201
        place = begin(mine, names[0])
        ecr.delete_repository(repositoryName=names[0], force=True)
        ecr.create_repository(repositoryName=names[0])
        assert put(mine, place, SMALL).status == 404
        place = begin(mine, names[1])
        ecr.delete_repository(repositoryName=names[1], force=True)
        assert mine.get(place).status == 404


def test_an_orderly_end_loses_none(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server()
    server.client().create_repository(repositoryName="app")
    with server.registry() as client:
        places = [begin(client, "app") for _ in range(50)]
        server.terminate()
        server.start()
        for place in places:
            assert put(client, place, SMALL).status == 201


def test_after_a_crash_it_is_unknown_or_goes_on(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server()
    server.client().create_repository(repositoryName="app")
    with server.registry() as client:
        untouched, with_bytes = begin(client, "app"), begin(client, "app")
        assert client.request("PATCH", with_bytes, SMALL).status == 202
        os.kill(server.pid, signal.SIGKILL)
        server.kill()
        server.start()
        assert put(client, untouched, SMALL).status in {201, 404}
        assert put(client, with_bytes, OTHER, SMALL + OTHER).status == 201


def test_more_than_are_kept(registry: RegistryClient, repository: str) -> None:
    places = [begin(registry, repository) for _ in range(4200)]
    for place in (places[0], places[4095], places[4096], places[-1]):
        assert put(registry, place, SMALL).status == 201
        assert put(registry, place, SMALL).status == 404
