"""Prometheus metrics. Labels are bounded: never a repository, never an account."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from moorage.wire.http import Request, Response, Send

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


class Metrics:
    """Counts what the server's access hook tells."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("plane", "method", "status")
        self._requests = Counter("moorage_http_requests", "Requests answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "moorage_http_request_seconds", "Time from the request's head to the answer's end.", ("plane", "method"),
            buckets=_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._received = Counter("moorage_http_received_bytes", "Bytes of request bodies.", ("plane",), registry=self._registry)
        self._sent = Counter("moorage_http_sent_bytes", "Bytes of response bodies.", ("plane",), registry=self._registry)
        self._up = Gauge("moorage_up", "1 while the process serves.", registry=self._registry)
        self._up.set(1)
        # Label look-ups cost more than the counting: children are kept by what selects them.
        self._known: dict[tuple[str, str, int], tuple[object, ...]] = {}

    def observe(self, method: str, raw_path: bytes, status: int, received: int, sent: int, seconds: float) -> None:
        """One request has been answered."""
        plane = _plane(raw_path)
        key = (plane, method, status)
        children = self._known.get(key)
        if children is None:
            verb = method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} else "OTHER"
            children = self._known[key] = (
                self._requests.labels(plane, verb, str(status)),
                self._seconds.labels(plane, verb),
                self._received.labels(plane),
                self._sent.labels(plane),
            )
        requests, histogram, received_bytes, sent_bytes = children
        requests.inc()  # type: ignore[attr-defined]  # a Counter's child
        histogram.observe(seconds)  # type: ignore[attr-defined]  # a Histogram's child
        if received:
            received_bytes.inc(received)  # type: ignore[attr-defined]
        if sent:
            sent_bytes.inc(sent)  # type: ignore[attr-defined]

    async def respond(self, request: Request, send: Send) -> None:
        """``/metrics`` in the Prometheus text format."""
        body = generate_latest(self._registry)
        await Response(200, body, [(b"content-type", CONTENT_TYPE_LATEST.encode())]).send(send, head=request.method == "HEAD")


def _plane(raw_path: bytes) -> str:
    if raw_path.startswith(b"/v2"):
        return "registry"
    return "aws" if raw_path == b"/" else "web"
