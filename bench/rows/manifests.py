"""Manifests by tag and by digest, GET and HEAD, by few and by many clients."""

from __future__ import annotations

from collections.abc import Iterator

from bench.client import Client
from bench.content import SmallImage, small_image
from bench.load import Outcome, repeated, run
from bench.measure import Bench, Target
from bench.peers import REGISTRIES, Peer
from bench.requests import manifest
from bench.setup import check_image, create_repository

_REPOSITORY = "bench/manifests"
_IMAGES = 20
_FLOORS = {1: 5.0, 32: 8.0, 256: 8.0}


def manifests(bench: Bench) -> None:
    """Twenty images in turn, so that no server answers from the last request alone."""
    images = [small_image() for _ in range(_IMAGES)]
    for peer in bench.peers.values():
        if peer.name in REGISTRIES:
            create_repository(peer, _REPOSITORY)
            with Client(peer) as client:
                for number, image in enumerate(images):
                    client.push_image(_REPOSITORY, image, f"v{number}")
            check_image(peer, _REPOSITORY, "v1", images[1])
    for method in ("GET", "HEAD"):
        for kind in ("tag", "digest"):
            for clients, floor in _FLOORS.items():
                bench.compare(
                    f"manifest-{method.lower()}-{kind}-{clients}",
                    f"manifest {method} by {kind}, {clients} client{'s' * (clients > 1)}",
                    "requests/s",
                    lambda peer, method=method, kind=kind, clients=clients: _work(bench, peer, images, method, kind, clients),  # type: ignore[misc]  # defaults bind the loop's values
                    (Target("throughput", floor), Target("p99", 0.5), Target("cpu", 0.15)),
                    peers=REGISTRIES,
                    cpu=("1,000 requests", 1000.0),
                )


def _work(bench: Bench, peer: Peer, images: list[SmallImage], method: str, kind: str, clients: int) -> tuple[float, Outcome]:
    references = [image.digest if kind == "digest" else f"v{number}" for number, image in enumerate(images)]
    requests = [manifest(peer, method, _REPOSITORY, reference) for reference in references]
    length = len(images[0].manifest) if method == "GET" else None  # all have the same
    scripts = (repeated(_from(requests, client), bench.seconds, 200, length) for client in range(clients))
    outcome = run(peer.port, scripts, clients)
    return outcome.requests, outcome


def _from(requests: list[bytes], start: int) -> Iterator[bytes]:
    position = start
    while True:
        yield requests[position % len(requests)]
        position += 1
