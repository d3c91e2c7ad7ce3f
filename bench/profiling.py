"""Where Moorage's CPU goes under a load of small requests: ``python -m bench.profiling [manifest|small|batch|push|pull]``.

py-spy (in ``.venv/bench``) watches the server; printed are the functions by their own share and by their share with all they
call. Shares are of the samples in which a thread was running.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import aws
from bench.client import Client
from bench.content import MIB, BlobMaker, small_image
from bench.load import Script, once, repeated, run
from bench.peers import ROOT, Moorage
from bench.requests import get_blob, manifest
from bench.rows.small_images import push
from bench.setup import create_repository

_REPOSITORY = "bench/profile"
_SECONDS = 8.0
_SHOWN = 32
# Threads that wait for work in a SimpleQueue, which py-spy takes for running.
_IDLE = ("_worker (", "_Writer._run (")
_FRAMEWORK = (
    "_run_module",
    "_run_code",
    "<module>",
    "Command.",
    "Group.",
    "Context.",
    "with_settings",
    "serve (",
    "run (uvloop",
    "Thread.",
)


def _manifest(peer: Moorage) -> None:
    image = small_image()
    with Client(peer) as client:
        client.push_image(_REPOSITORY, image, "v1")
    asked = manifest(peer, "GET", _REPOSITORY, "v1")
    run(peer.port, (repeated(itertools.repeat(asked), _SECONDS, 200, None) for _ in range(32)), 32)


def _small(peer: Moorage) -> None:
    until = time.monotonic() + _SECONDS

    def scripts() -> Iterator[Script]:
        number = 0
        while time.monotonic() < until:
            number += 1
            yield push(peer, _REPOSITORY, small_image(), f"i{number}")

    run(peer.port, scripts(), 4)


def _batch(peer: Moorage) -> None:
    with Client(peer) as client:
        client.push_image(_REPOSITORY, small_image(), "v1")
    signed = aws.signed_request(peer.host, "BatchGetImage", {"repositoryName": _REPOSITORY, "imageIds": [{"imageTag": "v1"}]})
    run(peer.port, (repeated(itertools.repeat(signed), _SECONDS, 200, None) for _ in range(32)), 32)


def _push(peer: Moorage) -> None:
    maker, until = BlobMaker(256 * MIB), time.monotonic() + _SECONDS
    with Client(peer) as client:
        while time.monotonic() < until:
            client.push_whole(_REPOSITORY, maker.make())


def _pull(peer: Moorage) -> None:
    blob = BlobMaker(256 * MIB).make()
    with Client(peer) as client:
        client.push_whole(_REPOSITORY, blob)
    until = time.monotonic() + _SECONDS

    def scripts() -> Iterator[Script]:
        while time.monotonic() < until:
            yield once(get_blob(peer, _REPOSITORY, blob.digest), 200, blob.size)

    run(peer.port, scripts(), 8, drop_bodies=True)


_LOADS: dict[str, Callable[[Moorage], None]] = {
    "manifest": _manifest,
    "small": _small,
    "batch": _batch,
    "push": _push,
    "pull": _pull,
}


def main(name: str) -> None:
    """Profile one load."""
    folder = Path(tempfile.mkdtemp(prefix="moorage-profile-"))
    peer = Moorage(folder / "data")
    try:
        peer.start()
        create_repository(peer, _REPOSITORY)
        stacks = folder / "stacks.txt"
        command = [str(ROOT / ".venv/bench/bin/py-spy"), "record", "-p", str(peer.process.pid), "-d", str(int(_SECONDS - 2))]
        load = threading.Thread(target=_LOADS[name], args=(peer,))
        load.start()
        time.sleep(1)
        subprocess.run([*command, "-r", "400", "-f", "raw", "-F", "-o", str(stacks)], check=True, capture_output=True)
        load.join()
        print_shares(stacks.read_text())
    finally:
        peer.stop()
        shutil.rmtree(folder, ignore_errors=True)


def print_shares(stacks: str) -> None:
    """Print the functions with the largest shares of collapsed stacks."""
    own: Counter[str] = Counter()
    inclusive: Counter[str] = Counter()
    total = 0
    for line in stacks.splitlines():
        frames, _, text = line.rpartition(" ")
        count, names = int(text), frames.split(";")
        if names[-1].startswith(_IDLE):
            continue
        total += count
        own[names[-1]] += count
        inclusive.update({name: count for name in names if not name.startswith(_FRAMEWORK)})
    for title, counter in (("own", own), ("with callees", inclusive)):
        print(f"--- {title} ({total} samples)")
        for frame, count in counter.most_common(_SHOWN):
            print(f"{100 * count / total:5.1f} %  {frame}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "manifest")
