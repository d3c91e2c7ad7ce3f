"""What a pull is told when the store cannot give its bytes: an error of the plane, as long as none has left."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from moorage.testing.builders import digest
from moorage.testing.server import MoorageServer
from moorage.testing.servers import run_s3
from tests.integration.outages.conftest import until

LAYER = os.urandom(3 * 2**20)
SMALL = os.urandom(100_000)  # its frames come with the object's opening
SETTINGS = {"MOORAGE_HOT_BLOB_MIB": "0"}


@dataclass
class Pulls:
    """Ways to ask for the same layers."""

    server: MoorageServer
    origin: str
    context: ssl.SSLContext | None
    token: str
    links: list[str]

    def ask(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """One GET."""
        if path.startswith("/v2/"):
            headers["Authorization"] = f"Basic {self.token}"
        try:
            with urlopen(Request(self.origin + path, headers=headers), context=self.context, timeout=60) as answer:
                return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
        except HTTPError as error:
            with error:
                return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()

    def everything(self) -> Iterator[tuple[str, tuple[int, dict[str, str], bytes]]]:
        """The whole of a layer, ranges of it, and the same by links."""
        paths = [f"/v2/app/blobs/{digest(content)}" for content in (LAYER, SMALL)] + self.links
        for path in paths:
            yield path, self.ask(path)
            yield path, self.ask(path, Range="bytes=50000-60000")


@contextmanager
def pulls(server: MoorageServer, monkeypatch: pytest.MonkeyPatch, *, tls: bool) -> Iterator[Pulls]:
    """A server with two layers."""
    context = None
    if tls:
        server.environment |= {
            "MOORAGE_TLS_CERTIFICATE": str(server.data / "tls/server.pem"),
            "MOORAGE_TLS_KEY": str(server.data / "tls/server.key"),
        }
        server.run("tls", "init")
        context = ssl.create_default_context(cafile=str(server.data / "tls/ca.pem"))
        monkeypatch.setenv("AWS_CA_BUNDLE", str(server.data / "tls/ca.pem"))
    server.start()
    try:
        ecr: Any = server.client()
        ecr.create_repository(repositoryName="app")
        token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        origin = f"{server.scheme}://localhost:{server.port}"
        made = Pulls(server, origin, context, token, [])
        layers = []
        for content in (LAYER, SMALL):
            headers = {"Authorization": f"Basic {token}", "Content-Type": "application/octet-stream"}
            push = Request(f"{origin}/v2/app/blobs/uploads/?digest={digest(content)}", content, headers, method="POST")
            with urlopen(push, context=context, timeout=60) as answer:
                assert answer.status == 201
            layers.append(
                {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(content), "size": len(content)}
            )
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {**layers[1], "mediaType": "application/vnd.oci.image.config.v1+json"},
            "layers": layers,
        }
        ecr.put_image(repositoryName="app", imageManifest=json.dumps(manifest), imageTag="v1")
        for layer in layers:
            url = ecr.get_download_url_for_layer(repositoryName="app", layerDigest=layer["digest"])["downloadUrl"]
            made.links.append("/layers/" + url.partition("/layers/")[2])
        yield made
    finally:
        server.close_clients()
        server.kill()


def require_told(server: MoorageServer, path: str, answer: tuple[int, dict[str, str], bytes], status: int) -> None:
    """An error in the form of its plane, which names the request that the log has one line about."""
    got, headers, body = answer
    assert got == status, (path, answer)
    if path.startswith("/v2/"):
        assert headers["content-type"].startswith("application/json")
        (error,) = json.loads(body)["errors"]
        assert error["code"] == "UNKNOWN"
    assert headers["x-request-id"].encode() in body
    assert ("retry-after" in headers) == (status == 503)
    assert "docker-content-digest" not in headers


@pytest.mark.parametrize("tls", [False, True])
def test_a_store_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, tls: bool) -> None:
    with run_s3() as s3:
        url = s3.url() + "&retry_seconds=1"
        server = MoorageServer(tmp_path / "data", blob_store_url=url, environment={**s3.environment, **SETTINGS})
        going = pulls(server, monkeypatch, tls=tls)
        made = going.__enter__()
        for path, answer in made.everything():
            assert answer[0] in {200, 206}, (path, answer)
    try:  # the store has ended
        for path, answer in made.everything():
            require_told(server, path, answer, 503)
        with pytest.raises(HTTPError) as refused:
            headers = {"Authorization": f"Basic {made.token}"}
            content = os.urandom(100_000)
            target = f"{made.origin}/v2/app/blobs/uploads/?digest={digest(content)}"
            urlopen(Request(target, content, headers, method="POST"), context=made.context, timeout=60)
        with refused.value as told:
            assert (told.code, bool(told.headers["Retry-After"])) == (503, True)
        server.require_clean_log()
    finally:
        going.__exit__(None, None, None)


@pytest.mark.parametrize("tls", [False, True])
def test_damage_at_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, tls: bool) -> None:
    """500 in the plane's form, one line of the log for each, no traceback: nothing is wrong with the program."""
    server = MoorageServer(tmp_path / "data", environment={**SETTINGS, "MOORAGE_LOG_FORMAT": "json"})
    with pulls(server, monkeypatch, tls=tls) as made:
        for file in (server.data / "blobs").rglob("*"):
            if file.is_file() and file.stat().st_size > 50_000:
                content = bytearray(file.read_bytes())
                content[100::1000] = bytes(255 - byte for byte in content[100::1000])
                file.write_bytes(content)
        asked = dict(enumerate(made.everything()))
        for path, answer in asked.values():
            require_told(server, path, answer, 500)
        ids = {answer[1]["x-request-id"] for _, answer in asked.values()}

        def errors() -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in server.log.splitlines()]
            return [line for line in lines if line["level"] == "error"]

        until(lambda: len(errors()) >= len(ids), 5)
        assert {line["request_id"] for line in errors()} == ids
        assert len(errors()) == len(ids)
        server.require_clean_log()
