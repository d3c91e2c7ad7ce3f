"""Several clients at once: each agrees with its model about what is its own, and what they share stays explainable."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from moorage.testing.server import KeyPair, MoorageServer, make_client
from tests.integration.agreement.choices import Choices
from tests.integration.agreement.client import Agreement, agreement_in
from tests.integration.agreement.model import Registry
from tests.integration.agreement.things import TAGS, Thing, blobs, things

CLIENTS, STEPS = 4, 150
SHARED = "shared/app"
EXPECTED = {
    "ImageAlreadyExistsException", "ImageTagAlreadyExistsException", "ImageNotFoundException",
    "ReferencedImagesNotFoundException", "RepositoryNotFoundException", "RepositoryAlreadyExistsException",
    "RepositoryNotEmptyException", "LayerAlreadyExistsException", "ImageStorageClassUpdateNotSupportedException",
}  # fmt: skip
"""What one client's work may make of another's."""
NO_LAYERS = "LayersNotFoundException"
"""Only where a repository was deleted and made anew: nobody has uploaded anything to that one."""


@pytest.fixture
def clients(server: MoorageServer, account: KeyPair) -> Iterator[list[Any]]:
    """One connection each, for one account."""
    made = [make_client(server.endpoint, "ecr", account, parameter_validation=False) for _ in range(CLIENTS)]
    yield made
    for each in made:
        each.close()


def at_once(work: Callable[[int], None]) -> None:
    """Do the work of every client at the same time; the first failure is everybody's."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(work, number) for number in range(CLIENTS)]:
            done.result()


def test_each_agrees_about_its_own(server: MoorageServer, account: KeyPair, clients: list[Any]) -> None:
    """In one account, and with the same images everywhere, whose content is kept once for all of them."""
    first = agreement_in(server, account)

    def work(number: int) -> None:
        mine = Agreement(clients[number], Registry(account.account_id, first.model.host))
        names = [f"mine-{number}/{name}" for name in ("a", "b")]
        source = random.Random(number)
        choices = Choices(mine, names, source.choice)
        choices.begin()
        for _ in range(STEPS):
            choices.any()
        mine.compare_all(sorted(mine.model.repositories))

    at_once(work)
    require_no_faults(server)


def test_what_they_share_is_explainable(server: MoorageServer, account: KeyPair, clients: list[Any]) -> None:
    """Everybody pushes, tags, deletes and archives the same images in one repository, where some tags cannot be moved."""
    clients[0].create_repository(
        repositoryName=SHARED,
        imageTagMutability="MUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "rel-*"}],
    )
    upload_all(clients[0], SHARED)
    moves: list[tuple[str, str]] = []
    """(tag, digest) of pushes that succeeded, in no order."""
    lock = threading.Lock()

    def work(number: int) -> None:
        client, source = clients[number], random.Random(100 + number)
        for _ in range(STEPS):
            thing, tag = source.choice(list(things().values())), source.choice(TAGS)
            try:
                match source.randrange(10):
                    case 0:
                        client.batch_delete_image(repositoryName=SHARED, imageIds=[{"imageDigest": thing.digest}])
                    case 1:
                        client.batch_delete_image(repositoryName=SHARED, imageIds=[{"imageTag": tag}])
                    case 2:
                        target = source.choice(("ARCHIVE", "STANDARD"))
                        client.update_image_storage_class(
                            repositoryName=SHARED, imageId={"imageDigest": thing.digest}, targetStorageClass=target
                        )
                    case 3:
                        # In another order than the others do: what is locked must not be locked crosswise.
                        wanted = [{"imageDigest": each.digest} for each in source.sample(list(things().values()), 5)]
                        client.batch_delete_image(repositoryName=SHARED, imageIds=wanted)
                    case 4:
                        check_reads(client, source)
                    case _:
                        client.put_image(repositoryName=SHARED, imageManifest=thing.text, imageTag=tag)
                        with lock:
                            moves.append((tag, thing.digest))
            except ClientError as error:
                assert error.response["Error"]["Code"] in EXPECTED, error

    at_once(work)
    check_whole(clients[0], moves)
    require_no_faults(server)


