"""Objects in a bucket of an S3 service: ``<prefix>/<key>``.

An object of up to about 1 MiB is one conditional PUT. A larger one goes through obstore's writer, which makes a multipart upload
when 6 MiB are exceeded. Two parts of an upload are in memory at a time, one being filled and one on its way; 10,000 of them hold
the largest layer (52,000 MiB). A failure aborts the upload; what a killed process leaves behind is for the bucket's rule
`AbortIncompleteMultipartUpload`.

Source: Amazon S3 user guide, "Multipart upload limits" (5 MiB to 5 GiB a part, at most 10,000 of them).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store as Bucket

from moorage.model.errors import StorageCorrupt, StorageFull
from moorage.storage import buffers
from moorage.storage.blob_store import KeyTaken, ObjectMissing, StorageKey, StoreUnavailable, validate_key

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

PART_SIZE = 6 * buffers.MIB
"""10,000 of these are 60,000 MiB: enough for ECR's largest layer and its tags."""
_PARTS_IN_FLIGHT = 1
_SEND_BELOW = 4096
_FIRST_READ = 256 * 1024
_RANDOM_READ = buffers.PIECES.size
_SEQUENTIAL_READ = 4 * buffers.MIB
_PROBE_KEY = "moorage-probe"
_PROBE_SECONDS = 10.0
RETRY_SECONDS = 30
"""How long a request that fails is tried again where nothing else is said."""
_RETRIES_PER_SECOND = 10
"""More than there can be: the time ends retries, not their number."""
_NO_ROOM = ("507 ", "InsufficientStorage", "QuotaExceeded", "StorageFull", "NoSpaceLeft")


@dataclass(frozen=True, slots=True)
class S3Location:
    """Which bucket, and how to reach it. Credentials that are None come from the environment, a web identity or the instance."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    path_style: bool = False
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    root_certificate: str | None = field(default=None, repr=False)
    """Certificates in PEM to trust beside the system's."""
    retry_seconds: int = RETRY_SECONDS
    """How long a request that fails is tried again; 0: not at all."""


class S3Store:
    """A `BlobStore` in a bucket. Plain HTTP is spoken only to an endpoint that says ``http://``."""

    def __init__(self, location: S3Location) -> None:
        self._bucket = _bucket(location)
        self._probed_at = float("-inf")

    def create(self, key: StorageKey) -> S3Writer:
        """Start an object. Nothing is sent before about 1 MiB has come together; KeyTaken comes with the first bytes that are."""
        return S3Writer(self._bucket, validate_key(key))

    def open(self, key: StorageKey) -> S3Reader:
        """Open a finished object with one GET that also brings its first bytes. Raises ObjectMissing."""
        return S3Reader(self._bucket, validate_key(key))

    def delete(self, key: StorageKey) -> None:
        """Remove an object. Absent is success."""
        try:
            obstore.delete(self._bucket, validate_key(key))
        except FileNotFoundError as error:
            _refuse_missing_bucket(error)
        except (BaseError, OSError) as error:
            raise _translated(error) from error

    def keys(self) -> Iterator[StorageKey]:
        """Every key with a finished object; multipart uploads under way are not listed."""
        try:
            for page in obstore.list(self._bucket, chunk_size=1000):
                for found in page:
                    try:
                        yield validate_key(found["path"])
                    except ValueError:
                        continue
        except (BaseError, OSError) as error:
            raise _translated(error) from error

    def check(self) -> None:
        """Write a small object, at most once in 10 seconds, else ask for it. Raises StorageFull, StoreUnavailable."""
        now = time.monotonic()
        try:
            if now - self._probed_at < _PROBE_SECONDS:
                obstore.head(self._bucket, _PROBE_KEY)
                return
            obstore.put(self._bucket, _PROBE_KEY, b"probe", use_multipart=False)
        except (BaseError, OSError) as error:
            raise _translated(error) from error
        self._probed_at = now

    def free_bytes(self) -> None:
        """None: a bucket does not tell."""

    def presign(self, key: StorageKey, seconds: int) -> str:
        """A URL that fetches the raw object for `seconds` (at most 7 days)."""
        try:
            return obstore.sign(self._bucket, "GET", validate_key(key), timedelta(seconds=seconds))
        except (BaseError, OSError) as error:
            raise _translated(error) from error

    def close(self) -> None:
        """Connections end with the object."""


