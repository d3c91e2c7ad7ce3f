"""A pull that is answered from memory is what the database would have answered: whatever changed, and whoever changed it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from moorage.metadata import answers
from moorage.metadata.transaction import ReadTransaction
from moorage.server.installation import open_installation
from moorage.server.settings import load
from moorage.testing import builders
from moorage.testing.registry_client import Answer, RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import fresh_name
from tests.integration.access.people import LOGIN, PULL, Person, allow, deny, document, grant, repository_arn
from tests.integration.server.serving import until

UNCONDITIONED = {"If-None-Match": '"another"'}
"""Makes a request go the whole way: what has a condition is not answered from memory."""


def told(answer: Answer) -> tuple[int, bytes, str | None]:
    return answer.status, answer.body, answer.header("Docker-Content-Digest")


def pull(client: RegistryClient, name: str, reference: str = "v1") -> int:
    """Ask three times, of which at most the first is looked up; the status that all of them got."""
    path = f"/v2/{name}/manifests/{reference}"
    whole = client.request("GET", path, headers=UNCONDITIONED)
    for _ in range(3):
        assert told(client.request("GET", path)) == told(whole)
        head = client.request("HEAD", path)
        assert (head.status, head.header("Docker-Content-Digest")) == (whole.status, whole.header("Docker-Content-Digest"))
    return whole.status


@pytest.fixture
def name(server: MoorageServer, account: KeyPair) -> str:
    """A repository of the account with an image ``v1``."""
    made = fresh_name("again")
    server.client(key=account).create_repository(repositoryName=made)
    with server.registry(key=account) as root:
        root.push_image(made, builders.image(1), "v1")
    return made


def test_after_any_change(server: MoorageServer, account: KeyPair, name: str) -> None:
    ecr, iam = server.client(key=account), server.client("iam", key=account)
    person = Person(server, account, allow(LOGIN), allow(*PULL))
    arn = repository_arn(account, name)
    with server.registry(key=person.key) as client, server.registry(key=account) as root:
        changes: list[Callable[[], object]] = [
            lambda: root.push_image(name, builders.image(random_.randrange(4)), "v1"),
            lambda: root.push_image(name, builders.image(random_.randrange(4)), "v2"),
            lambda: ecr.batch_delete_image(repositoryName=name, imageIds=[{"imageTag": "v1"}]),
            lambda: person.may(allow(LOGIN), allow(*PULL)),
            lambda: person.may(allow(LOGIN), allow(*PULL), deny("ecr:BatchGetImage", resource=arn)),
            lambda: person.may(
                allow(LOGIN), allow(*PULL, Condition={"StringEquals": {"aws:ResourceTag/open": str(random_.randrange(2))}})
            ),
            lambda: ecr.tag_resource(resourceArn=arn, tags=[{"Key": "open", "Value": str(random_.randrange(2))}]),
            lambda: ecr.set_repository_policy(
                repositoryName=name, policyText=document({**grant("*", *PULL, effect="Deny"), "Sid": "shut"}), force=True
            ),
            lambda: ecr.set_repository_policy(repositoryName=name, policyText=document({**grant("*", *PULL), "Sid": "open"})),
            lambda: iam.update_access_key(UserName=person.name, AccessKeyId=person.key.access_key_id, Status="Inactive"),
            lambda: iam.update_access_key(UserName=person.name, AccessKeyId=person.key.access_key_id, Status="Active"),
        ]
        random_, seen = random.Random(7), set()
        for _ in range(120):
            random_.choice(changes)()
            seen.add(pull(client, name))
        assert seen == {200, 401, 403, 404}


def test_a_change_by_another_worker(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(options=["--workers", "2"])
    server.client().create_repository(repositoryName="app")
    with server.registry() as pusher:
        clients = [pusher.other() for _ in range(6)]  # on either worker, for all that is known
        for number in range(20):
            image = builders.image(number)
            pusher.push_image("app", image, "v1")
            for client in clients:
                client.password = pusher.password
                for _ in range(2):
                    assert client.get("/v2/app/manifests/v1").header("Docker-Content-Digest") == image.digest
        for client in clients:
            client.close()


def test_a_change_by_the_command_line(server: MoorageServer, account: KeyPair, name: str) -> None:
    with server.registry(key=account) as client:
        assert pull(client, name) == 200
        server.run("key", "disable", account.access_key_id)
        assert pull(client, name) == 401
        server.run("key", "enable", account.access_key_id)
        assert pull(client, name) == 200


def test_what_is_pulled_again_is_counted(server: MoorageServer, account: KeyPair, name: str) -> None:
    ecr = server.client(key=account)
    with server.registry(key=account) as client:
        for _ in range(5):
            assert client.get(f"/v2/{name}/manifests/v1").status == 200

    def last() -> float | None:
        detail = ecr.describe_images(repositoryName=name)["imageDetails"][0]
        at = detail.get("lastRecordedPullTime")
        return at.timestamp() if at else None

    until(lambda: last() is not None)
    first = last()
    assert first is not None
    with server.registry(key=account) as client:
        for _ in range(3):
            assert client.get(f"/v2/{name}/manifests/v1").status == 200
    until(lambda: (last() or 0) > first, seconds=20)


def test_nobody_is_answered_what_was_somebody_elses(server: MoorageServer, account: KeyPair, name: str) -> None:
    allowed, other = Person(server, account, allow(LOGIN), allow(*PULL)), Person(server, account, allow(LOGIN))
    with server.registry(key=allowed.key) as one, server.registry(key=other.key) as two, one.other() as nobody:
        for _ in range(3):
            assert pull(one, name) == 200
            assert pull(two, name) == 403
            assert nobody.get(f"/v2/{name}/manifests/v1").status == 401


def test_layers_leave_answers_alone(own_server: MoorageServer) -> None:
    """A registry that is pushed to answers pulls from memory until a manifest comes."""
    server, seen = own_server, []
    server.client().create_repository(repositoryName="app")
    installation = open_installation(load(None, server.environment, {}).settings, server.environment, may_create=False)
    try:
        with server.registry() as client:
            built = builders.image(1, layer_bytes=100_000)
            seen.append(installation.db.run_read(answers_version))
            for digest, data in built.blobs.items():
                client.push_blob("app", data, digest)
            location = client.start_upload("app")
            assert client.request("PATCH", location, b"in chunks" * 5_000).status == 202
            seen.append(installation.db.run_read(answers_version))
            assert client.put_manifest("app", "v1", built.manifest, built.media_type).status == 201
            seen.append(installation.db.run_read(answers_version))
    finally:
        installation.close()
    assert seen[0] == seen[1]
    assert seen[1] != seen[2]


def answers_version(tx: ReadTransaction) -> int | str:
    return tx.file_version() if tx.dialect == "sqlite" else answers.version(tx)
