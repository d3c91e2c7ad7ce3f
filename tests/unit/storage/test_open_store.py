"""URLs of stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from moorage.storage.blob_store import StorageKey, StoreUnavailable
from moorage.storage.local import LocalStore
from moorage.storage.open_store import open_store

KEY = StorageKey("k" * 32)
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}


def test_a_folder_by_path_and_by_url(tmp_path: Path) -> None:
    for url in (str(tmp_path / "a b"), f"file://{tmp_path}/a%20b"):
        assert isinstance(open_store(url, {}), LocalStore)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a b"]


@pytest.mark.parametrize(
    ("url", "begins"),
    [
        ("s3://bucket?region=eu-west-1", "https://bucket.s3.eu-west-1.amazonaws.com/" + KEY),
        ("s3://bucket/a/b/?region=eu-west-1&path_style=true", "https://s3.eu-west-1.amazonaws.com/bucket/a/b/" + KEY),
        ("s3://bucket/p?endpoint=http://127.0.0.1:9", "http://127.0.0.1:9/bucket/p/" + KEY),
        ("s3://bucket/p?endpoint=https://minio.example/&path_style=false", "https://bucket.minio.example/p/" + KEY),
    ],
)
def test_a_bucket_by_url(url: str, begins: str) -> None:
    signed = open_store(url, CREDENTIALS).presign(KEY, 60)
    assert signed is not None
    assert signed.startswith(begins + "?")


def test_the_endpoint_may_come_from_the_environment() -> None:
    signed = open_store("s3://bucket", {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}).presign(KEY, 60)
    assert signed is not None
    assert signed.startswith("http://127.0.0.1:9/bucket/")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://x/y", "ftp:"),
        ("file://host/path", "three slashes"),
        ("s3:///prefix", "s3://bucket"),
        ("s3://key:secret@bucket", "credentials"),
        ("s3://bucket?regoin=x", "regoin"),
        ("s3://bucket?endpoint=127.0.0.1:9000", "http://"),
        ("s3://bucket?path_style=maybe", "true or false"),
    ],
)
def test_other_urls_are_refused_with_the_reason(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_store(url, {})


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        open_store(str(tmp_path / "file" / "folder"), {})
