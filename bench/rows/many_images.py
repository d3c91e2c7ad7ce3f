"""A server with 100,000 images beside one with 100: nothing may depend on how many there are.

Two servers rather than two repositories of one: what grows with the whole database must show as well.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from bench import aws
from bench.client import Client, WrongAnswer
from bench.content import MANIFEST_TYPE
from bench.load import Outcome, repeated, run
from bench.measure import Bench, percentile
from bench.peers import ROOT, Moorage
from bench.requests import manifest, request
from bench.seeding import SEEDED

_BOUND = 1.2
_PAGE_BOUND = 2.0
_PAGE = 100
_FEW = 100

Load = Callable[[Moorage, int], Outcome]
"""Does something to a server that holds so many images."""


def many_images(bench: Bench) -> None:
    """Start-up, idle memory, look-ups, pushes of tags and pages of tags."""
    count = int(bench.pick(100_000, 10_000))
    few, many = Moorage(bench.folder / "few"), Moorage(bench.folder / "many")
    try:
        _seed(few, _FEW)
        _seed(many, count)
        _start_ups(bench, few, many, count)
        few.start()
        many.start()
        bench.fact("rss-idle-many", f"idle memory with {count:,} images", many.process.rss_mib(), "MiB", 110.0)
        _compare_sizes(bench, few, many, count)
        _tag_pages(bench, many, count)
    finally:
        for peer in (few, many):
            peer.stop()
            shutil.rmtree(peer.folder, ignore_errors=True)


def _seed(peer: Moorage, count: int) -> None:
    environment = {**peer.environment(), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    subprocess.run([sys.executable, "-m", "bench.seeding", str(peer.folder), str(count)], env=environment, check=True)


def _start_ups(bench: Bench, few: Moorage, many: Moorage, count: int) -> None:
    seconds: dict[str, list[float]] = {few.folder.name: [], many.folder.name: []}
    for _ in range(3):
        for peer in (few, many):
            peer.start()
            seconds[peer.folder.name].append(peer.ready_seconds)
            peer.stop()
    remark = f"with {_FEW} images {median(seconds[few.folder.name]):.2f} s"
    bench.fact("ready", f"ready with {count:,} images", median(seconds[many.folder.name]), "s", 1.5, remark=remark)


def _compare_sizes(bench: Bench, few: Moorage, many: Moorage, count: int) -> None:
    digests = {peer.port: _digests(peer) for peer in (few, many)}
    bodies = {peer.port: _manifests(peer, digests[peer.port]) for peer in (few, many)}
    fresh = itertools.count()

    def one(peer: Moorage, requests: Iterator[bytes], status: int) -> Outcome:
        return run(peer.port, iter([repeated(requests, bench.seconds, status, None)]), 1)

    def get_same(peer: Moorage, _: int) -> Outcome:
        return one(peer, itertools.repeat(manifest(peer, "GET", SEEDED, "tag-000050")), 200)

    def get_any(peer: Moorage, size: int) -> Outcome:
        numbers = random.Random(1).sample(range(size), _FEW)  # as many of either: what a server remembers is no matter of size
        return one(peer, itertools.cycle([manifest(peer, "GET", SEEDED, f"tag-{number:06d}") for number in numbers]), 200)

    def push_tag(peer: Moorage, _: int) -> Outcome:
        def puts() -> Iterator[bytes]:
            for number in fresh:
                body = bodies[peer.port][number % _FEW]
                yield request(peer, "PUT", f"/v2/{SEEDED}/manifests/new-{number}", body, Content_Type=MANIFEST_TYPE)

        return one(peer, puts(), 201)

    def call(operation: str, parameters: Callable[[Moorage], dict[str, Any]]) -> Load:
        def load(peer: Moorage, _: int) -> Outcome:
            signed = aws.signed_request(peer.host, operation, {"repositoryName": SEEDED, **parameters(peer)})
            return one(peer, itertools.repeat(signed), 200)

        return load

    # Before tags are pushed: the images of both first pages are then alike.
    for operation, what, parameters in (
        ("DescribeImages", f"first page of {_PAGE} of DescribeImages", lambda _: {"maxResults": _PAGE}),
        ("ListImages", f"first page of {_PAGE} of ListImages", lambda _: {"maxResults": _PAGE}),
        (
            "BatchGetImage",
            f"BatchGetImage of {_PAGE}",
            lambda peer: {"imageIds": [{"imageDigest": d} for d in digests[peer.port]]},
        ),
    ):
        _require_page(few, many, operation, parameters)
        title = f"{what}, among {count:,} images against among {_FEW}"
        _ratio(bench, f"many-page-{operation}", title, call(operation, parameters), few, many, count, _PAGE_BOUND)
    describe = call("DescribeImages", lambda peer: {"imageIds": [{"imageDigest": digests[peer.port][17]}]})
    for key, title, load in (
        ("many-get", "manifest GET by tag", get_same),
        ("many-get-spread", f"manifest GET by tag of {_FEW} images in turn", get_any),
        ("many-tag", "push of a tag", push_tag),
        ("many-describe", "DescribeImages by digest", describe),
    ):
        _ratio(bench, key, f"{title}, among {count:,} images against among {_FEW}", load, few, many, count)


def _require_page(few: Moorage, many: Moorage, operation: str, parameters: Callable[[Moorage], dict[str, Any]]) -> None:
    """Raise WrongAnswer unless both servers give as many items."""
    for peer in (few, many):
        found = aws.call(peer.port, operation, {"repositoryName": SEEDED, **parameters(peer)})
        (items,) = (value for key, value in found.items() if key in {"imageDetails", "imageIds", "images"})
        if len(items) != _PAGE:
            raise WrongAnswer(f"{operation}: {len(items)} items instead of {_PAGE}")


def _ratio(
    bench: Bench, key: str, title: str, load: Load, few: Moorage, many: Moorage, count: int, bound: float = _BOUND
) -> None:
    """Latencies of both servers in turns; the figure is the median of the rounds' ratios of their p50."""
    ratios: list[float] = []
    found: dict[int, list[float]] = {few.port: [], many.port: []}
    load(few, _FEW)
    for number in range(max(3, bench.rounds)):
        turns = [(few, _FEW), (many, count)]
        for peer, size in turns if number % 2 else turns[::-1]:
            found[peer.port].append(percentile(load(peer, size).latencies, 0.5) * 1000)
        ratios.append(found[many.port][-1] / found[few.port][-1])
    remark = f"p50 {median(found[many.port]):.3f} ms against {median(found[few.port]):.3f} ms"
    bench.fact(key, title, median(ratios), "x", bound, remark=remark)


def _tag_pages(bench: Bench, peer: Moorage, count: int) -> None:
    last = f"tag-{count - _PAGE - 1:06d}"  # tags pushed above sort before these
    pages = {"first": f"/v2/{SEEDED}/tags/list?n={_PAGE}", "last": f"/v2/{SEEDED}/tags/list?n={_PAGE}&last={last}"}
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


def _digests(peer: Moorage) -> list[str]:
    """The digests of the images with the first tags."""
    tags = [f"tag-{number:06d}" for number in range(_FEW)]
    parameters = {"repositoryName": SEEDED, "imageIds": [{"imageTag": tag} for tag in tags]}
    details = aws.call(peer.port, "DescribeImages", parameters)["imageDetails"]
    by_tag = {tag: detail["imageDigest"] for detail in details for tag in detail["imageTags"]}
    return [by_tag[tag] for tag in tags]


def _manifests(peer: Moorage, digests: list[str]) -> list[bytes]:
    with Client(peer) as client:
        return [client.request("GET", f"/v2/{SEEDED}/manifests/{digest}", (200,)).body for digest in digests]
