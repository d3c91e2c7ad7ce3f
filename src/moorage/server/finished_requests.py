"""Finished requests, passed on, counted and logged in batches: a request itself pays for being put down, and no more.

Metrics and log ask which kind of request it was. Most are of a kind that has just been seen, so that is looked up once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import NamedTuple

from moorage.events.door import pass_through
from moorage.events.event import NOBODY
from moorage.events.record import KIND_FIELDS, FinishedRequest
from moorage.server.access_log import AccessLog, Parts
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
        self._waiting: deque[FinishedRequest] = deque()
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
        """Pass what was put down through the door, count it and log it."""
        waiting, kinds, log = self._waiting, self._kinds, self._log
        if not waiting:
            return
        batch = [waiting.popleft() for _ in range(len(waiting))]
        epoch = time.time() - time.perf_counter()
        pass_through(batch, epoch)
        stamped, stamp, lines = -1, b"", []
        for each in batch:
            kind = kinds.get(_kind_key(each)) or self._kind_of(each)
            seconds = each.ended - each.begun
            kind.series.add(each.bytes_in, each.bytes_out, seconds)
            if log is not None:
                at = int((epoch + each.ended) * 1000)
                if at != stamped:
                    stamped, stamp = at, log.time(at)
                before_id, before_duration, rest = kind.parts
                lines.append(b"".join((stamp, before_id, each.request_id, before_duration, b"%.3f" % (seconds * 1000), rest)))
        if log is not None:
            log.write(lines)

    def _kind_of(self, finished: FinishedRequest) -> _Kind:
        series = self._metrics.series(finished.method, finished.raw_path, finished.status)
        kind = _Kind(series, _NO_PARTS if self._log is None else self._log.parts_of(finished))
        if len(self._kinds) >= _MOST_KINDS:
            self._kinds.clear()
        if len(finished.raw_path) + len(finished.agent) <= _LONGEST_KIND:  # strangers write as much as they like
            self._kinds[_kind_key(finished)] = kind
        return kind


def _kind_key(finished: FinishedRequest) -> tuple[object, ...]:
    event = finished.event
    return NOBODY if event is None else event.asked, finished[:KIND_FIELDS]