class _PartWriter(Protocol):
    """What is used of obstore's `WritableFile`: `close` completes the upload, `__exit__` with an error aborts it."""

    def write(self, buffer: bytes, /) -> int: ...
    def close(self) -> None: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None: ...


class S3Writer:
    """One object on its way to the bucket: one PUT if it stays small, else a multipart upload."""

    def __init__(self, bucket: Bucket, key: StorageKey) -> None:
        self._bucket = bucket
        self._key = key
        self._buffer: memoryview | None = None
        self._filled = 0
        self._sent = 0
        self._parts: _PartWriter | None = None
        self._open = True

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._sent + self._filled

    def buffer(self) -> memoryview:
        """Room for the next bytes."""
        self._must_be_open()
        if self._buffer is None:
            self._buffer = buffers.PIECES.acquire()
        return self._buffer[self._filled :]

    def advance(self, count: int) -> None:
        """Take `count` bytes of the buffer; send it when little room is left."""
        self._must_be_open()
        if self._buffer is None or not 0 <= count <= len(self._buffer) - self._filled:
            raise ValueError("more than the buffer's room")
        self._filled += count
        if len(self._buffer) - self._filled < _SEND_BELOW:
            self._send()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take `data`, through the buffer."""
        rest = memoryview(data).cast("B")
        while rest:
            room = self.buffer()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            self.advance(count)
            rest = rest[count:]

    def finish(self) -> int:
        """Send what is left and complete the object."""
        self._must_be_open()
        if self._parts is None:
            self._put_whole()
        else:
            if self._filled:
                self._send()
            try:
                self._parts.close()
            except (BaseError, OSError) as error:
                raise self._given_up(error) from error
            self._parts = None
        self._end()
        return self._sent

    def abort(self) -> None:
        """Abort the upload if one was begun."""
        if not self._open:
            return
        parts, self._parts = self._parts, None
        self._end()
        if parts is not None:
            try:
                parts.__exit__(_Aborted, _Aborted(), None)
            except (BaseError, OSError) as error:
                raise _translated(error) from error

    def _put_whole(self) -> None:
        content = self._buffer[: self._filled] if self._buffer is not None else b""
        try:
            obstore.put(self._bucket, self._key, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            self._end()
            raise KeyTaken(self._key) from None
        except (BaseError, OSError) as error:
            raise self._given_up(error) from error
        self._sent, self._filled = self._filled, 0

    def _send(self) -> None:
        assert self._buffer is not None
        try:
            if self._parts is None:
                self._refuse_taken_key()
                writer = obstore.open_writer(self._bucket, self._key, buffer_size=PART_SIZE, max_concurrency=_PARTS_IN_FLIGHT)
                self._parts = cast("_PartWriter", writer)
            # A copy, since the upload refers to what it was given until the part is sent. Giving the buffer away instead, and
            # mapping a new one, costs half as much again in page faults.
            self._parts.write(bytes(self._buffer[: self._filled]))
        except (BaseError, OSError) as error:
            raise self._given_up(error) from error
        self._sent += self._filled
        self._filled = 0

    def _refuse_taken_key(self) -> None:
        """Ask, since this kind of upload knows no condition. Keys are random: it finds mistakes and need not win races."""
        try:
            obstore.head(self._bucket, self._key)
        except FileNotFoundError:
            return
        self._end()
        raise KeyTaken(self._key)

    def _given_up(self, error: Exception) -> StorageFull | StoreUnavailable:
        self._buffer = None  # a request that was given up may still be reading it
        with suppress(StoreUnavailable, StorageFull):  # the first error says more
            self.abort()
        return _translated(error)

    def _must_be_open(self) -> None:
        if not self._open:
            raise RuntimeError("the writer has been finished or aborted")

    def _end(self) -> None:
        self._open = False
        if self._buffer is not None:
            buffers.PIECES.release(self._buffer)
            self._buffer = None


class S3Reader:
    """One object read by ranges: 256 KiB with the opening, about 1 MiB at a random place, 4 MiB when reading goes on."""

    def __init__(self, bucket: Bucket, key: StorageKey) -> None:
        self._bucket = bucket
        self._key = key
        self._start = 0
        self._window = memoryview(b"")
        try:
            result = obstore.get(bucket, key, options={"range": (0, _FIRST_READ)})
            self._size = int(result.meta["size"])
            self._window = memoryview(result.bytes())
        except FileNotFoundError as error:
            _refuse_missing_bucket(error)
            raise ObjectMissing(key) from None
        except (BaseError, OSError) as error:
            if "InvalidRange" not in str(error) and " 416 " not in str(error):
                raise _translated(error) from error
            self._size = 0  # no range of an empty object can be satisfied

    @property
    def size(self) -> int:
        """The object's length."""
        return self._size

    def view(self, offset: int) -> memoryview:
        """Content from `offset` to the end of what was fetched with it."""
        if offset < 0:
            raise ValueError("a negative offset")
        if offset >= self._size:
            return memoryview(b"")
        stop = self._start + len(self._window)
        if not self._start <= offset < stop:
            self._fetch(offset, _SEQUENTIAL_READ if offset == stop else _RANDOM_READ)
        return self._window[offset - self._start :]

    def descriptor(self) -> None:
        """None: there is no file."""

    def close(self) -> None:
        """Drop what was fetched."""
        self._window = memoryview(b"")
        self._start = 0

    def _fetch(self, offset: int, length: int) -> None:
        self.close()
        try:
            fetched = obstore.get_range(self._bucket, self._key, start=offset, length=min(length, self._size - offset))
        except FileNotFoundError as error:
            _refuse_missing_bucket(error)
            raise ObjectMissing(self._key) from None
        except (BaseError, OSError) as error:
            raise _translated(error) from error
        if len(fetched) == 0:
            raise StorageCorrupt("an object became shorter while it was read")
        self._start, self._window = offset, memoryview(fetched)


