"""What each store does when its medium fails it."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import boto3
import pytest

from moorage.storage.blob_store import ObjectMissing, StorageKey, StoreUnavailable
from moorage.storage.local import LocalStore
from moorage.storage.open_store import open_store
from moorage.testing.servers import S3Server

MIB = 1 << 20


def new_key() -> StorageKey:
    return StorageKey(secrets.token_hex(16))


def test_a_full_file_system_is_named_and_the_partial_file_removed(tmp_path: Path) -> None:
    """The kernel's limit on file sizes stands in for the full disk: same call, same handling, no privileges needed."""
    program = textwrap.dedent(
        """
        import resource, sys
        from pathlib import Path
        from moorage.model.errors import StorageFull
        from moorage.storage.blob_store import StorageKey
        from moorage.storage.local import LocalStore

        store = LocalStore(Path(sys.argv[1]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))
        writer = store.create(StorageKey("a" * 32))
        try:
            for _ in range(8):
                writer.write(bytes(1 << 20))
        except StorageFull:
            assert list(store.keys()) == []
            writer.abort()
            print("full")
        """
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("full\n", 0), done.stderr


def test_files_are_for_the_server_alone(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "blobs")
    key = new_key()
    writer = store.create(key)
    writer.write(b"content")
    writer.finish()
    path = tmp_path / "blobs" / key[0] / key
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_vanished_is_not_ready(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "blobs")
    (tmp_path / "blobs").rename(tmp_path / "gone")
    with pytest.raises(StoreUnavailable):
        store.check()
    with pytest.raises(StoreUnavailable):
        store.create(new_key())


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        key = new_key()
        store.create(key).abort()
        writer = store.create(key)
        writer.finish()
        store.open(key).close()
        with pytest.raises(ObjectMissing):
            store.open(new_key())
    store.check()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def _uploads_under_way(server: S3Server, prefix: str) -> int:
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key_id,
        aws_secret_access_key=server.secret_access_key,
        region_name=server.region,
    )
    try:
        return len(client.list_multipart_uploads(Bucket=server.bucket, Prefix=prefix).get("Uploads", []))
    finally:
        client.close()


def test_an_aborted_multipart_upload_is_gone_from_the_server(s3_server: S3Server) -> None:
    prefix = secrets.token_hex(8)
    store = open_store(s3_server.url(prefix), s3_server.environment)
    writer = store.create(new_key())
    writer.write(bytes(20 * MIB))
    assert _uploads_under_way(s3_server, prefix) == 1
    writer.abort()
    assert _uploads_under_way(s3_server, prefix) == 0


def test_a_bucket_that_does_not_exist_is_not_a_missing_object(s3_server: S3Server) -> None:
    environment = {**s3_server.environment}
    store = open_store(f"s3://no-such-bucket?endpoint={s3_server.endpoint}", environment)
    with pytest.raises(StoreUnavailable, match="bucket"):
        store.open(new_key())


def test_wrong_credentials_are_unavailability_with_the_reason(s3_server: S3Server) -> None:
    store = open_store(s3_server.url(), {**s3_server.environment, "AWS_SECRET_ACCESS_KEY": "wrong"})
    with pytest.raises(StoreUnavailable, match=r"403|SignatureDoesNotMatch|AccessDenied|ermission"):
        store.check()


def test_a_server_that_is_not_there_is_reported_in_bounded_time() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused, and nobody else gets the port
        url = f"s3://bucket?endpoint=http://127.0.0.1:{closed.getsockname()[1]}&region=us-east-1&retry_seconds=2"
        store = open_store(url, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            store.open(new_key())
        with pytest.raises(StoreUnavailable):
            store.check()
        writer = store.create(new_key())
        writer.write(b"content")
        with pytest.raises(StoreUnavailable):
            writer.finish()
        writer.abort()
        assert time.monotonic() - started < 30
