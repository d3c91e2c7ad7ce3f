"""Requests as bytes, made before the clock starts."""

from __future__ import annotations

from bench.content import MANIFEST_TYPE
from bench.peers import Peer


def request(peer: Peer, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
    """A request with the registry's credentials. Header names are given with underscores."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {peer.host}"]
    if peer.authorization:
        lines.append(f"Authorization: {peer.authorization}")
    lines.extend(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def get_blob(peer: Peer, repository: str, digest: str) -> bytes:
    """A whole blob."""
    return request(peer, "GET", f"/v2/{repository}/blobs/{digest}")


def get_range(peer: Peer, repository: str, digest: str, first: int, last: int) -> bytes:
    """Bytes `first` to `last`, both included."""
    return request(peer, "GET", f"/v2/{repository}/blobs/{digest}", Range=f"bytes={first}-{last}")


def manifest(peer: Peer, method: str, repository: str, reference: str) -> bytes:
    """GET or HEAD of a manifest, as docker asks for one."""
    return request(peer, method, f"/v2/{repository}/manifests/{reference}", Accept=MANIFEST_TYPE)
