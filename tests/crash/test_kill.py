"""SIGKILL under load: what was acknowledged is there afterwards, byte for byte, whenever the axe falls."""

from __future__ import annotations

import http.client
import itertools
import random
import threading
import time
from collections.abc import Callable

import pytest

from moorage.testing import builders
from moorage.testing.builders import BuiltImage
from moorage.testing.registry_client import PushFailed, RegistryClient
from moorage.testing.server import MoorageServer

OCI = "application/vnd.oci.image.manifest.v1+json"
KILLS = 8
PUSHERS = 4
MIB = 1024 * 1024


def image_of(number: int) -> BuiltImage:
    """The image of a number: some small, some of several frames and segments."""
    size = random.Random(number).choice([100, 5_000, 300_000, 1_500_000])
    return builders.image(number, layers=2, layer_bytes=size)


class Pusher(threading.Thread):
    """Pushes image after image until it is told to stop; notes what was acknowledged and what was only tried."""

    def __init__(self, client: RegistryClient, numbers: itertools.count[int], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.images: list[BuiltImage] = []
        self.blobs: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.failure: Exception | None = None
        self._client, self._numbers, self._stop_asked = client, numbers, stop

    def run(self) -> None:
        try:
            while not self._stop_asked.is_set():
                self._push(next(self._numbers))
        except (OSError, http.client.HTTPException):
            pass  # the kill
        except Exception as error:
            self.failure = error
        finally:
            self._client.close()

    def _push(self, number: int) -> None:
        built = image_of(number)
        for digest, data in built.blobs.items():
            if number % 3:
                self._client.push_blob("app", data, digest)
            else:  # in chunks
                location = self._client.start_upload("app")
                half = len(data) // 2
                for start, part in ((0, data[:half]), (half, data[half:])):
                    answer = self._client.request("PATCH", location, part, {"Content-Range": f"{start}-{start + len(part) - 1}"})
                    if answer.status != 202:
                        raise PushFailed(f"{answer.status} {answer.body!r}")
                answer = self._client.request("PUT", f"{location}?digest={digest}", b"")
                if answer.status != 201:
                    raise PushFailed(f"{answer.status} {answer.body!r}")
            self.blobs[digest] = data
        tag = f"t{number}"
        answer = self._client.put_manifest("app", tag, built.manifest, OCI)
        if answer.status != 201:
            raise PushFailed(f"{answer.status} {answer.body!r}")
        self.images.append(built)
        self.tags[tag] = built.digest


def test_acknowledged_pushes_survive(own_server: MoorageServer) -> None:
    server = own_server
    server.client().create_repository(repositoryName="app")
    password = server.password()
    numbers = itertools.count()
    chance = random.Random()
    images: list[BuiltImage] = []
    blobs: dict[str, bytes] = {}
    tags: dict[str, str] = {}
    for _ in range(KILLS):
        stop = threading.Event()
        pushers = [Pusher(RegistryClient("127.0.0.1", server.port, password), numbers, stop) for _ in range(PUSHERS)]
        for pusher in pushers:
            pusher.start()
        # The moment of the kill is the chance of this test, not a wait for something.
        stop.wait(chance.uniform(0.2, 1.0))
        server.kill()
        stop.set()
        for pusher in pushers:
            pusher.join(30)
            assert not pusher.is_alive()
            assert pusher.failure is None, pusher.failure
            images += pusher.images
            blobs |= pusher.blobs
            tags |= pusher.tags
        server.start()
        with RegistryClient("127.0.0.1", server.port, password) as client:
            # All of this round's, and everything at the end.
            for pusher in pushers:
                for built in pusher.images:
                    client.require_image("app", built)
    assert len(images) > KILLS, "hardly anything was pushed between the kills"
    with RegistryClient("127.0.0.1", server.port, password) as client:
        for built in images:
            client.require_image("app", built)
        for digest, data in blobs.items():
            assert client.get(f"/v2/app/blobs/{digest}").body == data
        for tag, digest in tags.items():
            assert client.head(f"/v2/app/manifests/{tag}").header("Docker-Content-Digest") == digest
        listed = client.get("/v2/app/tags/list?n=1000").json()["tags"]
        assert set(tags) <= set(listed)
        # A tag that was not acknowledged may be there, but then all of its image is.
        for tag in set(listed) - set(tags):
            client.require_image("app", image_of(int(tag[1:])), tag)
    assert server.run("fsck").returncode == 0


@pytest.mark.parametrize("finish_by", ["PATCH", "PUT"])
def test_an_upload_goes_on_after_a_kill(own_server: MoorageServer, finish_by: str) -> None:
    server = own_server
    server.client().create_repository(repositoryName="app")
    content = random.Random(5).randbytes(9 * MIB)
    digest = builders.digest(content)
    with server.registry() as client:
        location = client.start_upload("app")
        assert client.request("PATCH", location, content[: 2 * MIB]).status == 202
        assert client.request("PATCH", location, content[2 * MIB : 5 * MIB]).status == 202
        server.kill()
        server.start()
        client.close()
        # What was acknowledged is there.
        assert client.get(location).header("Range") == f"0-{5 * MIB - 1}"
        rest = {"Content-Range": f"{5 * MIB}-{len(content) - 1}"}
        if finish_by == "PATCH":
            assert client.request("PATCH", location, content[5 * MIB :], rest).status == 202
            assert client.request("PUT", f"{location}?digest={digest}", b"").status == 201
        else:
            assert client.request("PUT", f"{location}?digest={digest}", content[5 * MIB :], rest).status == 201
        assert client.get(f"/v2/app/blobs/{digest}").body == content


def test_kill_in_the_middle_of_a_chunk(own_server: MoorageServer) -> None:
    """The chunk that was cut is not acknowledged; the upload can be continued where the server says."""
    server = own_server
    server.client().create_repository(repositoryName="app")
    content = random.Random(6).randbytes(8 * MIB)
    digest = builders.digest(content)
    with server.registry() as client:
        location = client.start_upload("app")
        assert client.request("PATCH", location, content[:MIB]).status == 202
        sending = threading.Event()

        def pieces() -> itertools.chain[bytes]:
            def slow() -> itertools.repeat[bytes]:
                sending.set()
                return itertools.repeat(content[MIB : MIB + 65_536], 10_000)

            return itertools.chain(iter([content[MIB : 3 * MIB]]), slow())

        with client.other(client.password) as writer:

            def write() -> None:
                try:
                    writer.request("PATCH", location, pieces())
                except (OSError, http.client.HTTPException):
                    return

            thread = threading.Thread(target=write, daemon=True)
            thread.start()
            assert sending.wait(30)
            server.kill()
            thread.join(30)
            assert not thread.is_alive()
        server.start()
        client.close()
        received = int(client.get(location).header("Range").partition("-")[2]) + 1
        assert received == MIB
        deadline = time.monotonic() + 60
        # The dead request's hold on the upload ends by itself.
        while (answer := client.request("PATCH", location, content[received:])).status != 202:
            assert answer.status == 416
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert client.request("PUT", f"{location}?digest={digest}", b"").status == 201
        assert client.get(f"/v2/app/blobs/{digest}").body == content


def test_acknowledged_deletes_survive(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server()
    server.client().create_repository(repositoryName="app")
    images = [builders.image(seed, layers=1) for seed in range(6)]
    with server.registry() as client:
        for built in images:
            client.push_image("app", built, f"t{built.digest[-6:]}")
        for built in images[:3]:
            assert client.delete(f"/v2/app/manifests/{built.digest}").status == 202
        server.kill()
        server.start()
        client.close()
        for built in images[:3]:
            assert client.get(f"/v2/app/manifests/{built.digest}").code == "MANIFEST_UNKNOWN"
        for built in images[3:]:
            client.require_image("app", built)


def test_sigterm_lets_requests_finish(own_server: MoorageServer) -> None:
    """A request that is under way when the server is told to end is answered."""
    server = own_server
    server.client().create_repository(repositoryName="app")
    content = random.Random(7).randbytes(4 * MIB)
    with server.registry() as client:
        location = client.start_upload("app")
        half, go_on = threading.Event(), threading.Event()

        def pieces() -> itertools.chain[bytes]:
            def second() -> itertools.chain[bytes]:
                half.set()
                go_on.wait(30)
                return itertools.chain([content[2 * MIB :]])

            return itertools.chain([content[: 2 * MIB]], (part for make in (second,) for part in make()))

        statuses: list[int] = []
        thread = threading.Thread(target=lambda: statuses.append(client.request("PATCH", location, pieces()).status), daemon=True)
        thread.start()
        assert half.wait(30)
        ending = threading.Thread(target=server.terminate, daemon=True)
        ending.start()
        go_on.set()
        thread.join(60)
        ending.join(60)
        assert statuses == [202]
        server.start()
        client.close()
        assert client.get(location).header("Range") == f"0-{len(content) - 1}"
