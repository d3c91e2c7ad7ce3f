"""Every store against the contract: a folder, a real S3 server, and sealing over both."""

from __future__ import annotations

import functools
import hashlib
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from moorage.storage.blob_store import BlobReader, BlobStore, BlobWriter, StorageKey
from moorage.storage.open_store import open_store
from moorage.storage.sealed import SealedReader, SealedWriter
from moorage.testing.contracts.blob_store import BlobStoreContract, OpenStore, SealedStoreContract
from moorage.testing.servers import S3Server


class SealedStore:
    """Sealing as the server does it, with data keys derived from a secret instead of kept in a database."""

    def __init__(self, inner: BlobStore, secret: bytes) -> None:
        self._inner = inner
        self._secret = secret
        self.delete = inner.delete
        self.keys = inner.keys
        self.check = inner.check
        self.free_bytes = inner.free_bytes
        self.close = inner.close

    def create(self, key: StorageKey) -> BlobWriter:
        return SealedWriter(self._inner.create(key), self._data_key(key), key)

    def open(self, key: StorageKey) -> BlobReader:
        return SealedReader(self._inner.open(key), self._data_key(key), key)

    def presign(self, key: StorageKey, seconds: int) -> str | None:
        return None

    def _data_key(self, key: StorageKey) -> bytes:
        return hashlib.blake2b(key.encode(), key=self._secret, digest_size=32).digest()


def open_sealed(open_inner: Callable[[], BlobStore], secret: bytes) -> BlobStore:
    return SealedStore(open_inner(), secret)


class TestLocal(BlobStoreContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        return functools.partial(open_store, f"file://{tmp_path}/blobs", {})


class TestS3(BlobStoreContract):
    @pytest.fixture
    def open_store(self, s3_server: S3Server) -> OpenStore:
        return functools.partial(open_store, s3_server.url(secrets.token_hex(8)), dict(s3_server.environment))

    def test_a_presigned_url_fetches_the_object(self, store: BlobStore) -> None:
        import urllib.request

        key = StorageKey(secrets.token_hex(16))
        writer = store.create(key)
        writer.write(b"content")
        writer.finish()
        url = store.presign(key, 60)
        assert url is not None
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert answer.read() == b"content"


class TestSealedOverLocal(SealedStoreContract):
    @pytest.fixture
    def open_raw(self, tmp_path: Path) -> OpenStore:
        return functools.partial(open_store, str(tmp_path / "blobs"), {})

    @pytest.fixture
    def open_store(self, open_raw: OpenStore) -> OpenStore:
        return functools.partial(open_sealed, open_raw, secrets.token_bytes(32))


class TestSealedOverS3(SealedStoreContract):
    @pytest.fixture
    def open_raw(self, s3_server: S3Server) -> OpenStore:
        return functools.partial(open_store, s3_server.url(secrets.token_hex(8)), dict(s3_server.environment))

    @pytest.fixture
    def open_store(self, open_raw: OpenStore) -> OpenStore:
        return functools.partial(open_sealed, open_raw, secrets.token_bytes(32))