class _Aborted(Exception):
    """Tells obstore's writer why it is left."""


def _bucket(location: S3Location) -> Bucket:
    given: Mapping[str, str | None] = {
        "endpoint": location.endpoint,
        "region": location.region,
        "access_key_id": location.access_key_id,
        "secret_access_key": location.secret_access_key,
        "session_token": location.session_token,
    }
    config = cast("S3Config", {name: value for name, value in given.items() if value})
    config["virtual_hosted_style_request"] = not location.path_style
    plain = bool(location.endpoint and location.endpoint.startswith("http://"))
    config["unsigned_payload"] = not plain  # TLS protects the bytes on their way; hashing them once more trebles the cost
    config["disable_bulk_delete"] = True  # not every S3 service has DeleteObjects, and we delete one at a time
    if location.endpoint and not location.path_style:
        scheme, _, host = location.endpoint.partition("://")
        config["endpoint"] = f"{scheme}://{location.bucket}.{host}"
    options: ClientConfig = {
        "allow_http": plain,
        "connect_timeout": timedelta(seconds=5),
        "read_timeout": timedelta(seconds=20),
        "timeout": timedelta(seconds=120),
    }
    if location.root_certificate is not None:
        options["root_certificate"] = location.root_certificate
    retries: RetryConfig = {
        "max_retries": location.retry_seconds * _RETRIES_PER_SECOND,
        "retry_timeout": timedelta(seconds=location.retry_seconds),
        "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
    }
    return Bucket(location.bucket, prefix=location.prefix or None, config=config, client_options=options, retry_config=retries)


def _refuse_missing_bucket(error: Exception) -> None:
    if "NoSuchBucket" in str(error):
        raise StoreUnavailable("the bucket does not exist") from error


def _translated(error: Exception) -> StorageFull | StoreUnavailable:
    """obstore's error without its second, structured half, which may be long."""
    text = str(error).partition("\n\nDebug source:")[0].strip()
    if any(mark in text for mark in _NO_ROOM):
        return StorageFull("the S3 service has no room left")
    return StoreUnavailable(f"the S3 service: {text[:500]}")
