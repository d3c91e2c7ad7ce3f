"""Pushes of large blobs: monolithic, in chunks, as one stream."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from bench.client import Client, WrongAnswer
from bench.content import MIB, Blob, BlobMaker
from bench.load import Outcome
from bench.measure import Bench, Target
from bench.peers import REGISTRIES, REGISTRY_2, REGISTRY_3, Peer
from bench.setup import check_blob, create_repository

_REPOSITORY = "bench/pushes"
_TARGETS = (Target("throughput", 1.8, REGISTRY_2), Target("throughput", 1.0, REGISTRY_3), Target("cpu", 0.6, REGISTRY_2))
_WAYS: dict[str, Callable[[Client, str, Blob], None]] = {
    "monolithic": Client.push_whole,
    "chunks of 16 MiB": Client.push_chunks,
    "one streamed PATCH": Client.push_stream,
}


def pushes(bench: Bench) -> None:
    """Each way by 1 client, the monolithic one also by 4."""
    size = int(bench.pick(256, 64)) * MIB
    maker = BlobMaker(size)
    for peer in bench.peers.values():
        if peer.name in REGISTRIES:
            create_repository(peer, _REPOSITORY)
            for way in _WAYS.values():
                _check_way(peer, way, BlobMaker(33 * MIB + 7).make())
    for way_name, clients in (("monolithic", 1), ("monolithic", 4), ("chunks of 16 MiB", 1), ("one streamed PATCH", 1)):
        bench.compare(
            f"push-{way_name.split()[0]}-{clients}",
            f"push of {size // MIB} MiB blobs, {way_name}, {clients} client{'s' * (clients > 1)}",
            "MiB/s",
            lambda peer, way=_WAYS[way_name], clients=clients: _push(peer, way, [maker.make() for _ in range(clients)]),  # type: ignore[misc]  # defaults bind the loop's values
            _TARGETS,
            peers=REGISTRIES,
            cpu=("GiB", 1024.0),
        )


def _check_way(peer: Peer, way: Callable[[Client, str, Blob], None], blob: Blob) -> None:
    with Client(peer) as client:
        way(client, _REPOSITORY, blob)
    check_blob(peer, _REPOSITORY, blob)


def _push(peer: Peer, way: Callable[[Client, str, Blob], None], blobs: list[Blob]) -> tuple[float, Outcome]:
    os.sync()  # what earlier pushes left to be written is not this one's burden
    return push_at_once(peer, _REPOSITORY, way, blobs)


def push_at_once(
    peer: Peer, repository: str, way: Callable[[Client, str, Blob], None], blobs: list[Blob]
) -> tuple[float, Outcome]:
    """Push every blob by a client of its own, all at the same time; the amount is in MiB. Raises WrongAnswer."""
    faults: list[Exception] = []
    outcome = Outcome()

    def work(blob: Blob) -> None:
        began = time.perf_counter()
        try:
            with Client(peer) as client:
                way(client, repository, blob)
        except Exception as error:  # carried to the thread that waits
            faults.append(error)
        outcome.latencies.append(time.perf_counter() - began)

    threads = [threading.Thread(target=work, args=(blob,)) for blob in blobs]
    cpu, started = time.process_time(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.seconds, outcome.client_cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    if faults:
        raise faults[0]
    with Client(peer) as client:
        for blob in blobs:
            answer = client.request("HEAD", f"/v2/{repository}/blobs/{blob.digest}", (200,))
            if answer.headers["Content-Length"] != str(blob.size):
                raise WrongAnswer(f"{peer.name}: {blob.digest} has {answer.headers['Content-Length']} bytes")
    return sum(blob.size for blob in blobs) / MIB, outcome
