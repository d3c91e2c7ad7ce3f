"""The few things that the model and the server are given: small enough a world that they meet all the time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from moorage.testing import builders

TAGS = ("latest", "v1", "v2", "rel-1", "rel-2")
MODES = ("MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION")
FILTERS: tuple[tuple[str, ...] | None, ...] = (None, (), ("rel-*",), ("latest", "v*"), ("*",), ("a*b*c*",))
POLICIES = tuple(
    json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": f"ecr:{action}"}]})
    for action in ("BatchGetImage", "PutImage")
)
BAD_POLICY = '{"Statement":[{"Effect":"Allow","Action":"ecr:*"}]}'


def _lifecycle(days: int) -> str:
    counted = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days}
    return json.dumps({"rules": [{"rulePriority": 1, "selection": counted, "action": {"type": "expire"}}]})


LIFECYCLES = (_lifecycle(7), _lifecycle(30))


@dataclass(frozen=True, repr=False)
class Thing:
    """A manifest that can be put, and what it needs."""

    name: str
    text: str
    media_type: str
    blobs: dict[str, bytes]
    """Config and layers."""
    blob_types: dict[str, str]
    children: tuple[str, ...]
    subject: str | None
    artifact_type: str | None
    annotations: dict[str, str]

    def __repr__(self) -> str:
        return self.name

    @property
    def digest(self) -> str:
        return builders.digest(self.text.encode())

    @property
    def config_type(self) -> str | None:
        config = json.loads(self.text).get("config")
        return None if config is None else str(config["mediaType"])


def _thing(name: str, text: str, blobs: dict[str, bytes] | None = None) -> Thing:
    document: dict[str, Any] = json.loads(text)
    config = document.get("config")
    named = [*([config] if config else []), *document.get("layers", [])]
    return Thing(
        name,
        text,
        document["mediaType"],
        blobs or {},
        {each["digest"]: each["mediaType"] for each in named},
        tuple(each["digest"] for each in document.get("manifests", [])),
        document.get("subject", {}).get("digest"),
        document.get("artifactType") or (config["mediaType"] if config else None),
        document.get("annotations", {}),
    )


@cache
def things() -> dict[str, Thing]:
    """By name: two images that share nothing, an index of both, two that name nothing, and two artifacts about one of these."""
    first, second = builders.image(1, layers=1, layer_bytes=64), builders.image(2, layers=1, layer_bytes=64, docker=True)
    made = [
        _thing("first", first.manifest.decode(), first.blobs),
        _thing("second", second.manifest.decode(), second.blobs),
        _thing("both", builders.index([first, second]).decode()),
        _thing("lone", builders.index([], annotations={"n": "1"}).decode()),
        _thing("other", builders.index([], annotations={"n": "2"}).decode()),
    ]
    subject = {"mediaType": made[3].media_type, "digest": made[3].digest, "size": len(made[3].text)}
    made += [
        _thing("sbom", builders.index([], subject=subject, artifactType="application/spdx+json").decode()),
        _thing("proof", builders.index([], subject=subject, artifactType="application/x-proof", annotations={"k": "v"}).decode()),
    ]
    return {each.name: each for each in made}


@cache
def blobs() -> dict[str, bytes]:
    """By digest: all content that images name, and a blob that none names."""
    loose = b"named by nothing"
    return {digest: data for thing in things().values() for digest, data in thing.blobs.items()} | {builders.digest(loose): loose}


ABSENT = "sha256:" + "0" * 64
