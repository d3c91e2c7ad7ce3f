"""On which terms the HTTP server serves: limits, the pool for bytes, and who is told about finished requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from moorage.server.http.limits import HttpLimits
from moorage.transfer.pools import Pool
from moorage.wire.http import Asked

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
    """All that connections need to know beside the application."""

    transfers: Pool
    limits: HttpLimits = field(default_factory=HttpLimits)
    on_access: OnAccess = ignore_access
    handover: bool = True
    """False: never offer descriptors; everything takes the plain path."""
    at_once: AnswerAtOnce = never_at_once
