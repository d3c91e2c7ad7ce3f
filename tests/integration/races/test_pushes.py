"""Pushes beside each other, and beside what takes away what they push: each is whole or refused for a reason that is true."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import psycopg
import pytest

from moorage.testing.builders import BuiltImage, digest, image
from moorage.testing.registry_client import RegistryClient
from moorage.testing.server import KeyPair, MoorageServer
from tests.conftest import Pool, fresh_name
from tests.integration.races.together import CALLERS, WON, outcomes

ROUNDS = 5


@pytest.fixture
def registries(server: MoorageServer, account: KeyPair) -> Iterator[list[RegistryClient]]:
    """One connection for each caller, logged in to the test's own registry."""
    with ExitStack() as stack, server.registry(key=account) as first:
        password = server.password(key=account)
        host = server.registry_host(account.account_id)
        others = [RegistryClient("127.0.0.1", server.port, password, host=host) for _ in range(CALLERS - 1)]
        yield [first, *(stack.enter_context(other) for other in others)]


@pytest.fixture
def repository(client_of: Callable[[str], Any]) -> str:
    """A fresh repository of the test's own account, without the quotas of the others."""
    name = fresh_name("pushed")
    client_of("ecr").create_repository(repositoryName=name)
    return name


def sharing(base: bytes, number: int) -> tuple[bytes, bytes]:
    """Config and manifest of an image that has `base` for its layer, as the others have."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "n": number, "rootfs": {"type": "layers", "diff_ids": []}})
    data = config.encode()
    kind = "application/vnd.oci.image"
    named = {"mediaType": f"{kind}.config.v1+json", "digest": digest(data), "size": len(data)}
    layer = {"mediaType": f"{kind}.layer.v1.tar+gzip", "digest": digest(base), "size": len(base)}
    manifest = {"schemaVersion": 2, "mediaType": f"{kind}.manifest.v1+json", "config": named, "layers": [layer]}
    return data, json.dumps(manifest).encode()


@pytest.fixture
def roomy(pool: Pool, stack: str) -> Iterator[MoorageServer]:
    """A server without the small quotas of the others."""
    shared: MoorageServer = pool.get(f"roomy {stack}", lambda: pool.new_server(stack))
    since = shared.log_size()
    yield shared
    shared.require_clean_log(since)


def test_images_that_share_a_fresh_layer(roomy: MoorageServer) -> None:
    """Each pusher was told that the layer is there, so each manifest that names it is taken."""
    server, ecr = roomy, roomy.client()
    with ExitStack() as stack:
        clients = [stack.enter_context(server.registry()) for _ in range(CALLERS)]
        answers: Counter[int] = Counter()
        for turn in range(ROUNDS):
            name = fresh_name("shared")
            ecr.create_repository(repositoryName=name)
            base = f"base {turn}".encode() * 100

            def push(number: int, name: str = name, base: bytes = base) -> None:
                config, manifest = sharing(base, number)
                for data in (base, config):
                    clients[number].push_blob(name, data)
                answers[clients[number].put_manifest(name, f"t{number}", manifest).status] += 1

            assert set(outcomes([partial(push, number) for number in range(CALLERS)])) == {WON}
    assert answers == {201: CALLERS * ROUNDS}
    require_no_deadlocks(server)


def test_one_of_those_who_delete_succeeds(repository: str, registries: list[RegistryClient]) -> None:
    built = image(1)
    registries[0].push_image(repository, built, "v1")
    loose = registries[0].push_blob(repository, b"loose")
    for path in (
        f"/v2/{repository}/manifests/v1",
        f"/v2/{repository}/manifests/{built.digest}",
        f"/v2/{repository}/blobs/{loose}",
    ):
        statuses: list[int] = []
        outcomes([partial(_status, statuses, each, path) for each in registries])
        assert Counter(statuses) == {202: 1, 404: CALLERS - 1}, path


def _status(into: list[int], client: RegistryClient, path: str) -> None:
    into.append(client.delete(path).status)


def test_a_push_beside_the_delete_of_its_layers(
    repository: str, server: MoorageServer, client_of: Callable[[str], Any], registries: list[RegistryClient]
) -> None:
    """An image goes, and at once its layer: a push of another one that names it has it, or is told that it has not."""
    ecr = client_of("ecr")
    for turn in range(ROUNDS):
        base = f"base {turn}".encode()
        (config, first), (second_config, second) = sharing(base, 0), sharing(base, 1)
        for data in (base, config, second_config):
            registries[0].push_blob(repository, data)
        assert registries[0].put_manifest(repository, "first", first).status == 201
        pushed: list[int] = []

        def push(manifest: bytes = second, into: list[int] = pushed) -> None:
            into.append(registries[1].put_manifest(repository, "second", manifest).status)

        def take_away(manifest: bytes = first, blob: str = digest(base)) -> None:
            assert registries[2].delete(f"/v2/{repository}/manifests/{digest(manifest)}").status == 202
            assert registries[2].delete(f"/v2/{repository}/blobs/{blob}").status in {202, 405}

        assert outcomes([push, take_away]) == [WON, WON]
        held = registries[0].head(f"/v2/{repository}/blobs/{digest(base)}").status == 200
        assert pushed == ([201] if held else [400]), "an image without its layer"
        ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "second"}])
    assert server.run("fsck").stdout.strip().endswith("no faults")


def test_a_tag_that_is_moved_is_deleted_where_it_is(repository: str, client_of: Callable[[str], Any]) -> None:
    """Somebody always deletes the tag by its name while others move it: what it pointed to before is not deleted for it."""
    ecr = client_of("ecr")
    texts = _pushed(ecr, repository, [image(number) for number in range(2)])
    for text in texts:
        ecr.put_image(repositoryName=repository, imageManifest=text, imageTag="kept-" + str(texts.index(text)))
    for _ in range(ROUNDS):
        ecr.put_image(repositoryName=repository, imageManifest=texts[0], imageTag="moving")
        moves = [partial(ecr.put_image, repositoryName=repository, imageManifest=texts[1], imageTag="moving")]
        deletes = [partial(ecr.batch_delete_image, repositoryName=repository, imageIds=[{"imageTag": "moving"}])]
        assert set(outcomes([*moves, *deletes])) <= {WON, "ImageAlreadyExistsException"}
        details = ecr.describe_images(repositoryName=repository)["imageDetails"]
        assert len(details) == 2
        kept = {tag for detail in details for tag in detail["imageTags"] if tag != "moving"}
        assert kept == {"kept-0", "kept-1"}


def _pushed(ecr: Any, repository: str, built: list[BuiltImage]) -> list[str]:
    for each in built:
        for name, data in each.blobs.items():
            upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
            part = {"partFirstByte": 0, "partLastByte": len(data) - 1, "layerPartBlob": data}
            ecr.upload_layer_part(repositoryName=repository, uploadId=upload, **part)
            ecr.complete_layer_upload(repositoryName=repository, uploadId=upload, layerDigests=[name])
        ecr.put_image(repositoryName=repository, imageManifest=each.manifest.decode())
    return [each.manifest.decode() for each in built]


def require_no_deadlocks(server: MoorageServer) -> None:
    """Rows are locked in one order: PostgreSQL has had to end nobody's wait."""
    url = server.environment.get("MOORAGE_DATABASE_URL")
    if url:
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
        assert row == (0,)