def test_an_immutable_tag_is_given_once(server: MoorageServer, account: KeyPair, clients: list[Any]) -> None:
    """Of all who push a tag at the same time one succeeds, and the tag is that one's for ever."""
    clients[0].create_repository(repositoryName=SHARED, imageTagMutability="IMMUTABLE")
    upload_all(clients[0], SHARED)
    own = [things()[name] for name in ("first", "second", "lone", "other")]
    won: dict[str, list[str]] = {}
    barrier, lock = threading.Barrier(CLIENTS), threading.Lock()

    def work(number: int) -> None:
        for turn in range(20):
            barrier.wait(60)
            try:
                clients[number].put_image(repositoryName=SHARED, imageManifest=own[number].text, imageTag=f"t{turn}")
            except ClientError as error:
                assert error.response["Error"]["Code"] == "ImageTagAlreadyExistsException"
            else:
                with lock:
                    won.setdefault(f"t{turn}", []).append(own[number].digest)

    at_once(work)
    listed = clients[0].list_images(repositoryName=SHARED, maxResults=1000)["imageIds"]
    assert {each["imageTag"]: [each["imageDigest"]] for each in listed if "imageTag" in each} == won
    assert len(won) == 20


def test_a_batch_survives_images_that_vanish_meanwhile(server: MoorageServer, account: KeyPair, clients: list[Any]) -> None:
    """Each entry stands or falls alone, also one whose image goes between being found and being read."""
    clients[0].create_repository(repositoryName=SHARED)
    kept, fleeting = things()["lone"], things()["other"]
    clients[0].put_image(repositoryName=SHARED, imageManifest=kept.text, imageTag="kept")
    done = threading.Event()

    def work(number: int) -> None:
        client = clients[number]
        if number == 0:
            for _ in range(STEPS):
                client.put_image(repositoryName=SHARED, imageManifest=fleeting.text, imageTag="fleeting")
                client.batch_delete_image(repositoryName=SHARED, imageIds=[{"imageTag": "fleeting"}])
            done.set()
        while not done.is_set():
            told = client.batch_get_image(repositoryName=SHARED, imageIds=[{"imageTag": "fleeting"}, {"imageTag": "kept"}])
            assert kept.text in [image["imageManifest"] for image in told["images"]]
            assert {failure["failureCode"] for failure in told["failures"]} <= {"ImageNotFound"}

    at_once(work)


def test_of_those_who_create_or_delete_one_succeeds(server: MoorageServer, account: KeyPair, clients: list[Any]) -> None:
    barrier, lock = threading.Barrier(CLIENTS), threading.Lock()
    created: list[int] = []
    deleted: list[int] = []

    def work(number: int) -> None:
        for turn in range(15):
            for call, into, lost in (
                (clients[number].create_repository, created, "RepositoryAlreadyExistsException"),
                (clients[number].delete_repository, deleted, "RepositoryNotFoundException"),
            ):
                barrier.wait(60)
                try:
                    call(repositoryName=SHARED)
                except ClientError as error:
                    assert error.response["Error"]["Code"] == lost
                else:
                    with lock:
                        into.append(turn)

    at_once(work)
    assert created == deleted == list(range(15))


def test_repositories_that_vanish_under_their_users(server: MoorageServer, account: KeyPair, clients: list[Any]) -> None:
    """Somebody deletes and makes anew what the others push to: they are told so, and nothing of the old one is in the new."""

    def work(number: int) -> None:
        client, source = clients[number], random.Random(200 + number)
        for _ in range(STEPS):
            thing = source.choice(list(things().values()))
            try:
                if number == 0:
                    client.create_repository(repositoryName=SHARED)
                    assert len(client.describe_images(repositoryName=SHARED, maxResults=50)["imageDetails"]) <= len(things())
                    client.delete_repository(repositoryName=SHARED, force=True)
                elif source.random() < 0.3:
                    check_reads(client, source)
                else:
                    client.put_image(repositoryName=SHARED, imageManifest=thing.text, imageTag=source.choice(TAGS))
            except ClientError as error:
                assert error.response["Error"]["Code"] in {*EXPECTED, NO_LAYERS}, error

    at_once(work)
    for client in clients[:1]:
        if not client.describe_repositories()["repositories"]:
            client.create_repository(repositoryName=SHARED)
    check_whole(clients[0], None)
    require_no_faults(server)


