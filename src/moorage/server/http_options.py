"""What all connections of a server share: the pool for bodies, the access hook, the clock's tick."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from email.utils import formatdate
from typing import Protocol

AccessHook = Callable[[str, bytes, int, int, int, float, str], None]
"""Method, raw path, status (0: none was sent), body bytes received and sent, seconds, client address."""


class Watched(Protocol):
    """A connection with deadlines."""

    def check_time(self, now: float) -> None: ...


class HttpOptions:
    """Made once for each server."""

    def __init__(self, pool: Executor, on_access: AccessHook) -> None:
        self.pool = pool
        self.on_access = on_access
        self._watched: set[Watched] = set()
        self._date = (0, b"")

    def watch(self, connection: Watched) -> None:
        """Have a connection's deadlines checked."""
        self._watched.add(connection)

    def unwatch(self, connection: Watched) -> None:
        """It is gone."""
        self._watched.discard(connection)

    def tick(self) -> None:
        """Check all deadlines: one timer for ten thousand connections."""
        now = time.monotonic()
        for connection in list(self._watched):
            connection.check_time(now)

    def date(self) -> bytes:
        """The Date header of this second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True).encode())
        return self._date[1]
