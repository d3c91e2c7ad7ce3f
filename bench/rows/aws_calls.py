"""Operations of the ECR API beside a moto server."""

from __future__ import annotations

import itertools
from typing import Any

from bench import aws
from bench.client import Client, WrongAnswer
from bench.content import small_image
from bench.load import Outcome, repeated, run
from bench.measure import Bench, Target
from bench.peers import MOORAGE, MOTO, Peer
from bench.setup import create_repository

_REPOSITORY = "bench/aws"
_IMAGES = 10


def aws_calls(bench: Bench) -> None:
    """GetAuthorizationToken, BatchGetImage and DescribeImages by 1 client (p50) and by 32 (throughput).

    Every call is signed, once for each round; Moorage verifies the signature each time, moto never does.
    """
    images = [small_image() for _ in range(_IMAGES)]
    for name in (MOORAGE, MOTO):
        if name not in bench.peers:
            continue
        peer = bench.peers[name]
        create_repository(peer, _REPOSITORY)
        for number, image in enumerate(images):
            if name == MOORAGE:
                with Client(peer) as client:
                    client.push_image(_REPOSITORY, image, f"v{number}")
            else:
                manifest = {"imageManifest": image.manifest.decode(), "imageTag": f"v{number}"}
                aws.call(peer.port, "PutImage", {"repositoryName": _REPOSITORY, **manifest})
        found = aws.call(peer.port, "BatchGetImage", {"repositoryName": _REPOSITORY, "imageIds": [{"imageTag": "v1"}]})
        if found["images"][0]["imageManifest"] != images[1].manifest.decode():
            raise WrongAnswer(f"{name}: BatchGetImage answers another manifest")
    named = {"repositoryName": _REPOSITORY, "imageIds": [{"imageTag": "v1"}]}
    calls: dict[str, dict[str, Any]] = {"GetAuthorizationToken": {}, "BatchGetImage": named, "DescribeImages": named}
    for operation, parameters in calls.items():
        for clients in (1, 32):
            bench.compare(
                f"{operation}-{clients}",
                f"{operation}, {clients} client{'s' * (clients > 1)}",
                "requests/s",
                lambda peer, operation=operation, parameters=parameters, clients=clients: _work(  # type: ignore[misc]  # defaults bind the loop's values
                    bench, peer, operation, parameters, clients
                ),
                (Target("p50", 0.35, MOTO),),
                peers=(MOORAGE, MOTO),
                cpu=("1,000 requests", 1000.0),
                floor=2000.0 if (operation, clients) == ("BatchGetImage", 32) else None,
            )


def _work(bench: Bench, peer: Peer, operation: str, parameters: dict[str, Any], clients: int) -> tuple[float, Outcome]:
    signed = aws.signed_request(peer.host, operation, parameters)
    scripts = (repeated(itertools.repeat(signed), bench.seconds, 200, None) for _ in range(clients))
    outcome = run(peer.port, scripts, clients)
    return outcome.requests, outcome
