"""What is said when database or store cannot do their work and no plane has turned that into an error of its own."""

from __future__ import annotations

import logging

from moorage.metadata.database import DatabaseUnavailable
from moorage.model.errors import KeyUnavailable, KeyUnusable, StorageCorrupt
from moorage.model.shown import shown
from moorage.storage.blob_store import StoreUnavailable
from moorage.wire.http import Request, Response, Send
from moorage.wire.oci.errors import JSON, OciError

Fault = DatabaseUnavailable | StoreUnavailable | StorageCorrupt | KeyUnusable

AGAIN_SECONDS = 2
"""When to come back."""
_TEXT = (b"content-type", b"text/plain; charset=utf-8")

logger = logging.getLogger("moorage.server")


async def tell_fault(error: Fault, request: Request, send: Send) -> None:
    """503 for what passes, 403 for a key that may not be used, 500 for what is damaged: one line in the log, and the request's
    id in the answer."""
    where = request.method, shown(request.scope["raw_path"])
    named = f" (request {request.id})" if request.id else ""
    headers = []
    if isinstance(error, StorageCorrupt):
        logger.error("%s %s failed: %s", *where, error, extra={"request_id": request.id})
        status, text = 500, f"the stored content is damaged: tell the operator{named}"
    elif isinstance(error, KeyUnusable) and not isinstance(error, KeyUnavailable):
        logger.warning("%s %s: the key: %s", *where, error, extra={"request_id": request.id})
        status, text = 403, str(error)
    else:
        logger.warning("%s %s: unavailable: %s", *where, error, extra={"request_id": request.id})
        status, text = 503, f"temporarily unavailable: try again{named}"
        headers.append((b"retry-after", b"%d" % AGAIN_SECONDS))
    if request.scope["raw_path"].startswith(b"/v2"):
        body, kind = OciError(status, "UNKNOWN", text).body(), JSON
    else:
        body, kind = text.encode() + b"\n", _TEXT
    await Response(status, body, [kind, *headers]).send(send, head=request.method == "HEAD")
