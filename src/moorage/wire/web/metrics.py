"""Prometheus metrics. Labels are bounded: never a repository; accounts and regions only where a bound of their own holds.

Counting is done in plain integers, one look-up a request; prometheus-client makes the text of it when somebody asks.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec
from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from moorage.events.request_counts import Counts, RequestCounts, merged, unpacked
from moorage.model.jobs import KindLoad
from moorage.model.rates import RequestKey
from moorage.wire.http import Request, Response, Send

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


class Series:
    """What is counted for one plane, method and status."""

    __slots__ = ("buckets", "received", "requests", "seconds", "sent")

    def __init__(self) -> None:
        self.requests = self.received = self.sent = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(_BOUNDS) + 1)

    def add(self, received: int, sent: int, seconds: float) -> None:
        """One request has been answered."""
        self.requests += 1
        self.received += received
        self.sent += sent
        self.seconds += seconds
        self.buckets[bisect_left(_BOUNDS, seconds)] += 1


_Rows = list[tuple[str, str, int, int, int, int, float, list[int]]]


class _Packed(Struct, array_like=True, frozen=True):
    """What a worker has counted."""

    series: _Rows
    usage: bytes


def _add(to: dict[tuple[str, str, int], Series], rows: _Rows) -> None:
    for plane, method, status, requests, received, sent, seconds, buckets in rows:
        series = to.setdefault((plane, method, status), Series())
        series.requests += requests
        series.received += received
        series.sent += sent
        series.seconds += seconds
        series.buckets = [have + more for have, more in zip(series.buckets, buckets, strict=True)]


def _usage_families(usage: dict[RequestKey, Counts]) -> Iterator[Metric]:
    labels = ["account", "region", "operation"]
    calls = CounterMetricFamily("moorage_requests", "Requests of accounts, by operation, on both planes.", labels=labels)
    throttled = CounterMetricFamily("moorage_requests_throttled", "Those of them that came too fast.", labels=labels)
    for key, (count, refused) in usage.items():
        calls.add_metric(key, count)
        if refused:
            throttled.add_metric(key, refused)
    yield from (calls, throttled)


def _job_families(loads: Sequence[KindLoad]) -> Iterator[Metric]:
    labels = ["kind"]
    overdue = GaugeMetricFamily("moorage_jobs_overdue", "Jobs that could have begun more than a minute ago.", labels=labels)
    oldest = GaugeMetricFamily(
        "moorage_jobs_oldest_due_seconds", "For how long the oldest job that may run has been waiting.", labels=labels
    )
    failed = GaugeMetricFamily("moorage_jobs_failed", "Jobs that have used up their attempts.", labels=labels)
    for load in loads:
        overdue.add_metric([load.kind], load.overdue)
        oldest.add_metric([load.kind], load.oldest_due_seconds)
        failed.add_metric([load.kind], load.failed)
    yield from (overdue, oldest, failed)


class Metrics(Collector):
    """Counts what the server's access hook tells. Belongs to the event loop.

    Args:
        others: what the other workers of the server have counted, each as `packed`.
    """

    def __init__(self, others: Callable[[], list[bytes]] = list) -> None:
        self._series: dict[tuple[str, str, int], Series] = {}
        self._others = others
        self.before_shown: Callable[[], None] = _nothing
        """Called before anybody looks: whoever counts in batches counts what is left."""
        self.usage = RequestCounts()
        """Requests by account, region and operation: the wires count there."""
        self.job_loads: Callable[[], Awaitable[Sequence[KindLoad] | None]] = _no_loads
        """Asks what jobs wait and have failed; None: that cannot be known now."""
        self._loads: Sequence[KindLoad] | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def series(self, method: str, raw_path: bytes, status: int) -> Series:
        """Where requests of a plane, a method and a status are counted."""
        plane = "registry" if raw_path.startswith(b"/v2") else "aws" if raw_path == b"/" else "web"
        return self._series.setdefault((plane, method if method in _METHODS else "OTHER", status), Series())

    def packed(self) -> bytes:
        """All that was counted, for another worker to add to its own."""
        self.before_shown()
        return msgspec.msgpack.encode(_Packed(self._rows(), self.usage.packed()))

    def _rows(self) -> _Rows:
        return [(*key, one.requests, one.received, one.sent, one.seconds, one.buckets) for key, one in self._series.items()]

    def add(self, packed: bytes) -> None:
        """Go on from what a worker before this one had counted."""
        before = msgspec.msgpack.decode(packed, type=_Packed)
        _add(self._series, before.series)
        self.usage.go_on_from(before.usage)

    def _total(self) -> tuple[dict[tuple[str, str, int], Series], dict[RequestKey, Counts]]:
        others = [msgspec.msgpack.decode(each, type=_Packed) for each in self._others()]
        total: dict[tuple[str, str, int], Series] = {}
        for rows in (self._rows(), *(each.series for each in others)):
            _add(total, rows)
        return total, merged((self.usage.totals(), *(unpacked(each.usage) for each in others)))

    def collect(self) -> Iterator[Metric]:
        """The families of the exposition."""
        self.before_shown()
        labels = ["plane", "method", "status"]
        requests = CounterMetricFamily("moorage_http_requests", "Requests answered.", labels=labels)
        received = CounterMetricFamily("moorage_http_received_bytes", "Bytes of request bodies.", labels=labels)
        sent = CounterMetricFamily("moorage_http_sent_bytes", "Bytes of response bodies.", labels=labels)
        seconds = HistogramMetricFamily(
            "moorage_http_request_seconds", "Time from a request's head to its answer's end.", labels=labels
        )
        total_series, usage = self._total()
        for (plane, method, status), series in total_series.items():
            values = [plane, method, str(status)]
            requests.add_metric(values, series.requests)
            received.add_metric(values, series.received)
            sent.add_metric(values, series.sent)
            total, buckets = 0, []
            for bound, count in zip((*map(str, _BOUNDS), "+Inf"), series.buckets, strict=True):
                total += count
                buckets.append((bound, total))
            seconds.add_metric(values, buckets, series.seconds)
        yield from (requests, received, sent, seconds)
        yield from _usage_families(usage)
        if self._loads is not None:
            yield from _job_families(self._loads)
        yield GaugeMetricFamily("moorage_up", "1 while the process serves.", value=1)

    async def respond(self, request: Request, send: Send, password: str = "") -> None:
        """``/metrics`` in the Prometheus text format; with a `password` to those who bring it alone."""
        if password and not _brings(request.header(b"authorization"), password):
            challenge = (b"www-authenticate", b'Basic realm="metrics"')
            await Response(401, b"a password is needed: see metrics_password\n", [_TEXT, challenge]).send(send)
            return
        self._loads = await self.job_loads()
        body = generate_latest(self._registry)
        await Response(200, body, [(b"content-type", CONTENT_TYPE_LATEST.encode())]).send(send, head=request.method == "HEAD")


def _brings(authorization: str, password: str) -> bool:
    """Whether an Authorization header has the password: by Basic with any user, or as a bearer token."""
    scheme, _, credentials = authorization.partition(" ")
    given = credentials.strip().encode("latin-1")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given, password.encode())


async def _no_loads() -> None:
    """For servers that run no jobs."""


def _nothing() -> None:
    """For servers whose counts are always current."""
