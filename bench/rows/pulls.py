"""Pulls of large blobs, of one blob again and again, and of ranges."""

from __future__ import annotations

import random
from collections.abc import Iterator

from bench.client import Client, WrongAnswer
from bench.content import MIB, Blob, BlobMaker
from bench.load import Outcome, Script, once, repeated, run
from bench.measure import Bench, Target
from bench.peers import REGISTRIES, Peer
from bench.requests import get_blob, get_range
from bench.setup import check_blob, create_repository

_REPOSITORY = "bench/pulls"
_PER_GIB = ("GiB", 1024.0)
_RANGE_BYTES = 128 * 1024
_RANGES = 4096


def pulls(bench: Bench) -> None:
    """Different blobs by 1 and 8 clients, a hot blob by 8, ranges of 128 KiB by 8."""
    size = int(bench.pick(256, 64)) * MIB
    maker = BlobMaker(size)
    blobs = [maker.make() for _ in range(8)]
    for peer in bench.peers.values():
        if peer.name in REGISTRIES:
            _prepare(peer, blobs)
    mib = size // MIB

    def different(peer: Peer, clients: int) -> tuple[float, Outcome]:
        scripts = (once(get_blob(peer, _REPOSITORY, blob.digest), 200, size) for blob in blobs)
        return _moved(run(peer.port, scripts, clients, drop_bodies=True))

    def hot(peer: Peer) -> tuple[float, Outcome]:
        scripts = (once(get_blob(peer, _REPOSITORY, blobs[0].digest), 200, size) for _ in range(16))
        return _moved(run(peer.port, scripts, 8, drop_bodies=True))

    def ranges(peer: Peer) -> tuple[float, Outcome]:
        scripts = _range_scripts(peer, blobs[0], bench.seconds)
        outcome = run(peer.port, scripts, 8, drop_bodies=True)
        return outcome.requests, outcome

    for clients, targets in (
        (1, (Target("throughput", 0.9), Target("cpu", 1.1))),
        (8, (Target("throughput", 1.25), Target("cpu", 0.95))),
    ):
        bench.compare(
            f"pull-{clients}",
            f"pull of different {mib} MiB blobs, {clients} client{'s' * (clients > 1)}",
            "MiB/s",
            lambda peer, clients=clients: different(peer, clients),  # type: ignore[misc]  # a default binds the loop's value
            targets,
            peers=REGISTRIES,
            cpu=_PER_GIB,
        )
    bench.compare(
        "pull-hot",
        f"pull of the same {mib} MiB blob, 8 clients",
        "MiB/s",
        hot,
        (Target("throughput", 1.7), Target("cpu", 0.5)),
        peers=REGISTRIES,
        cpu=_PER_GIB,
    )
    bench.compare(
        "ranges",
        "ranges of 128 KiB, 8 clients",
        "requests/s",
        ranges,
        (Target("throughput", 4.0), Target("p99", 0.5)),
        peers=REGISTRIES,
        cpu=("1,000 requests", 1000.0),
    )


def _prepare(peer: Peer, blobs: list[Blob]) -> None:
    create_repository(peer, _REPOSITORY)
    with Client(peer) as client:
        for blob in blobs:
            client.push_whole(_REPOSITORY, blob)
    check_blob(peer, _REPOSITORY, blobs[0])
    blob, first = blobs[0], MIB - 1000
    headers = {"Range": f"bytes={first}-{first + _RANGE_BYTES - 1}"}
    with Client(peer) as client:
        answer = client.request("GET", f"/v2/{_REPOSITORY}/blobs/{blob.digest}", (206,), headers=headers)
    if answer.body != b"".join(blob.parts(first, first + _RANGE_BYTES)):
        raise WrongAnswer(f"{peer.name}: a range has other bytes")
    warming = (once(get_blob(peer, _REPOSITORY, other.digest), 200, other.size) for other in blobs)
    run(peer.port, warming, 8, drop_bodies=True)


def _moved(outcome: Outcome) -> tuple[float, Outcome]:
    return outcome.bytes / MIB, outcome


def _range_scripts(peer: Peer, blob: Blob, seconds: float) -> Iterator[Script]:
    for seed in range(8):
        yield repeated(_random_ranges(peer, blob, seed), seconds, 206, _RANGE_BYTES)


def _random_ranges(peer: Peer, blob: Blob, seed: int) -> Iterator[bytes]:
    source = random.Random(seed)
    made = []
    for _ in range(_RANGES // 8):
        first = source.randrange(blob.size - _RANGE_BYTES)
        made.append(get_range(peer, _REPOSITORY, blob.digest, first, first + _RANGE_BYTES - 1))
    return _endless(made)


def _endless(requests: list[bytes]) -> Iterator[bytes]:
    while True:
        yield from requests
