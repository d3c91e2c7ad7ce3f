"""Finished requests, counted and logged in batches: a request itself pays for being put down, and no more.

Both ask which kind of request it was, and most requests are of a kind that has just been seen: so that is looked up once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import NamedTuple

from moorage.server.access_log import AccessLog, Parts
from moorage.server.http.terms import KIND_FIELDS, Access
from moorage.wire.web.metrics import Metrics, Series

_SECONDS = 0.1
"""Between two batches."""
_MOST_KINDS, _LONGEST_KIND = 4096, 1024
_NO_PARTS: Parts = (b"", b"", b"")


class _Kind(NamedTuple):
    series: Series
    parts: Parts


class FinishedRequests:
    """What the server tells of requests, for metrics and access log. Belongs to the event loop.

    Args:
        log: None: requests are counted only.
    """

    def __init__(self, metrics: Metrics, log: AccessLog | None) -> None:
        self._metrics, self._log = metrics, log
        self._waiting: deque[Access] = deque()
        self._kinds: dict[tuple[object, ...], _Kind] = {}
        self.add = self._waiting.append
        """Put a finished request down."""
        metrics.before_shown = self.flush

    async def run(self) -> None:
        """Work batches off, until it is cancelled."""
        while True:
            await asyncio.sleep(_SECONDS)
            self.flush()

    def flush(self) -> None:
        """Count and log what was put down."""
        waiting, kinds, log = self._waiting, self._kinds, self._log
        if not waiting:
            return
        began = time.time() - time.perf_counter()
        stamped, stamp, lines = -1, b"", []
        for _ in range(len(waiting)):
            access = waiting.popleft()
            kind = kinds.get(access[:KIND_FIELDS]) or self._kind_of(access)
            seconds = access.ended - access.begun
            kind.series.add(access.bytes_in, access.bytes_out, seconds)
            if log is not None:
                at = int((began + access.ended) * 1000)
                if at != stamped:
                    stamped, stamp = at, log.time(at)
                before_id, before_duration, rest = kind.parts
                lines.append(b"".join((stamp, before_id, access.request_id, before_duration, b"%.3f" % (seconds * 1000), rest)))
        if log is not None:
            log.write(lines)

    def _kind_of(self, access: Access) -> _Kind:
        series = self._metrics.series(access.method, access.raw_path, access.status)
        kind = _Kind(series, _NO_PARTS if self._log is None else self._log.parts_of(access))
        if len(self._kinds) >= _MOST_KINDS:
            self._kinds.clear()
        if len(access.raw_path) + len(access.agent) <= _LONGEST_KIND:  # strangers write as much as they like
            self._kinds[access[:KIND_FIELDS]] = kind
        return kind
