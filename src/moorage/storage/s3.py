"""Objects of an S3-compatible store, through obstore.

Small objects are one PUT. Larger ones go up in parts while they are written, by a thread of their own that the writer
feeds; an abort makes that thread's source fail, and the multipart upload is then aborted, so no state of it outlives
the request. Parts of 8 MiB hold the largest layer in 6,500 of the 10,000 parts that S3 allows.
"""

from __future__ import annotations

import datetime as dt
import queue
import threading
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store as Client

from moorage.storage.blob_store import BlobReader, BlobWriter, ObjectMissing, StorageKey, StoreUnavailable

PART_BYTES = 8 * 1024 * 1024
_READ_AHEAD_BYTES = 4 * 1024 * 1024
_SMALL_BYTES = 64 * 1024
_PARTS_AT_ONCE = 2
_TIMEOUT = dt.timedelta(seconds=60)
_CONNECT_TIMEOUT = dt.timedelta(seconds=10)
_RETRIES = 4


class S3Store:
    """A bucket, or a prefix in one.

    Args:
        url: ``s3://bucket/prefix?endpoint=http://127.0.0.1:9000&region=us-east-1&path_style=true``; credentials come from
            ``access_key_id`` and ``secret_access_key`` in the query, else from the AWS_* environment.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        given = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        unknown = set(given) - {"endpoint", "region", "path_style", "access_key_id", "secret_access_key"}
        if unknown or not parts.netloc:
            raise ValueError(f"blob store URL: {'unknown ' + ', '.join(sorted(unknown)) if unknown else 'the bucket is missing'}")
        endpoint = given.get("endpoint")
        self._prefix = parts.path.strip("/") + "/" if parts.path.strip("/") else ""
        options: dict[str, str | bool] = {
            "region": given.get("region", "us-east-1"),
            "virtual_hosted_style_request": given.get("path_style", "true" if endpoint else "false") != "true",
        }
        if endpoint:
            options["endpoint"] = endpoint
        for name in ("access_key_id", "secret_access_key"):
            if name in given:
                options[name] = given[name]
        self._client = Client(
            parts.netloc,
            config=options,  # type: ignore[arg-type]  # a TypedDict of these very names
            client_options={
                "timeout": _TIMEOUT,
                "connect_timeout": _CONNECT_TIMEOUT,
                "allow_http": bool(endpoint and endpoint.startswith("http://")),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": _TIMEOUT},
        )

    def _path(self, key: StorageKey) -> str:
        if not (32 <= len(key) <= 64 and key.isalnum() and key.isascii()):
            raise ValueError("not a storage key")
        return f"{self._prefix}{key[:2]}/{key}"

    def create(self, key: StorageKey) -> BlobWriter:
        """Start an object; nothing is sent before a part is full."""
        return _S3Writer(self._client, self._path(key))

    def open(self, key: StorageKey) -> BlobReader:
        """Open a finished object: its first bytes and its size come with one request."""
        path = self._path(key)
        try:
            found = obstore.get(self._client, path, options={"range": (0, _SMALL_BYTES)})
            head = bytes(found.bytes())
            return _S3Reader(self._client, path, found.meta["size"], head)
        except FileNotFoundError:
            raise ObjectMissing(key) from None
        except BaseError as error:
            if "416" in str(error) or "InvalidRange" in str(error):  # an object without a byte has no first range
                return _S3Reader(self._client, path, 0, b"")
            raise StoreUnavailable(_short(error)) from None

    def delete(self, key: StorageKey) -> None:
        """Remove an object; absent is success."""
        try:
            obstore.delete(self._client, self._path(key))
        except FileNotFoundError:
            return
        except BaseError as error:
            raise StoreUnavailable(_short(error)) from None

    def keys(self) -> Iterator[StorageKey]:
        """Every key below the prefix."""
        for page in obstore.list(self._client, prefix=self._prefix or None):
            for entry in page:
                yield StorageKey(entry["path"].rpartition("/")[2])

    def check(self) -> None:
        """Ask for an object that cannot exist: a clean 404 proves that the store answers and knows us."""
        try:
            obstore.head(self._client, f"{self._prefix}health")
        except FileNotFoundError:
            return
        except BaseError as error:
            raise StoreUnavailable(_short(error)) from None

    def free_bytes(self) -> int | None:
        """A bucket does not tell."""
        return None

    def presign(self, key: StorageKey, seconds: int) -> str | None:
        """A URL of the raw object."""
        return str(obstore.sign(self._client, "GET", self._path(key), dt.timedelta(seconds=seconds)))

    def close(self) -> None:
        """The client closes its connections when it is collected."""


class _S3Writer:
    """Gathers a part at a time."""

    def __init__(self, client: Client, path: str) -> None:
        self._client, self._path = client, path
        self._part = bytearray(_SMALL_BYTES)
        self._filled = 0
        self._size = 0
        self._upload: _Upload | None = None
        self._done = False

    @property
    def size(self) -> int:
        return self._size

    def buffer(self) -> memoryview:
        if self._filled == len(self._part):
            if len(self._part) < PART_BYTES:
                # Not grown in place: whoever got a view of it before may not have let go of it yet.
                grown = bytearray(PART_BYTES)
                grown[: self._filled] = self._part
                self._part = grown
            else:
                self._flush()
        return memoryview(self._part)[self._filled :]

    def advance(self, count: int) -> None:
        self._filled += count
        self._size += count

    def write(self, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            room = self.buffer()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            room.release()
            self.advance(count)
            rest = rest[count:]

    def _flush(self) -> None:
        if self._upload is None:
            self._upload = _Upload(self._client, self._path)
        self._upload.feed(bytes(memoryview(self._part)[: self._filled]))
        self._filled = 0

    def finish(self) -> int:
        if self._done:
            raise ValueError("finish after finish or abort")
        self._done = True
        if self._upload is not None:
            if self._filled:
                self._flush()
            self._upload.end()
        else:
            try:
                obstore.put(self._client, self._path, bytes(memoryview(self._part)[: self._filled]), use_multipart=False)
            except BaseError as error:
                raise StoreUnavailable(_short(error)) from None
        return self._size

    def abort(self) -> None:
        if not self._done:
            self._done = True
            if self._upload is not None:
                self._upload.abort()
        self._part = bytearray()


class _Aborted(Exception):
    """Ends the source of a multipart upload that is given up."""


class _Upload:
    """A multipart upload: a thread that sends what it is fed."""

    def __init__(self, client: Client, path: str) -> None:
        self._client, self._path = client, path
        self._parts: queue.Queue[bytes | _Aborted | None] = queue.Queue(maxsize=1)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="s3-upload", daemon=True)
        self._thread.start()

    def feed(self, part: bytes) -> None:
        """Hand on a part; waits while two are on their way."""
        while True:
            if self._error is not None:
                raise StoreUnavailable(_short(self._error))
            try:
                self._parts.put(part, timeout=0.5)
            except queue.Full:
                continue
            return

    def end(self) -> None:
        """Wait until the object is whole."""
        self._tell(None)
        self._thread.join()
        if self._error is not None:
            raise StoreUnavailable(_short(self._error))

    def abort(self) -> None:
        """Give up; what was sent is removed."""
        self._tell(_Aborted())
        self._thread.join()

    def _tell(self, word: _Aborted | None) -> None:
        while self._thread.is_alive():
            try:
                self._parts.put(word, timeout=0.5)
            except queue.Full:
                continue
            return

    def _source(self) -> Iterator[bytes]:
        while True:
            part = self._parts.get()
            if part is None:
                return
            if isinstance(part, _Aborted):
                raise part
            yield part

    def _run(self) -> None:
        try:
            obstore.put(
                self._client,
                self._path,
                self._source(),
                use_multipart=True,
                chunk_size=PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )
        except Exception as error:  # kept for whoever waits for this thread
            self._error = error


class _S3Reader:
    """Reads ranges; one that follows the last brings more than was asked for."""

    def __init__(self, client: Client, path: str, size: int, head: bytes) -> None:
        self._client, self._path, self._size = client, path, size
        self._start, self._data = 0, memoryview(head)
        self._next = -1

    @property
    def size(self) -> int:
        return self._size

    def read_into(self, offset: int, buffer: memoryview) -> int:
        wanted = min(len(buffer), self._size - offset)
        done = 0
        while done < wanted:
            at = offset + done
            inside = at - self._start
            if not 0 <= inside < len(self._data):
                self._fetch(at, wanted - done)
                continue
            part = self._data[inside : inside + wanted - done]
            buffer[done : done + len(part)] = part
            done += len(part)
        self._next = offset + done
        return done

    def _fetch(self, offset: int, length: int) -> None:
        is_sequential = offset == self._next or offset == self._start + len(self._data)
        count = min(max(length, _READ_AHEAD_BYTES if is_sequential else 0), self._size - offset)
        try:
            self._data = memoryview(bytes(obstore.get_range(self._client, self._path, start=offset, length=count)))
        except FileNotFoundError:
            raise ObjectMissing(self._path) from None
        except BaseError as error:
            raise StoreUnavailable(_short(error)) from None
        self._start = offset
        if not self._data:
            raise StoreUnavailable("the blob store sent an empty range")

    def view(self, offset: int) -> memoryview:
        if offset >= self._size:
            return memoryview(b"")
        if not self._start <= offset < self._start + len(self._data):
            self._fetch(offset, min(_READ_AHEAD_BYTES, self._size - offset))
        return self._data[offset - self._start :]

    def descriptor(self) -> int | None:
        return None

    def close(self) -> None:
        self._data = memoryview(b"")


def _short(error: Exception) -> str:
    return f"the blob store does not answer as it should: {str(error)[:200]}"