def upload_all(client: Any, name: str) -> None:
    for digest, data in blobs().items():
        upload = client.initiate_layer_upload(repositoryName=name)["uploadId"]
        part = {"partFirstByte": 0, "partLastByte": len(data) - 1, "layerPartBlob": data}
        client.upload_layer_part(repositoryName=name, uploadId=upload, **part)
        client.complete_layer_upload(repositoryName=name, uploadId=upload, layerDigests=[digest])


def check_reads(client: Any, source: random.Random) -> None:
    """Each answer is of one moment: no tag twice, no image twice, and a manifest is its digest's."""
    match source.randrange(3):
        case 0:
            details = client.describe_images(repositoryName=SHARED, filter={"imageStatus": "ANY"})["imageDetails"]
            digests = [detail["imageDigest"] for detail in details]
            tags = [tag for detail in details for tag in detail.get("imageTags", [])]
            assert len(set(digests)) == len(digests)
            assert len(set(tags)) == len(tags)
        case 1:
            listed = client.list_images(repositoryName=SHARED, filter={"imageStatus": "ANY"})["imageIds"]
            tags = [each["imageTag"] for each in listed if "imageTag" in each]
            assert len(set(tags)) == len(tags)
        case _:
            known = {thing.digest: thing for thing in things().values()}
            told = client.batch_get_image(repositoryName=SHARED, imageIds=[{"imageTag": tag} for tag in TAGS])
            for image in told["images"]:
                assert image["imageManifest"] == known[image["imageId"]["imageDigest"]].text


def check_whole(client: Any, moves: list[tuple[str, str]] | None) -> None:
    """The final state is one that some order of what was done explains."""
    known: dict[str, Thing] = {thing.digest: thing for thing in things().values()}
    details = client.describe_images(repositoryName=SHARED, filter={"imageStatus": "ANY"}, maxResults=100)["imageDetails"]
    by_digest = {detail["imageDigest"]: detail for detail in details}
    assert len(by_digest) == len(details)
    pointing = {tag: detail["imageDigest"] for detail in details for tag in detail.get("imageTags", [])}
    assert sum(len(detail.get("imageTags", [])) for detail in details) == len(pointing)
    listed = client.list_images(repositoryName=SHARED, filter={"imageStatus": "ANY"}, maxResults=100)["imageIds"]
    assert {each["imageTag"]: each["imageDigest"] for each in listed if "imageTag" in each} == pointing
    assert {each["imageDigest"] for each in listed} == set(by_digest)
    if moves is not None:
        assert set(pointing.items()) <= set(moves)
    for digest, detail in by_digest.items():
        thing = known[digest]
        assert all(child in by_digest for child in thing.children), "an index outlives its children"
        if detail["imageStatus"] == "ACTIVE" and thing.blob_types:
            states = client.batch_check_layer_availability(repositoryName=SHARED, layerDigests=list(thing.blob_types))
            assert {state["layerAvailability"] for state in states["layers"]} == {"AVAILABLE"}
        wanted = [{"imageDigest": digest}]
        told = client.batch_get_image(repositoryName=SHARED, imageIds=wanted)
        assert [image["imageManifest"] for image in told["images"]] == ([thing.text] if detail["imageStatus"] == "ACTIVE" else [])


def require_no_faults(server: MoorageServer) -> None:
    """What the database says is what the store has, as `moorage fsck` sees it."""
    assert server.run("fsck").stdout.strip().endswith("no faults")
