"""Memory: idle, and at the peak of 16 transfers at once in both directions."""

from __future__ import annotations

import shutil
import time

from bench.client import Client
from bench.content import MIB, BlobMaker
from bench.load import once, run
from bench.measure import Bench
from bench.peers import KINDS, MOORAGE, REGISTRIES, REGISTRY_2
from bench.requests import get_blob
from bench.rows.pushes import push_at_once
from bench.setup import create_repository

_REPOSITORY = "bench/memory"
_TRANSFERS = 16


def memory(bench: Bench) -> None:
    """Servers of their own, so that no earlier row weighs in."""
    size = int(bench.pick(1024, 128)) * MIB
    idle: dict[str, float] = {}
    peak: dict[str, tuple[float, float]] = {}
    for name in (name for name in REGISTRIES if name in bench.peers):
        peer = KINDS[name](bench.folder / f"memory-{name.split()[0]}")
        peer.start()
        try:
            with Client(peer) as client:
                client.request("GET", "/v2/", (200,))
            time.sleep(2)
            idle[name] = peer.process.rss_mib()
            if name in {MOORAGE, REGISTRY_2}:
                create_repository(peer, _REPOSITORY)
                maker = BlobMaker(size)
                blobs = [maker.make() for _ in range(_TRANSFERS)]
                peer.process.reset_peak()
                push_at_once(peer, _REPOSITORY, Client.push_stream, blobs)
                pushing = peer.process.peak_rss_mib()
                peer.process.reset_peak()
                scripts = (once(get_blob(peer, _REPOSITORY, blob.digest), 200, size) for blob in blobs)
                run(peer.port, scripts, _TRANSFERS, drop_bodies=True)
                peak[name] = pushing, peer.process.peak_rss_mib()
        finally:
            peer.stop()
            shutil.rmtree(peer.folder, ignore_errors=True)
    bench.fact("rss-idle", "idle memory", idle.pop(MOORAGE), "MiB", 110.0, idle)
    for position, direction in enumerate(("pushes", "pulls")):
        title = f"peak memory, {_TRANSFERS} {direction} of {size // MIB} MiB at once"
        theirs = {name: both[position] for name, both in peak.items() if name != MOORAGE}
        bench.fact(f"rss-{direction}", title, peak[MOORAGE][position], "MiB", 200.0, theirs)
