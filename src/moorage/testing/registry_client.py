"""A small client of /v2/ that hides nothing: every status, header and byte is there to be looked at. Not thread-safe."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from moorage.testing import builders
from moorage.testing.builders import BuiltImage

_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read to its end. Header names are looked up in any case."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def header(self, name: str) -> str:
        """A header's value; empty if it is absent."""
        return str(self.headers.get(name) or "")

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The entries of an error's body."""
        found: list[dict[str, Any]] = self.json()["errors"]
        return found

    @property
    def code(self) -> str:
        """The code of the first error."""
        return str(self.errors[0]["code"])

    @property
    def message(self) -> str:
        """The message of the first error."""
        return str(self.errors[0]["message"])


def basic(password: str, user: str = "AWS") -> str:
    """The value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


class PushFailed(Exception):
    """A step of a push was answered with something else than success."""


class RegistryClient:
    """Talks to one registry over one connection, which is made anew when it has been closed.

    Args:
        password: the token; None to send no credentials.
        host: the Host header, where it is not the address that is connected to.
        bearer: send the token as Bearer instead of Basic: what public registries take.
    """

    def __init__(self, address: str, port: int, password: str | None, *, host: str | None = None, bearer: bool = False) -> None:
        self.address, self.port, self.password, self.bearer = address, port, password, bearer
        self.host = host or f"{address}:{port}"
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def other(self, password: str | None = None, *, host: str | None = None) -> RegistryClient:
        """A client of the same server with another password, or none, on a connection of its own."""
        return RegistryClient(self.address, self.port, password, host=host or self.host)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        authorization: str | None = None,
    ) -> Answer:
        """Send one request and read the whole answer. An iterable body goes with chunked transfer encoding.

        Args:
            authorization: instead of the client's own; empty for none.
        """
        sent = {"Host": self.host, **(headers or {})}
        own = (f"Bearer {self.password}" if self.bearer else basic(self.password)) if self.password else ""
        credentials = authorization if authorization is not None else own
        if credentials:
            sent["Authorization"] = credentials
        is_stream = body is not None and not isinstance(body, bytes)
        for attempt in (1, 2):
            fresh = self._connection is None
            connection = self._connection or http.client.HTTPConnection(self.address, self.port, timeout=_TIMEOUT_SECONDS)
            self._connection = connection
            try:
                connection.request(method, path, body=body, headers=sent, encode_chunked=is_stream)
                response = connection.getresponse()
                answer = Answer(response.status, response.headers, response.read())
            except (http.client.HTTPException, OSError):
                self.close()
                # A kept connection that the server has closed meanwhile says nothing about this request.
                if fresh or is_stream or attempt == 2:
                    raise
                continue
            if response.will_close:
                self.close()
            return answer
        raise AssertionError("unreachable")

    def get(self, path: str, **headers: str) -> Answer:
        """GET with headers given as ``If_None_Match=...``."""
        return self.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def head(self, path: str) -> Answer:
        """HEAD."""
        return self.request("HEAD", path)

    def delete(self, path: str) -> Answer:
        """DELETE."""
        return self.request("DELETE", path)

    # What pushes and pulls are made of.

    def start_upload(self, repository: str) -> str:
        """POST; the Location to go on at. Raises PushFailed."""
        return _expect(self.request("POST", f"/v2/{repository}/blobs/uploads/"), 202).header("Location")

    def push_blob(self, repository: str, data: bytes, digest: str | None = None) -> str:
        """POST and PUT, as most clients do; the digest. Raises PushFailed."""
        named = digest or builders.digest(data)
        location = self.start_upload(repository)
        mark = "&" if "?" in location else "?"
        headers = {"Content-Type": "application/octet-stream"}
        _expect(self.request("PUT", f"{location}{mark}digest={named}", data, headers), 201)
        return named

    def put_manifest(self, repository: str, reference: str, data: bytes, media_type: str | None = None) -> Answer:
        """PUT of a manifest's bytes, whatever the answer."""
        kind = {"Content-Type": media_type} if media_type else {}
        return self.request("PUT", f"/v2/{repository}/manifests/{reference}", data, kind)

    def push_image(self, repository: str, built: BuiltImage, *references: str) -> str:
        """Push blobs that are not there yet and the manifest under each reference (its digest if none); the digest."""
        for name, data in built.blobs.items():
            if self.head(f"/v2/{repository}/blobs/{name}").status != 200:
                self.push_blob(repository, data, name)
        for reference in references or (built.digest,):
            _expect(self.put_manifest(repository, reference, built.manifest, built.media_type), 201)
        return built.digest

    def require_image(self, repository: str, built: BuiltImage, reference: str | None = None) -> None:
        """Pull an image and make sure that every byte is what it should be."""
        found = _expect(self.get(f"/v2/{repository}/manifests/{reference or built.digest}"), 200)
        assert found.body == built.manifest
        assert found.header("Docker-Content-Digest") == built.digest
        for name, data in built.blobs.items():
            assert _expect(self.get(f"/v2/{repository}/blobs/{name}"), 200).body == data


def _expect(answer: Answer, status: int) -> Answer:
    if answer.status != status:
        raise PushFailed(f"status {answer.status} instead of {status}: {answer.body[:500]!r}")
    return answer
