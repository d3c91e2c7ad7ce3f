"""On which terms the HTTP server serves: limits, the pool for bytes, and who is told about finished requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moorage.events.record import OnFinished, ignore
from moorage.server.http.limits import HttpLimits
from moorage.transfer.pools import Pool
from moorage.wire.http import AnswerSoon, AtOnce

AnswerAtOnce = Callable[[Any], AtOnce | AnswerSoon | None]
"""Given the ASGI scope of a GET or HEAD without a body; None: the application has to be asked. Called on the event loop."""


def never_at_once(scope: Any) -> None:
    """For applications that always have to be asked."""


@dataclass(frozen=True, slots=True)
class HttpTerms:
    """All that connections need to know beside the application."""

    transfers: Pool
    limits: HttpLimits = field(default_factory=HttpLimits)
    on_finished: OnFinished = ignore
    handover: bool = True
    """False: never offer descriptors; everything takes the plain path."""
    at_once: AnswerAtOnce = never_at_once
