"""Pulls by a crowd: many users with many policies each, every request by another one.

Moorage runs on an installation of its own (`bench.crowd`): 1,000 users with 10 policies each, 5,000 repositories with policies.
The other registries know no users, and serve the same manifests to whoever asks.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from bench.client import Client
from bench.content import small_image
from bench.crowd import FILE
from bench.load import Outcome, each_once, repeated, run
from bench.measure import Bench, Target
from bench.peers import MOORAGE, REGISTRIES, ROOT, Moorage, Peer
from bench.requests import manifest
from bench.setup import create_repository

_REPOSITORY = "bench/access"
_CLIENTS = 32
_IMAGES = 20


def access(bench: Bench) -> None:
    """Manifest by tag, each request by another user from another repository."""
    crowd = Moorage(bench.folder / "crowd")
    plain = bench.peers.pop(MOORAGE, None)
    requests: dict[str, list[bytes]] = {}
    try:
        users = int(bench.pick(1000, 200))
        environment = {**crowd.environment(), "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
        subprocess.run([sys.executable, "-m", "bench.crowd", str(crowd.folder), str(users)], env=environment, check=True)
        crowd.start()
        requests[MOORAGE] = list(_pulls_of(crowd))
        for peer in bench.peers.values():
            if peer.name in REGISTRIES:
                requests[peer.name] = _plain_pulls(peer)
        bench.peers = {MOORAGE: crowd, **bench.peers}
        for name, each in requests.items():  # policies are read and compiled at the first request; those that follow are measured
            run(bench.peers[name].port, iter([each_once(each, 200)]), 1)
        bench.compare(
            "access-get-32",
            f"manifest GET by tag, {users:,} users with 10 policies each, {users * 5:,} repositories with policies, 32 clients",
            "requests/s",
            lambda peer: _work(bench, peer, requests[peer.name]),
            (Target("throughput", 8.0), Target("p99", 0.5)),
            peers=REGISTRIES,
            cpu=("1,000 requests", 1000.0),
        )
    finally:
        crowd.stop()
        bench.peers.pop(MOORAGE, None)
        if plain is not None:
            bench.peers = {MOORAGE: plain, **bench.peers}
        shutil.rmtree(crowd.folder, ignore_errors=True)


def _pulls_of(crowd: Moorage) -> Iterator[bytes]:
    """One request for each user and repository; neighbours are of different users."""
    people: list[tuple[str, list[str]]] = json.loads((crowd.folder / FILE).read_text())
    for index in range(len(people[0][1])):
        for token, names in people:
            crowd.authorization = "Basic " + base64.b64encode(f"AWS:{token}".encode()).decode()
            yield manifest(crowd, "GET", names[index], "v1")


def _plain_pulls(peer: Peer) -> list[bytes]:
    create_repository(peer, _REPOSITORY)
    with Client(peer) as client:
        for number in range(_IMAGES):
            client.push_image(_REPOSITORY, small_image(), f"v{number}")
    return [manifest(peer, "GET", _REPOSITORY, f"v{number}") for number in range(_IMAGES)]


def _work(bench: Bench, peer: Peer, requests: list[bytes]) -> tuple[float, Outcome]:
    stride = max(1, len(requests) // _CLIENTS)
    scripts = (repeated(_from(requests, client * stride), bench.seconds, 200, None) for client in range(_CLIENTS))
    outcome = run(peer.port, scripts, _CLIENTS)
    return outcome.requests, outcome


def _from(requests: list[bytes], start: int) -> Iterator[bytes]:
    position = start
    while True:
        yield requests[position % len(requests)]
        position += 1
