"""Keys from a provider that hangs, fails and answers late: whose requests feel it, and what they are told."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import bindparam, update

from moorage.metadata.registry import repositories, seals
from moorage.metadata.statements import Statement
from moorage.metadata.tables.images import repositories as rows
from moorage.metadata.transaction import Transaction
from moorage.model.errors import KeyUnavailable, KeyUnusable
from moorage.model.names import parse_repository_name
from moorage.model.scope import Scope
from moorage.model.seal import SealKey
from moorage.testing import builders
from moorage.testing.registry_client import Answer
from moorage.testing.server import ROOT, KeyPair
from tests.integration.keys.served import HERE, OTHER_KIND, THERE, Served, served, until

AWAY = KeyUnavailable("the key is unavailable.", "KeyUnavailableException", retry_after_seconds=7)
DISABLED = KeyUnusable("arn:aws:kms:us-east-1:000000000000:key/k is disabled.", "DisabledException")
LARGE = os.urandom(300_000)
"""Too long to be gathered in memory: sealed as it comes."""
_SET_SEAL = Statement(lambda _: update(rows).where(rows.c.id == bindparam("repository")).values(seal_id=bindparam("new_seal")))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    url = str(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else ""
    with served(tmp_path / "data", url) as running:
        running.client().create_repository(repositoryName="app")
        running.client(THERE).create_repository(repositoryName="app")
        yield running


def index(text: str) -> bytes:
    """A manifest that names nothing."""
    return builders.index([], annotations={"n": text})


def put(place: Served, reference: str, data: bytes, region: str = HERE, name: str = "app") -> Answer:
    with place.registry(region) as client:
        return client.put_manifest(name, reference, data, "application/vnd.oci.image.index.v1+json")


def get(place: Served, path: str, region: str = HERE, **headers: str) -> Answer:
    with place.registry(region) as client:
        return client.get(f"/v2/app/{path}", **headers)


def post_blob(place: Served, data: bytes, region: str = HERE) -> Answer:
    """A blob in one request."""
    with place.registry(region) as client:
        return client.request("POST", f"/v2/app/blobs/uploads/?digest={builders.digest(data)}", data)


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, str, str]:
    """Code, message and kmsError of what an operation fails with."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    response: Any = error.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response.get("kmsError", "")


def test_a_key_that_hangs_holds_up_those_alone_who_need_it(place: Served) -> None:
    stuck, free = place.seal("app"), place.seal("app", THERE)
    assert stuck.id != free.id
    assert put(place, "old", index("old")).status == 201
    assert post_blob(place, LARGE).status == 201
    place.remote.held.add(stuck.id)
    waiting = [place.beside(put, place, f"new-{number}", index(f"new {number}")) for number in range(4)]
    waiting += [place.beside(get, place, "manifests/old") for _ in range(3)]
    waiting += [place.beside(get, place, f"blobs/{builders.digest(LARGE)}") for _ in range(3)]
    waiting += [place.beside(post_blob, place, b"small"), place.beside(post_blob, place, LARGE + b"more")]
    place.remote.asked.clear()
    until(lambda: place.remote.most_at_once[stuck.id] >= 4)
    image = builders.image(1, layers=1, layer_bytes=20_000)
    with place.registry(THERE) as client:
        for number in range(5):
            client.push_image("app", builders.image(number, layers=1, layer_bytes=300 if number % 2 else 300_000), f"v{number}")
        client.push_image("app", image, "v")
        client.require_image("app", image)
    assert not any(each.done() for each in waiting), [each.result().body for each in waiting if each.done()]
    place.remote.held.clear()
    assert {each.result(30).status for each in waiting} == {200, 201}
    assert [each.result().body for each in waiting[7:10]] == [LARGE] * 3
    assert place.faults() == []


