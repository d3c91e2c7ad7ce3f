"""On which terms the HTTP server serves: limits, time-outs, the pool for bytes, and who is told about finished requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from moorage.transfer.pools import Pool
from moorage.wire.http import Asked

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds on what a client may cost. Times in seconds. A body is measured by its progress, not by its total duration: a large
    layer over a slow link is legitimate."""

    head_bytes: int = 64 * KIB
    """Request line and header fields together; above it 431. Trailers and chunk extensions have the same bound (400)."""
    header_fields: int = 256
    """Number of header fields; above it 431."""
    target_bytes: int = 16 * KIB
    """Path and query; above it 414. A presigned URL with a session token has some 2 KiB."""
    head_seconds: float = 20.0
    """From the first byte of a request (or from the connection) to the end of its header fields; then 408."""
    keep_alive_seconds: float = 75.0
    """Between two requests on a connection. Longer than the 60 s of common load balancers, which must be the first to close."""
    stall_seconds: float = 30.0
    """Without any progress of a body, in either direction; then the connection is closed."""
    least_per_second: int = 256
    """Bytes: a body that comes slower than this, over `stall_seconds`, makes no progress."""
    linger_seconds: float = 30.0
    linger_bytes: int = 64 * MIB
    """How much of an unread body is dropped after an early answer, and for how long, so that the client reads the answer instead
    of a broken pipe. docker stops sending at once; the AWS clients first send their whole part (28 MB)."""
    reuse_bytes: int = 256 * KIB
    """If no more than this is left of a body that nobody read, it is dropped and the connection is kept."""
    connections: int = 100_000
    """Open at once; above it new ones wait to be accepted, and some that wait for their client are closed."""
    pipelined_requests: int = 64
    """Requests that wait behind another one on their connection; above it the connection is closed."""

    @property
    def stall_bytes(self) -> int:
        """What must come of a body within `stall_seconds`."""
        return int(self.least_per_second * self.stall_seconds)


KIND_FIELDS = 9
"""The first fields of `Access`: requests that are alike in them differ in time, duration and id alone."""


class Access(NamedTuple):
    """One finished request, for the access log and the metrics."""

    method: str
    raw_path: bytes
    status: int
    """0: the client left before an answer was sent."""
    bytes_in: int
    """Body bytes that arrived (without chunked framing)."""
    bytes_out: int
    """Body bytes that were handed to the kernel."""
    whole: bool
    """Whether the response was sent to its end."""
    client: tuple[str, int] | None
    agent: bytes
    """User-Agent, as it came."""
    asked: Asked | None
    """None: nobody has told, because the request was refused before anybody knew."""
    begun: float
    ended: float
    """Of `time.perf_counter`, in seconds."""
    request_id: bytes


OnAccess = Callable[[Access], None]
"""Called on the event loop: it must be quick and must not raise."""


def ignore_access(access: Access) -> None:
    """For servers that keep no access log."""


class Quick(Protocol):
    """An answer that needed no waiting: see `moorage.wire.http.AtOnce`."""

    @property
    def status(self) -> int: ...
    @property
    def head(self) -> bytes: ...
    @property
    def body(self) -> bytes: ...


AnswerAtOnce = Callable[[Any], Quick | None]
"""Given the ASGI scope of a GET or HEAD without a body; None: the application has to be asked. Called on the event loop."""


def never_at_once(scope: Any) -> None:
    """For applications that always have to be asked."""


@dataclass(frozen=True, slots=True)
class HttpTerms:
    """All that the protocol needs to know beyond uvicorn's own configuration."""

    transfers: Pool
    limits: HttpLimits = HttpLimits()
    on_access: OnAccess = ignore_access
    handover: bool = True
    """False: never offer descriptors; everything takes the plain path."""
    at_once: AnswerAtOnce = never_at_once