def test_nobody_waits_crosswise(roomy: MoorageServer) -> None:
    """Pushes and deletes of images that share layers, tags and indexes, in every order: no two wait for each other."""
    ecr, name = roomy.client(), fresh_name("order")
    ecr.create_repository(repositoryName=name)
    base = b"shared by all"
    for data in (base, *(sharing(base, number)[0] for number in range(CALLERS))):
        upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
        ecr.upload_layer_part(
            repositoryName=name, uploadId=upload, partFirstByte=0, partLastByte=len(data) - 1, layerPartBlob=data
        )
        ecr.complete_layer_upload(repositoryName=name, uploadId=upload, layerDigests=[digest(data)])
    texts = [sharing(base, number)[1].decode() for number in range(CALLERS)]
    ids = [{"imageDigest": digest(text.encode())} for text in texts]

    def work(number: int) -> None:
        for turn in range(9):
            text, tag = texts[(number + turn) % CALLERS], f"t{(number * 3 + turn) % 4}"
            if (number + turn) % 3:
                _ignoring(partial(ecr.put_image, repositoryName=name, imageManifest=text, imageTag=tag))
            else:
                rotated = [*ids[number:], *ids[:number]][:: -1 if number % 2 else 1]
                ecr.batch_delete_image(repositoryName=name, imageIds=[*rotated[:4], {"imageTag": tag}])

    assert set(outcomes([partial(work, number) for number in range(CALLERS)])) == {WON}
    require_no_deadlocks(roomy)
    assert roomy.run("fsck").stdout.strip().endswith("no faults")


def _ignoring(put: Callable[[], Any]) -> None:
    code = outcomes([put])[0]
    assert code in {WON, "ImageAlreadyExistsException"}, code