def test_a_key_that_takes_a_second_makes_nobody_else_wait(place: Served) -> None:
    """Figures on a quiet machine are in docs/decisions/0021; here the bounds are those of a crowded one."""
    slow, ended = place.seal("app"), threading.Event()
    for number in range(8):
        assert post_blob(place, b"%d" % number).status == 201
    place.remote.delays[slow.id] = 1.0
    place.remote.asked.clear()

    def pulls_and_pushes(number: int) -> int:
        count = 0
        while not ended.is_set():
            assert get(place, f"blobs/{builders.digest(b'%d' % number)}").status == 200
            assert put(place, f"{number}-{count}", index(f"{number}-{count}")).status == 201
            count += 1
        return count

    working = [place.beside(pulls_and_pushes, number) for number in range(8)]
    until(lambda: place.remote.most_at_once[slow.id] >= 8)
    place.longest_step[0] = 0.0
    seconds = []
    with place.registry(THERE) as client:
        for number in range(30):
            begun = time.perf_counter()
            data = index(f"quick {number}")
            assert client.put_manifest("app", f"v{number}", data).status == 201
            assert client.get(f"/v2/app/manifests/v{number}").body == data
            seconds.append(time.perf_counter() - begun)
    ended.set()
    assert all(each.result(30) for each in working)
    assert sorted(seconds)[len(seconds) // 2] < 0.5
    assert place.longest_step[0] < 0.9


def test_what_fails_for_now_is_to_be_tried_again(place: Served) -> None:
    client, seal = place.client(), place.seal("app")
    assert put(place, "old", index("old")).status == 201
    for data in (b"small", LARGE):
        assert post_blob(place, data).status == 201
    upload = client.initiate_layer_upload(repositoryName="app")["uploadId"]
    place.remote.faults[seal.id] = AWAY
    answers = [put(place, "new", index("new")), post_blob(place, b"other"), post_blob(place, LARGE + b"x")]
    answers += [get(place, "manifests/old"), *(get(place, f"blobs/{builders.digest(data)}") for data in (b"small", LARGE))]
    with place.registry() as registry:
        location = registry.start_upload("app")
        answers.append(registry.request("PATCH", location, b"chunk"))
        answers.append(registry.request("PATCH", location, LARGE))
    for answer in answers:
        assert (answer.status, answer.code, answer.header("Retry-After")) == (503, "UNKNOWN", "7"), answer.body
        assert "the key is unavailable." in answer.message
    told = ("KmsException", "the key is unavailable.", "KeyUnavailableException")
    assert refused(client.put_image, repositoryName="app", imageManifest=index("new").decode()) == told
    part = {"repositoryName": "app", "uploadId": upload, "partFirstByte": 0, "partLastByte": 2, "layerPartBlob": b"abc"}
    assert refused(client.upload_layer_part, **part) == told
    shown = client.batch_get_image(repositoryName="app", imageIds=[{"imageTag": "old"}])
    assert [(each["failureCode"], each["imageId"]) for each in shown["failures"]] == [("KmsError", {"imageTag": "old"})]
    assert any("cannot be opened: the key is unavailable." in line for line in place.faults())
    place.remote.faults.clear()
    assert client.upload_layer_part(**part)["lastByteReceived"] == 2
    assert get(place, "manifests/old").body == index("old")
    assert place.faults() == []


def test_a_public_registry_says_that_it_is_unavailable(place: Served) -> None:
    public = place.client(service="ecr-public")
    public.create_repository(repositoryName="shown")
    seal = place.installation.db.run_read(repositories.find, Scope.public(ROOT.account_id), parse_repository_name("shown"))
    assert seal is not None
    place.remote.faults[seal.seal.id] = AWAY
    code, message, _ = refused(public.put_image, repositoryName="shown", imageManifest=index("x").decode())
    assert (code, message) == ("ServiceUnavailableException", "The registry is temporarily unavailable: try again.")


def test_a_key_that_may_not_be_used_is_told_and_not_tried_again(place: Served) -> None:
    assert put(place, "old", index("old")).status == 201
    place.remote.faults[place.seal("app").id] = DISABLED
    for answer in (put(place, "new", index("new")), get(place, "manifests/old"), post_blob(place, b"small")):
        assert (answer.status, answer.code, answer.header("Retry-After")) == (403, "DENIED", "")
        assert answer.message == str(DISABLED)
    told = refused(place.client().put_image, repositoryName="app", imageManifest=index("new").decode())
    assert told == ("KmsException", str(DISABLED), "DisabledException")


def test_a_link_to_a_layer_whose_key_is_away(place: Served) -> None:
    image = builders.image(1, layers=1, layer_bytes=20_000)
    with place.registry() as client:
        client.push_image("app", image, "v1")
        (layer,) = image.layers
        url = place.client().get_download_url_for_layer(repositoryName="app", layerDigest=layer)["downloadUrl"]
        path = url.removeprefix(place.endpoint)
        for fault, status, again in ((AWAY, 503, "2"), (DISABLED, 403, "")):
            place.remote.faults[place.seal("app").id] = fault
            answer = client.request("GET", path, authorization="")
            assert (answer.status, answer.header("Retry-After")) == (status, again)
        place.remote.faults.clear()
        assert client.request("GET", path, authorization="").body == image.blobs[layer]


def test_no_key_is_asked_for_on_behalf_of_who_may_not_push(place: Served) -> None:
    iam = place.client(service="iam")
    iam.create_user(UserName="reader")
    made = iam.create_access_key(UserName="reader")["AccessKey"]
    allowed = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=document)
    reader = KeyPair(ROOT.account_id, made["AccessKeyId"], made["SecretAccessKey"])
    place.remote.faults[place.seal("app").id] = AWAY
    place.remote.asked.clear()
    with place.registry(key=reader) as client:
        there = client.put_manifest("app", "v1", index("x"))
        nowhere = client.put_manifest("nowhere", "v1", index("x"))
    assert {(each.status, each.code) for each in (there, nowhere)} == {(403, "DENIED")}
    assert there.message.replace("repository/app", "") == nowhere.message.replace("repository/nowhere", "")
    assert not place.remote.asked


