"""A repository of 100,000 images beside one of 100, on the same server: nothing may depend on how many there are."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from statistics import median

from bench import aws
from bench.client import Client, WrongAnswer
from bench.content import MANIFEST_TYPE
from bench.load import Outcome, repeated, run
from bench.measure import Bench, percentile
from bench.peers import ROOT, Moorage
from bench.requests import manifest, request
from bench.seeding import FEW, FEW_IMAGES, MANY

_BOUND = 1.2
_PAGE = 100

Load = Callable[[str, int], Outcome]
"""Does something to a repository of so many images."""


def many_images(bench: Bench) -> None:
    """Start-up, idle memory, look-ups, pushes of tags and pages of tags."""
    count = int(bench.pick(100_000, 10_000))
    peer = Moorage(bench.folder / "many")
    environment = {**peer.environment(), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    subprocess.run([sys.executable, "-m", "bench.seeding", str(peer.folder), str(count)], env=environment, check=True)
    empty = Moorage(bench.folder / "empty")
    ready: dict[str, list[float]] = {peer.folder.name: [], empty.folder.name: []}
    for _ in range(3):
        for server in (peer, empty):
            server.start()
            ready[server.folder.name].append(server.ready_seconds)
            server.stop()
    remark = f"an empty one: {median(ready[empty.folder.name]):.2f} s"
    bench.fact("ready", f"ready with {count:,} images", median(ready[peer.folder.name]), "s", 1.5, remark=remark)
    peer.start()
    try:
        bench.fact("rss-idle-many", f"idle memory with {count:,} images", peer.process.rss_mib(), "MiB", 110.0)
        _compare_sizes(bench, peer, count)
        _tag_pages(bench, peer, count)
    finally:
        peer.stop()
        shutil.rmtree(peer.folder, ignore_errors=True)


def _compare_sizes(bench: Bench, peer: Moorage, count: int) -> None:
    digests = {FEW: _digests(peer, FEW, FEW_IMAGES), MANY: _digests(peer, MANY, count)}
    bodies = {name: _manifests(peer, name, digests[name][:FEW_IMAGES]) for name in digests}
    fresh = itertools.count()

    def one(requests: Iterator[bytes], status: int) -> Outcome:
        return run(peer.port, iter([repeated(requests, bench.seconds, status, None)]), 1)

    def get_same(name: str, _: int) -> Outcome:
        return one(itertools.repeat(manifest(peer, "GET", name, "tag-000050")), 200)

    def get_any(name: str, size: int) -> Outcome:
        numbers = random.Random(1).choices(range(size), k=20_000)
        return one((manifest(peer, "GET", name, f"tag-{number:06d}") for number in numbers), 200)

    def push_tag(name: str, _: int) -> Outcome:
        def puts() -> Iterator[bytes]:
            for number in fresh:
                body = bodies[name][number % FEW_IMAGES]
                yield request(peer, "PUT", f"/v2/{name}/manifests/new-{number}", body, Content_Type=MANIFEST_TYPE)

        return one(puts(), 201)

    def describe(name: str, _: int) -> Outcome:
        parameters = {"repositoryName": name, "imageIds": [{"imageDigest": digests[name][17]}]}
        return one(itertools.repeat(aws.signed_request(peer.host, "DescribeImages", parameters)), 200)

    for key, title, load in (
        ("many-get", "manifest GET by tag", get_same),
        ("many-get-spread", "manifest GET by tag, a different image each time", get_any),
        ("many-tag", "push of a tag", push_tag),
        ("many-describe", "DescribeImages by digest", describe),
    ):
        _ratio(bench, key, f"{title}, among {count:,} images against among {FEW_IMAGES}", load, count)


def _ratio(bench: Bench, key: str, title: str, load: Load, count: int) -> None:
    """Latencies of both repositories in turns; the figure is the median of the rounds' ratios of their p50."""
    ratios, few, many = [], [], []
    load(FEW, FEW_IMAGES)
    for number in range(max(3, bench.rounds)):
        order = [(FEW, FEW_IMAGES), (MANY, count)]
        found = {
            name: percentile(load(name, size).latencies, 0.5) * 1000 for name, size in (order if number % 2 else order[::-1])
        }
        few.append(found[FEW])
        many.append(found[MANY])
        ratios.append(found[MANY] / found[FEW])
    bench.fact(key, title, median(ratios), "x", _BOUND, remark=f"p50 {median(many):.3f} ms against {median(few):.3f} ms")


def _tag_pages(bench: Bench, peer: Moorage, count: int) -> None:
    last = f"tag-{count - _PAGE - 1:06d}"  # tags pushed above sort before these
    pages = {"first": f"/v2/{MANY}/tags/list?n={_PAGE}", "last": f"/v2/{MANY}/tags/list?n={_PAGE}&last={last}"}
    with Client(peer) as client:
        for path in pages.values():
            found = json.loads(client.request("GET", path, (200,)).body)["tags"]
            if len(found) != _PAGE:
                raise WrongAnswer(f"{path}: {len(found)} tags")
    ratios, shown = [], {"first": 0.0, "last": 0.0}
    for number in range(max(3, bench.rounds)):
        for page in ("first", "last") if number % 2 else ("last", "first"):
            asked = itertools.repeat(request(peer, "GET", pages[page]))
            outcome = run(peer.port, iter([repeated(asked, bench.seconds, 200, None)]), 1)
            shown[page] = percentile(outcome.latencies, 0.5) * 1000
        ratios.append(shown["last"] / shown["first"])
    remark = f"p50 {shown['last']:.3f} ms against {shown['first']:.3f} ms"
    bench.fact(
        "tag-pages", f"last page of {_PAGE} tags among {count:,} against the first", median(ratios), "x", _BOUND, remark=remark
    )


def _digests(peer: Moorage, name: str, count: int) -> list[str]:
    """The digests of the images with the first tags and, for a look at the far end, with the last."""
    numbers = [*range(min(count, FEW_IMAGES)), count - 1]
    wanted = [{"imageTag": f"tag-{number:06d}"} for number in numbers]
    found: list[str] = []
    for begin in range(0, len(wanted), 100):
        details = aws.call(peer.port, "DescribeImages", {"repositoryName": name, "imageIds": wanted[begin : begin + 100]})
        by_tag = {tag: detail["imageDigest"] for detail in details["imageDetails"] for tag in detail["imageTags"]}
        found.extend(by_tag[entry["imageTag"]] for entry in wanted[begin : begin + 100])
    return found


def _manifests(peer: Moorage, name: str, digests: list[str]) -> list[bytes]:
    with Client(peer) as client:
        return [client.request("GET", f"/v2/{name}/manifests/{digest}", (200,)).body for digest in digests]
