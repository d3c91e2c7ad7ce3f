"""TLS in the process: an own CA, a push and a pull through it, and a certificate that is renewed without a restart."""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from cryptography import x509

from moorage.testing.builders import digest
from moorage.testing.server import MoorageServer


def serial_number(port: int, context: ssl.SSLContext) -> int:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        certificate = tls.getpeercert(binary_form=True)
    assert certificate is not None
    return x509.load_der_x509_certificate(certificate).serial_number


def test_own_ca_push_pull_and_renewal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    server = MoorageServer(
        data,
        environment={"MOORAGE_TLS_CERTIFICATE": str(data / "tls/server.pem"), "MOORAGE_TLS_KEY": str(data / "tls/server.key")},
    )
    server.run("tls", "init", "registry.example")
    assert (data / "tls/server.key").stat().st_mode & 0o777 == 0o600
    context = ssl.create_default_context(cafile=str(data / "tls/ca.pem"))
    server.start()
    try:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(data / "tls/ca.pem"))
        client = server.client()
        assert client.meta.endpoint_url.startswith("https://")
        origin = f"https://localhost:{server.port}"
        with urlopen(f"{origin}/readyz", context=context, timeout=10) as answer:
            assert json.load(answer)["status"] == "ready"
        first = serial_number(server.port, context)
        content = os.urandom(3 * 2**20)
        client.create_repository(repositoryName="app")
        token = client.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        headers = {"Authorization": f"Basic {token}", "Content-Type": "application/octet-stream"}
        push = Request(f"{origin}/v2/app/blobs/uploads/?digest={digest(content)}", content, headers, method="POST")
        with urlopen(push, context=context, timeout=30) as answer:
            assert answer.status == 201
        with urlopen(Request(f"{origin}/v2/app/blobs/{digest(content)}", headers=headers), context=context, timeout=30) as answer:
            assert answer.read() == content
        server.run("tls", "init", "registry.example")
        deadline = time.monotonic() + 30
        while serial_number(server.port, context) == first:
            assert time.monotonic() < deadline
    finally:
        server.terminate()
    server.require_clean_log()