def test_what_else_is_wrong_with_a_push_is_told_first(place: Served) -> None:
    built = builders.image(1)
    assert put(place, "old", index("old")).status == 201
    place.remote.faults[place.seal("app").id] = AWAY
    with place.registry() as client:
        missing = client.put_manifest("app", "v1", built.manifest, built.media_type)
        assert (missing.status, missing.code) == (400, "MANIFEST_BLOB_UNKNOWN")
        place.remote.asked.clear()
        assert client.put_manifest("app", "v1", b"{").code == "MANIFEST_INVALID"
        assert client.put_manifest("app", builders.digest(b"x"), index("old")).code == "DIGEST_INVALID"
    assert put(place, "again", index("old")).status == 201  # the image is there: its bytes are sealed already
    assert not place.remote.asked


def test_a_push_to_a_repository_that_is_created_again_meanwhile(place: Served) -> None:
    seal = place.seal("app")
    place.remote.held.add(seal.id)
    place.remote.asked.clear()
    pushed = place.beside(put, place, "v1", index("x"))
    until(lambda: place.remote.asked[seal.id] == 1)
    place.client().delete_repository(repositoryName="app")
    place.client().create_repository(repositoryName="app")
    place.remote.held.clear()
    assert pushed.result(30).status == 201
    assert place.remote.asked[seal.id] == 2
    assert get(place, "manifests/v1").body == index("x")
    assert place.faults() == []


def test_a_push_to_a_repository_that_is_deleted_meanwhile(place: Served) -> None:
    seal = place.seal("app")
    place.remote.held.add(seal.id)
    pushed = place.beside(put, place, "v1", index("x"))
    until(lambda: place.remote.asked[seal.id] > 0)
    place.client().delete_repository(repositoryName="app")
    place.remote.held.clear()
    assert (pushed.result(30).status, pushed.result().code) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize(("data", "outcome"), [(b"small", 201), (b"in one hop" * 9000, 201), (LARGE, 404)])
