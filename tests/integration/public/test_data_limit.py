"""How much one address may pull from public registries in a month without a login."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from moorage.operations.usage.anonymous_transfers import sent_to
from moorage.server.installation import open_installation
from moorage.server.settings import load
from moorage.testing import builders
from moorage.testing.server import MoorageServer
from tests.integration.public.conftest import UNLIMITED

MIB = 1024 * 1024
LIMITED = (*UNLIMITED, "--public-anonymous-gib-per-month", "1")
BLOB_BYTES = 64 * MIB


def sent(server: MoorageServer) -> int:
    """What the database knows of 127.0.0.1, once everything is written."""
    installation = open_installation(load(None, server.environment, {}).settings, server.environment, may_create=False)
    try:
        month = installation.db.run_read(lambda tx: _month(tx.now))
        return installation.db.run_read(sent_to, month, "127.0.0.1")
    finally:
        installation.close()


def _month(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1_000_000, UTC).strftime("%Y-%m")


def test_a_month_of_an_address(make_server: Callable[..., MoorageServer]) -> None:
    server = make_server(options=LIMITED)
    uri = server.client("ecr-public").create_repository(repositoryName="app")["repository"]["repositoryUri"]
    path = str(uri.partition("/")[2])
    built = builders.image(1, layers=1, layer_bytes=BLOB_BYTES)
    with server.public_registry() as publisher:
        publisher.push_image(path, built, "v1")
    layer = f"/v2/{path}/blobs/{built.layers[0]}"
    with server.public_registry(anonymous=True) as anybody:
        size = int(anybody.head(layer).header("Content-Length"))
        manifest = anybody.get(f"/v2/{path}/manifests/v1").body
        part = anybody.get(layer, Range="bytes=0-999").body
        assert len(part) == 1000
        counted = len(manifest) + len(part)
        while (answer := anybody.get(layer)).status == 200:
            counted += size
        assert (answer.status, answer.code, answer.message) == (429, "TOOMANYREQUESTS", "Data limit exceeded")
        assert 0 < int(answer.header("Retry-After")) <= 31 * 24 * 3600
        assert 1024 * MIB <= counted < 1024 * MIB + size
        assert anybody.get(f"/v2/{path}/manifests/v1").status == 429
        assert anybody.head(layer).status == 200
        assert anybody.get(f"/v2/{path}/tags/list").status == 200
    with server.public_registry() as publisher:
        assert publisher.get(f"/v2/{path}/manifests/v1").status == 200
    server.restart()
    assert sent(server) == counted
    with server.public_registry(anonymous=True) as anybody:  # it is remembered
        assert anybody.get(f"/v2/{path}/manifests/v1").status == 429
