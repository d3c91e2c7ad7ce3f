"""The record of a finished request: what every reader of events is made from, the access log and the metrics among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from moorage.events.event import Event

KIND_FIELDS = 8
"""The first fields of a record: requests that are alike in them and in what was asked differ in time, duration and id alone."""


class FinishedRequest(NamedTuple):
    """One finished request: who did what on which resources, and why it was allowed or not (`event`), when, from where, how many
    bytes, how long it took."""

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
    """A trusted proxy's word, where there is one."""
    agent: bytes
    """User-Agent, as it came."""
    event: Event | None
    """None: nobody has told, because the request was refused before anybody knew."""
    begun: float
    ended: float
    """Of `time.perf_counter`, in seconds."""
    request_id: bytes


OnFinished = Callable[[FinishedRequest], None]
"""Called on the event loop: it must be quick and must not raise."""


def ignore(finished: FinishedRequest) -> None:
    """For servers that keep no record."""