def test_a_blob_for_a_repository_that_is_sealed_otherwise_meanwhile(place: Served, data: bytes, outcome: int) -> None:
    """As if it were created again with another key. What was sealed as it came cannot be had a second time."""
    seal = place.seal("app")
    place.remote.held.add(seal.id)
    place.remote.asked.clear()
    pushed = place.beside(post_blob, place, data)
    until(lambda: place.remote.asked[seal.id] == 1)
    other = place.installation.db.run_write(_seal_otherwise)
    place.remote.held.clear()
    answer = pushed.result(30)
    assert answer.status == outcome, answer.body
    if outcome == 201:
        assert place.remote.asked[other] == 1
        assert get(place, f"blobs/{builders.digest(data)}").body == data
    else:
        assert answer.code == "NAME_UNKNOWN"
        assert post_blob(place, data).status == 201
    assert place.faults() == []


def _seal_otherwise(tx: Transaction) -> int:
    repository = repositories.find(tx, Scope.of(HERE, ROOT.account_id), parse_repository_name("app"))
    assert repository is not None
    seal = seals.ensure_own(tx, repository.registry, OTHER_KIND, SealKey("", repository.seal.wrapped_key))
    tx.run(_SET_SEAL, repository=repository.id, new_seal=seal.id)
    return seal.id


def test_two_repositories_are_the_first_ones_of_a_registry(place: Served) -> None:
    region = "ap-south-1"
    place.remote.held.add(0)
    place.remote.asked.clear()
    client = place.client(region)
    made = [place.beside(lambda name: client.create_repository(repositoryName=name), name) for name in ("one", "two")]
    until(lambda: place.remote.asked[0] == 2)
    place.remote.held.clear()
    assert {each.result(30)["repository"]["repositoryName"] for each in made} == {"one", "two"}
    assert place.seal("one", region) == place.seal("two", region)
    for name in ("one", "two"):
        assert put(place, "v1", index(name), region, name).status == 201
    assert place.faults() == []


def test_a_first_repository_without_a_key(place: Served) -> None:
    place.remote.faults[0] = AWAY
    region = "ap-south-1"
    client = place.client(region)
    told = ("KmsException", "the key is unavailable.", "KeyUnavailableException")
    assert refused(client.create_repository, repositoryName="first") == told
    client.create_repository_creation_template(prefix="ROOT", appliedFor=["CREATE_ON_PUSH"])
    answer = put(place, "v1", index("x"), region, "pushed")
    assert (answer.status, answer.header("Retry-After")) == (503, "7")
    place.client().create_repository(repositoryName="second")  # this registry has its key
    place.remote.faults.clear()
    assert put(place, "v1", index("x"), region, "pushed").status == 201


def test_of_a_blob_of_many_pieces_a_range_asks_for_the_keys_that_it_needs(place: Served) -> None:
    seal, parts = place.seal("app"), [bytes([number]) * 10 for number in range(70)]
    whole = b"".join(parts)
    with place.registry() as client:
        location = client.start_upload("app")
        for part in parts:
            location = client.request("PATCH", location, part).header("Location")
        mark = "&" if "?" in location else "?"
        assert client.request("PUT", f"{location}{mark}digest={builders.digest(whole)}").status == 201
        place.remote.asked.clear()
        path = f"/v2/app/blobs/{builders.digest(whole)}"
        assert client.get(path, Range="bytes=15-24").body == whole[15:25]
        assert place.remote.asked[seal.id] == 2
        assert client.get(path, Range="bytes=20-29").body == whole[20:30]
        assert place.remote.asked[seal.id] == 2
        assert client.get(path).body == whole
        assert place.remote.asked[seal.id] == 70


def test_a_key_that_does_not_come_in_time(tmp_path: Path) -> None:
    with served(tmp_path / "data", timeout_seconds=0.3) as place:
        place.client().create_repository(repositoryName="app")
        assert put(place, "old", index("old")).status == 201
        place.remote.held.add(place.seal("app").id)
        for answer in (put(place, "new", index("new")), get(place, "manifests/old"), post_blob(place, LARGE)):
            assert (answer.status, answer.header("Retry-After")) == (503, "2")
            assert "does not answer in time" in answer.message
        told = refused(place.client().put_image, repositoryName="app", imageManifest=index("new").decode())
        assert (told[0], told[2]) == ("KmsException", "DependencyTimeoutException")
