"""What the connections of one server share, and what those that come through one door share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Protocol

from moorage.server.http.accepting import Connection
from moorage.server.http.request_ids import RequestIds
from moorage.server.http.terms import HttpTerms


class Served(Connection, Protocol):
    """A connection, as its server sees it."""

    def sweep(self, now: float) -> None:
        """Act if the client is late."""

    def shutdown(self) -> None:
        """Called once the server is stopping: close, unless a response is under way."""

    def abort(self) -> None:
        """End at once."""


def _nobody_counts() -> None:
    """For connections that are made without a server."""


@dataclass(slots=True)
class ServerState:
    """Of one server, whichever door a connection came through."""

    connections: set[Served] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    """One for each request that runs."""
    date: bytes = b""
    """The present second, as a Date field has it."""
    is_stopping: bool = False
    """Responses under way are the last; no further request is taken."""
    on_lost: Callable[[], None] = _nobody_counts
    """Told of each connection that has ended."""

    def tick(self) -> None:
        """Look at the clock."""
        self.date = formatdate(time.time(), usegmt=True).encode("ascii")


@dataclass(slots=True)
class Site:
    """What is served through a door, and on which terms."""

    app: Callable[..., Any]
    """An ASGI application."""
    terms: HttpTerms
    state: ServerState
    ids: RequestIds = field(default_factory=RequestIds)
