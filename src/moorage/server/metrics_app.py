"""What the place of `metrics_listen` serves: ``/metrics``, and nothing else."""

from __future__ import annotations

from typing import Any

from moorage.wire.http import Request, Response, Send
from moorage.wire.web.metrics import Metrics

_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class MetricsApplication:
    """The ASGI callable of that place."""

    def __init__(self, metrics: Metrics, password: str) -> None:
        self._metrics, self._password = metrics, password

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        if scope["raw_path"] == b"/metrics" and request.method in {"GET", "HEAD"}:
            await self._metrics.respond(request, send, self._password)
        else:
            await Response(404, b"404: this place serves /metrics\n", [_TEXT]).send(send, head=request.method == "HEAD")
