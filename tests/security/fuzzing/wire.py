"""Signed requests over connections that stay open."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote
from xml.etree import ElementTree

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.model import ServiceModel

from moorage.testing.server import KeyPair

CONNECTIONS = 4
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the code of an error, or of a success none."""

    status: int
    body: bytes
    code: str | None

    @property
    def is_ok(self) -> bool:
        return self.status == 200


class Wire:
    """Sends requests of one service for one key, from several threads over a connection each."""

    def __init__(self, host: str, model: ServiceModel, key: KeyPair, region: str = "us-east-1") -> None:
        self.model = model
        self._host = host
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        self._signer = SigV4Auth(Credentials(key.access_key_id, key.secret), model.signing_name, region)
        self.pool = ThreadPoolExecutor(CONNECTIONS)

    def close(self) -> None:
        self.pool.shutdown()
        for connection in self._open:
            connection.close()

    def each(self, act: Callable[[_T], _R], items: Iterable[_T]) -> Sequence[_R]:
        """What `act` makes of each item, over all connections."""
        return list(self.pool.map(act, items))

    def call(self, operation: str, params: Any) -> Answer:
        """One operation, with whatever document or fields its parameters make."""
        metadata = self.model.metadata
        if metadata["protocol"] == "json":
            target = f"{metadata['targetPrefix']}.{operation}"
            headers = {"X-Amz-Target": target, "Content-Type": f"application/x-amz-json-{metadata['jsonVersion']}"}
            return self.send(json.dumps(params).encode(), headers)
        fields = {"Action": operation, "Version": metadata["apiVersion"], **dict(form_fields(params))}
        body = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in fields.items())
        return self.send(body.encode(), {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})

    def send(self, body: bytes, headers: dict[str, str], *, method: str = "POST", path: str = "/") -> Answer:
        """One signed request, as it stands."""
        request = AWSRequest(method, f"http://{self._host}{path}", headers=headers, data=body)
        self._signer.add_auth(request)
        connection = self._connection()
        try:
            connection.request(method, path, body, dict(request.headers.items()))
            response = connection.getresponse()
            content = response.read()
        except (http.client.HTTPException, ConnectionError, TimeoutError):
            connection.close()
            raise
        return Answer(response.status, content, None if response.status == 200 else error_code(content))

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = http.client.HTTPConnection(self._host, timeout=60)
            self._open.append(found)
        return found


def form_fields(value: Any, name: str = "") -> Iterable[tuple[str, str]]:
    """The fields of the query protocol for anything that JSON can say; null is not there, an empty list is an empty field."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from form_fields(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        if not value:
            yield name or "list", ""
        for position, item in enumerate(value, 1):
            yield from form_fields(item, f"{name}.member.{position}")
    elif value is not None:
        yield name or "value", str(value).lower() if isinstance(value, bool) else str(value)


def error_code(body: bytes) -> str:
    """The code of an error in either protocol; empty if it is none of them."""
    if body.startswith(b"{"):
        return str(json.loads(body).get("__type", ""))
    try:
        found = ElementTree.fromstring(body).find(".//{*}Code")
    except ElementTree.ParseError:
        return ""
    return "" if found is None else str(found.text)
