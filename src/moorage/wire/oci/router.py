"""Paths under /v2/, taken apart from the right: a repository's name may itself hold words such as `blobs` and `manifests`."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct


class Route(Struct, frozen=True):
    """What a path addresses. `name` and `reference` are as the client wrote them, not validated."""

    kind: str
    """base, catalog, tags, manifest, blob, uploads (a collection), upload (one) or referrers."""
    name: str = ""
    reference: str = ""


_BASE = Route("base")
_KINDS = {"manifests": "manifest", "blobs": "blob", "referrers": "referrers"}


def parse_route(path: str) -> Route | None:
    """The route of a path that starts with ``/v2``; None for one that addresses nothing."""
    return _remembered(path) if len(path) <= _USUAL_LENGTH else _parse(path)


def _parse(path: str) -> Route | None:
    if path in {"/v2/", "/v2"}:
        return _BASE
    if not path.startswith("/v2/"):
        return None
    rest = path[4:]
    if rest == "_catalog":
        return Route("catalog")
    if rest.endswith("/tags/list"):
        return _named("tags", rest[: -len("/tags/list")])
    for ending in ("/blobs/uploads/", "/blobs/uploads"):
        if rest.endswith(ending):
            return _named("uploads", rest[: -len(ending)])
    before, _, reference = rest.rpartition("/")
    if not reference:
        return None
    name, _, word = before.rpartition("/")
    if word == "uploads":
        name, _, word = name.rpartition("/")
        return _named("upload", name, reference) if word == "blobs" else None
    kind = _KINDS.get(word)
    return _named(kind, name, reference) if kind else None


def _named(kind: str, name: str, reference: str = "") -> Route | None:
    return Route(kind, name, reference) if name else None


_USUAL_LENGTH = 320
_remembered = lru_cache(16_384)(_parse)
