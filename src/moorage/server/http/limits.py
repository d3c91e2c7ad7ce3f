"""Bounds on what a client of the HTTP server decides: sizes, times, numbers."""

from __future__ import annotations

from dataclasses import dataclass

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
