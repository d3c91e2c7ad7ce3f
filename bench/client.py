"""A plain HTTP client for what is not measured, and for pushes: large bodies go out by `sendall` of prepared buffers."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from bench.content import MANIFEST_TYPE, MIB, Blob, SmallImage
from bench.peers import Peer

_CHUNK = 16 * MIB
_STREAM_PIECE = MIB


class WrongAnswer(Exception):
    """A server answered what it should not have: the measurement does not count."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, body included."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Client:
    """One connection to a registry."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def request(
        self,
        method: str,
        path: str,
        expected: Sequence[int],
        body: Sequence[memoryview] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        chunked: bool = False,
    ) -> Answer:
        """Send a request and read its answer. Raises WrongAnswer for a status that is not expected."""
        sent = dict(headers or {})
        if self._peer.authorization:
            sent["Authorization"] = self._peer.authorization
        parts = [memoryview(body)] if isinstance(body, bytes) else list(body or ())
        if not chunked:
            sent["Content-Length"] = str(sum(len(part) for part in parts))
        pieces = _pieces(parts) if chunked else iter(parts)
        self._connection.request(method, path, pieces if parts else None, sent, encode_chunked=chunked)
        response = self._connection.getresponse()
        answer = Answer(response.status, response.headers, response.read())
        if answer.status not in expected:
            raise WrongAnswer(f"{self._peer.name}: {method} {path}: {answer.status} {answer.body[:300]!r}")
        return answer

    def push_whole(self, repository: str, blob: Blob) -> None:
        """POST, then PUT with all bytes."""
        self._finish(self._begin(repository), blob, blob.parts())

    def push_chunks(self, repository: str, blob: Blob) -> None:
        """POST, PATCHes of 16 MiB, PUT without a body."""
        place = self._begin(repository)
        for begin in range(0, blob.size, _CHUNK):
            end = min(begin + _CHUNK, blob.size)
            headers = {"Content-Range": f"{begin}-{end - 1}", "Content-Type": "application/octet-stream"}
            place = self._location(self.request("PATCH", place, (202,), blob.parts(begin, end), headers))
        self._finish(place, blob, [])

    def push_stream(self, repository: str, blob: Blob) -> None:
        """POST, one PATCH in chunked encoding (what docker does), PUT without a body."""
        place = self._begin(repository)
        headers = {"Content-Type": "application/octet-stream", "Transfer-Encoding": "chunked"}
        place = self._location(self.request("PATCH", place, (202,), blob.parts(), headers, chunked=True))
        self._finish(place, blob, [])

    def push_image(self, repository: str, image: SmallImage, tag: str) -> None:
        """Blobs and manifest of a small image."""
        for digest, data in image.blobs:
            self._finish(self._begin(repository), Blob(digest, memoryview(data), b""), [memoryview(data)])
        self.put_manifest(repository, tag, image.manifest)

    def put_manifest(self, repository: str, reference: str, manifest: bytes) -> None:
        """Push a manifest."""
        self.request("PUT", f"/v2/{repository}/manifests/{reference}", (201,), manifest, {"Content-Type": MANIFEST_TYPE})

    def _begin(self, repository: str) -> str:
        return self._location(self.request("POST", f"/v2/{repository}/blobs/uploads/", (202,)))

    def _finish(self, place: str, blob: Blob, parts: Sequence[memoryview]) -> None:
        separator = "&" if "?" in place else "?"
        headers = {"Content-Type": "application/octet-stream"}
        answer = self.request("PUT", f"{place}{separator}digest={blob.digest}", (201,), parts, headers)
        if answer.headers.get("Docker-Content-Digest") not in {blob.digest, None}:
            raise WrongAnswer(f"{self._peer.name}: another digest than {blob.digest}")

    @staticmethod
    def _location(answer: Answer) -> str:
        return path_of(answer.headers["Location"])


def path_of(location: str) -> str:
    """The path and query of a Location, which may be absolute."""
    parts = urlsplit(location)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _pieces(parts: Sequence[memoryview]) -> Iterator[memoryview]:
    for part in parts:
        for begin in range(0, len(part), _STREAM_PIECE):
            yield part[begin : begin + _STREAM_PIECE]
