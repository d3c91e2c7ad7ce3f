"""Many small images pushed as docker pushes: HEAD, POST and PUT for each blob, then the manifest with its tag."""

from __future__ import annotations

from bench.client import path_of
from bench.content import MANIFEST_TYPE, SmallImage, small_image
from bench.load import Outcome, Reply, Script, check, run
from bench.measure import Bench, Target
from bench.peers import REGISTRIES, Peer
from bench.requests import request
from bench.setup import check_image, create_repository

_REPOSITORY = "bench/small"


def small_images(bench: Bench) -> None:
    """200 images of 3 layers by 1 and by 4 clients."""
    count = int(bench.pick(200, 50))
    for peer in bench.peers.values():
        if peer.name in REGISTRIES:
            create_repository(peer, _REPOSITORY)
            image = small_image()
            run(peer.port, iter([push(peer, _REPOSITORY, image, "check")]), 1)
            check_image(peer, _REPOSITORY, "check", image)
    for clients in (1, 4):
        bench.compare(
            f"small-images-{clients}",
            f"push of {count} small images of 3 layers, {clients} client{'s' * (clients > 1)}",
            "images/s",
            lambda peer, clients=clients: _work(peer, count, clients),  # type: ignore[misc]  # a default binds the loop's value
            (Target("throughput", 3.0), Target("cpu", 0.3)),
            peers=REGISTRIES,
            cpu=("100 images", 100.0),
            rounds=min(bench.rounds, 3),
        )


def _work(peer: Peer, count: int, clients: int) -> tuple[float, Outcome]:
    images = [small_image() for _ in range(count)]
    scripts = (push(peer, _REPOSITORY, image, f"i{number}") for number, image in enumerate(images))
    outcome = run(peer.port, scripts, clients)
    check_image(peer, _REPOSITORY, f"i{count - 1}", images[-1])
    return count, outcome


def push(peer: Peer, repository: str, image: SmallImage, tag: str) -> Script:
    """The requests of one image's push."""
    for digest, data in image.blobs:
        head = request(peer, "HEAD", f"/v2/{repository}/blobs/{digest}")
        check(head, (yield head), 404)
        post = request(peer, "POST", f"/v2/{repository}/blobs/uploads/", b"")
        reply = yield post
        check(post, reply, 202)
        place = _location(reply)
        joined = f"{place}{'&' if '?' in place else '?'}digest={digest}"
        put = request(peer, "PUT", joined, data, Content_Type="application/octet-stream")
        check(put, (yield put), 201)
    put = request(peer, "PUT", f"/v2/{repository}/manifests/{tag}", image.manifest, Content_Type=MANIFEST_TYPE)
    check(put, (yield put), 201)


def _location(reply: Reply) -> str:
    for line in reply.head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"location":
            return path_of(value.strip().decode())
    return ""
